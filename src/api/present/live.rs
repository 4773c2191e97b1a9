//! What live sockets carry.

use crate::wire::live::{LeftWhy, RoomChange, ServerMessage};
use crate::wire::people::PersonBrief;
use crate::wire::rooms::Hand;
use mitalk_actors::live::LiveMessage;
use mitalk_actors::rooms;

impl From<LiveMessage> for ServerMessage {
    fn from(message: LiveMessage) -> Self {
        match message {
            LiveMessage::Welcome { socket, me } => Self::Welcome {
                socket: socket.to_string(),
                me: (*me).into(),
            },
            LiveMessage::Me { me } => Self::Me { me: (*me).into() },
            LiveMessage::Ticket { ticket } => Self::Ticket {
                ticket: ticket.into(),
            },
            LiveMessage::Notice { notice } => Self::Notice {
                notice: notice.into(),
            },
            LiveMessage::RoomSnapshot(snapshot) => Self::RoomSnapshot {
                room: (*snapshot).into(),
            },
            LiveMessage::Room { room, seq, change } => Self::Room {
                room: room.to_string(),
                seq,
                change: change.into(),
            },
            LiveMessage::LeftRoom { room, why } => Self::LeftRoom {
                room: room.to_string(),
                why: why.into(),
            },
            LiveMessage::Hallway => Self::Hallway {},
            LiveMessage::Moving { after } => Self::Moving {
                after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            },
        }
    }
}

impl From<rooms::Change> for RoomChange {
    fn from(change: rooms::Change) -> Self {
        use rooms::Change;
        match change {
            Change::Settings {
                title,
                topics,
                visibility,
                hand_raising,
                link_key,
            } => Self::Settings {
                title,
                topics,
                visibility: visibility.into(),
                hand_raising: hand_raising.into(),
                link_key,
            },
            Change::Stage { member } => Self::Stage {
                member: member.into(),
            },
            Change::Unstaged { person } => Self::Unstaged {
                person: person.into(),
            },
            Change::HandUp {
                hand,
                hand_count,
                my_hand,
            } => Self::HandUp {
                hand: hand.map(Hand::from),
                hand_count,
                my_hand,
            },
            Change::HandDown {
                person,
                hand_count,
                my_hand,
                declined,
            } => Self::HandDown {
                person: person.map(PersonBrief::from),
                hand_count,
                my_hand,
                declined,
            },
            Change::StageInvitation { invited, by } => Self::StageInvitation {
                invited,
                by: by.map(PersonBrief::from),
            },
            Change::Audience { audience_count } => Self::Audience { audience_count },
            Change::Ended => Self::Ended {},
            Change::Nothing => Self::Nothing {},
        }
    }
}

impl From<rooms::LeftWhy> for LeftWhy {
    fn from(why: rooms::LeftWhy) -> Self {
        match why {
            rooms::LeftWhy::Left => Self::Left,
            rooms::LeftWhy::MovedDevice => Self::MovedDevice,
            rooms::LeftWhy::Removed => Self::Removed,
            rooms::LeftWhy::Banned => Self::Banned,
            rooms::LeftWhy::Ended => Self::Ended,
            rooms::LeftWhy::LostConnection => Self::LostConnection,
        }
    }
}
