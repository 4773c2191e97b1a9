//! What nodes ask each other's forwarders. It crosses as MessagePack with named fields, also within one node.

use crate::id::{DeviceId, RoomId, SessionId, SocketId, UserId};
use crate::person::Brief;
use crate::room::{Change, Cut, HandRaising, Role, Version};
use crate::rooms::{Joined, Snapshot};
use crate::user::Evicted;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something for the forwarder of one room.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) room: RoomId,
    pub(crate) body: Body,
}

/// To be answered, or not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    /// Answered by `Result<Answer, Refusal>`.
    Ask(Request),
    /// The home tells what changed.
    Told(Vec<(Version, Change)>),
    /// The home takes a right away at once.
    Cut { at: Version, user: UserId, cut: Cut },
    /// The account says that this session is over.
    Evict {
        user: UserId,
        session: SessionId,
        #[serde(default)]
        why: Evicted,
    },
}

/// What a person's request needs of the forwarder that has them, or will.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    Join(Box<Join>),
    /// New ICE credentials for a session.
    Restart {
        user: UserId,
        session: SessionId,
        offer: String,
    },
    Leave {
        user: UserId,
        device: DeviceId,
    },
    /// Where somebody stands here, and what depends on follows.
    Sight {
        user: UserId,
    },
    Snapshot {
        user: UserId,
    },
    /// The audience by id, as far as it is listed.
    Audience,
    Names {
        users: Vec<UserId>,
    },
}

/// A person at the door.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Join {
    pub(crate) person: Brief,
    pub(crate) device: DeviceId,
    pub(crate) offer: String,
    pub(crate) token: Option<String>,
    /// Of the room's link, as the person gave it.
    #[serde(default)]
    pub(crate) link_key: Option<String>,
    pub(crate) socket: Option<SocketId>,
    /// They follow a moderator; absent if nobody has looked.
    pub(crate) follows_moderator: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Joined(Box<Joined>),
    /// Say whether the person follows one of these, and ask again.
    LookWhomTheyFollow(Vec<UserId>),
    Restarted {
        sdp: String,
    },
    Done,
    Sight(Sight),
    Snapshot(Box<Snapshot>),
    Audience(Vec<UserId>),
    Names(Vec<Brief>),
}

/// Where somebody stands in the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sight {
    /// Absent: not in the room on this node.
    pub(crate) role: Option<Role>,
    pub(crate) stage: Vec<UserId>,
    pub(crate) hands: Vec<UserId>,
    pub(crate) hand_raising: HandRaising,
}

/// The forwarder's no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    #[error("there is no such room")]
    NotFound,
    #[error("the room has ended")]
    Ended,
    #[error("banned from the room")]
    Banned,
    #[error("only people who were asked into this room may enter")]
    Closed,
    #[error("only followers of a moderator may enter")]
    Social,
    #[error("not in the room")]
    NotInRoom,
    #[error("no such session: join again with the resume token")]
    SessionNotFound,
    #[error("the resume token was used before, or its place was taken away: join again without it")]
    ResumeRefused,
    #[error("not a resume token of this person, device and room: join again without it")]
    ResumeInvalid,
    #[error("joined on another device meanwhile")]
    Moved,
    #[error("{0}")]
    Sdp(String),
    #[error("this node is full")]
    Full,
    #[error("too busy")]
    Overloaded,
    #[error("the room's home does not answer")]
    NoHome { retry_after: Duration },
    #[error("not available: {0}")]
    Unavailable(String),
}

impl From<mitalk_media::Error> for Refusal {
    fn from(error: mitalk_media::Error) -> Self {
        match error {
            mitalk_media::Error::Overloaded => Self::Overloaded,
            mitalk_media::Error::Full => Self::Full,
            mitalk_media::Error::NoSuchSession => Self::SessionNotFound,
            mitalk_media::Error::BadOffer(what) => Self::Sdp(what),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
