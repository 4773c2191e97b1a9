//! Accounts, profiles and notices.

use crate::wire::auth::Device;
use crate::wire::people::{Me, Notice, NoticeKind, PersonBrief, Profile, ProfileView, Standing, Ticket};
use mitalk_actors::{auth, person};

impl From<person::Standing> for Standing {
    fn from(standing: person::Standing) -> Self {
        match standing {
            person::Standing::Waiting => Self::Waiting,
            person::Standing::Active => Self::Active,
            person::Standing::Suspended => Self::Suspended,
            person::Standing::Deleted => Self::Deleted,
        }
    }
}

impl From<person::Ticket> for Ticket {
    fn from(ticket: person::Ticket) -> Self {
        Self {
            number: ticket.number,
            ahead: ticket.ahead,
        }
    }
}

impl From<person::Brief> for PersonBrief {
    fn from(brief: person::Brief) -> Self {
        Self {
            id: brief.id.to_string(),
            name: brief.name,
            handle: brief.handle,
            headline: brief.headline,
        }
    }
}

impl From<person::Profile> for Profile {
    fn from(profile: person::Profile) -> Self {
        let about = profile.about;
        Self {
            id: profile.id.to_string(),
            handle: profile.handle,
            name: about.name,
            headline: about.headline,
            company: about.company,
            bio: about.bio,
            topics: about.topics,
            languages: about.languages,
            links: about.links,
            offering: about.offering,
            looking_for: about.looking_for,
            invited_by: profile.invited_by.map(PersonBrief::from),
        }
    }
}

impl From<person::View> for ProfileView {
    fn from(view: person::View) -> Self {
        Self {
            profile: view.profile.into(),
            followed: view.followed,
            follows_you: view.follows_you,
            followers: view.followers,
            following: view.following,
        }
    }
}

impl From<person::Me> for Me {
    fn from(me: person::Me) -> Self {
        Self {
            id: me.profile.id.to_string(),
            standing: me.standing.into(),
            ticket: me.ticket.map(Ticket::from),
            profile: me.profile.into(),
            invites_left: me.invites_left,
            shown_as_inviter: me.shown_as_inviter,
            deletion_at_ms: me.leaving_at.map(|at| at.0),
            room: me.room.map(|room| room.to_string()),
            notice_seq: me.notice_seq,
            notices_read: me.notices_read,
        }
    }
}

impl From<person::Notice<person::Brief>> for Notice {
    fn from(notice: person::Notice<person::Brief>) -> Self {
        Self {
            seq: notice.seq,
            at_ms: notice.at.0,
            what: notice.what.into(),
        }
    }
}

impl From<person::NoticeKind<person::Brief>> for NoticeKind {
    fn from(kind: person::NoticeKind<person::Brief>) -> Self {
        use person::NoticeKind as Domain;
        match kind {
            Domain::Admitted => Self::Admitted,
            Domain::InviteAccepted { person } => Self::InviteAccepted {
                person: person.into(),
            },
            Domain::NewFollower { person } => Self::NewFollower {
                person: person.into(),
            },
            Domain::StageInvitation { room, title, by } => Self::StageInvitation {
                room: room.to_string(),
                title,
                by: by.into(),
            },
            Domain::Pinged { room, title, by } => Self::Pinged {
                room: room.to_string(),
                title,
                by: by.into(),
            },
            Domain::RoomStarted { room, title, by } => Self::RoomStarted {
                room: room.to_string(),
                title,
                by: by.into(),
            },
        }
    }
}

impl From<auth::Device> for Device {
    fn from(device: auth::Device) -> Self {
        Self {
            id: device.id.to_string(),
            name: device.name,
            created_at_ms: device.created_at.0,
            seen_at_ms: device.seen_at.0,
            current: device.current,
            push_service: device.push_service,
        }
    }
}
