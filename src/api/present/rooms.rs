//! Rooms, their stages, hands and audiences.

use crate::wire::people::PersonBrief;
use crate::wire::rooms::{
    AudienceMember, Hand, HandRaising, Joined, Role, RoomAck, RoomCard, RoomSnapshot, StageMember, Visibility,
};
use mitalk_actors::{room, rooms};

impl From<room::Visibility> for Visibility {
    fn from(visibility: room::Visibility) -> Self {
        match visibility {
            room::Visibility::Open => Self::Open,
            room::Visibility::Social => Self::Social,
            room::Visibility::Closed => Self::Closed,
        }
    }
}

impl From<Visibility> for room::Visibility {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Open => Self::Open,
            Visibility::Social => Self::Social,
            Visibility::Closed => Self::Closed,
        }
    }
}

impl From<room::HandRaising> for HandRaising {
    fn from(raising: room::HandRaising) -> Self {
        match raising {
            room::HandRaising::Everyone => Self::Everyone,
            room::HandRaising::Followed => Self::Followed,
            room::HandRaising::Off => Self::Off,
        }
    }
}

impl From<HandRaising> for room::HandRaising {
    fn from(raising: HandRaising) -> Self {
        match raising {
            HandRaising::Everyone => Self::Everyone,
            HandRaising::Followed => Self::Followed,
            HandRaising::Off => Self::Off,
        }
    }
}

impl From<room::Role> for Role {
    fn from(role: room::Role) -> Self {
        match role {
            room::Role::Moderator => Self::Moderator,
            room::Role::Speaker => Self::Speaker,
            room::Role::Listener => Self::Listener,
        }
    }
}

impl From<rooms::Listed> for RoomCard {
    fn from(listed: rooms::Listed) -> Self {
        Self {
            id: listed.room.to_string(),
            title: listed.title,
            topics: listed.topics,
            language: listed.language,
            visibility: listed.visibility.into(),
            stage: listed.stage.into_iter().map(PersonBrief::from).collect(),
            stage_count: listed.stage_count,
            audience_count: listed.audience_count,
            followed: listed.followed,
            started_at_ms: listed.started.0,
        }
    }
}

impl From<rooms::StageMember> for StageMember {
    fn from(member: rooms::StageMember) -> Self {
        Self {
            person: member.person.into(),
            role: member.role.into(),
            number: member.number,
            muted: member.muted,
            away: member.away,
        }
    }
}

impl From<rooms::Hand> for Hand {
    fn from(hand: rooms::Hand) -> Self {
        Self {
            person: hand.person.into(),
            raised_at_ms: hand.raised.0,
        }
    }
}

impl From<rooms::AudienceMember> for AudienceMember {
    fn from(member: rooms::AudienceMember) -> Self {
        Self {
            person: member.person.into(),
            followed: member.followed,
            followed_by_stage: member.followed_by_stage,
            hand: member.hand,
        }
    }
}

impl From<rooms::Snapshot> for RoomSnapshot {
    fn from(snapshot: rooms::Snapshot) -> Self {
        Self {
            id: snapshot.room.to_string(),
            seq: snapshot.seq,
            title: snapshot.title,
            topics: snapshot.topics,
            language: snapshot.language,
            visibility: snapshot.visibility.into(),
            link_key: snapshot.link_key,
            hand_raising: snapshot.hand_raising.into(),
            stage: snapshot.stage.into_iter().map(StageMember::from).collect(),
            hands: snapshot.hands.into_iter().map(Hand::from).collect(),
            hand_count: snapshot.hand_count,
            my_hand: snapshot.my_hand,
            invited_to_stage: snapshot.invited_to_stage,
            my_role: snapshot.my_role.map(Role::from),
            audience_count: snapshot.audience_count,
            started_at_ms: snapshot.started.0,
            ended: snapshot.ended,
        }
    }
}

impl From<rooms::Joined> for Joined {
    fn from(joined: rooms::Joined) -> Self {
        Self {
            session: joined.session.to_string(),
            sdp: joined.sdp,
            room: joined.snapshot.into(),
            resume_token: joined.resume_token,
            resumed: joined.resumed,
        }
    }
}

impl From<rooms::Ack> for RoomAck {
    fn from(ack: rooms::Ack) -> Self {
        Self {
            pending: ack.pending,
            hand: ack.hand,
        }
    }
}
