//! Why a room did not do what it was asked.

use crate::error::Trouble;
use crate::forwarder;
use crate::room;
use std::time::Duration;

/// One enum for all that is about rooms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Only active people use rooms.
    #[error("your account is not active yet")]
    NotActive,
    /// An operator stopped the account.
    #[error("your account is suspended")]
    Suspended,
    /// The room's own no.
    #[error(transparent)]
    Refused(room::Refusal),
    /// Who asks, or whom it is about, is not in the room.
    #[error("not in the room")]
    NotInRoom,
    /// Only people who were asked in may enter.
    #[error("only people who were asked into this room may enter")]
    Closed,
    /// Only followers of a moderator may enter.
    #[error("only followers of a moderator may enter this room")]
    Social,
    /// Only contacts are asked in.
    #[error("only contacts can be asked into a room: people who follow each other")]
    NotAContact,
    /// The session is over.
    #[error("there is no such session: join again, with the resume token")]
    SessionNotFound,
    /// Used before, or its place was taken away.
    #[error("the resume token was used before, or its place was taken away: join again without it")]
    ResumeRefused,
    /// Not of this person, device and room.
    #[error("this is not a resume token of yours for this room and device: join again without it")]
    ResumeInvalid,
    /// Another device of the person joined while this one did.
    #[error("joined on another device meanwhile")]
    Moved,
    /// The SDP offer can not be answered.
    #[error("the offer can not be answered: {0}")]
    Sdp(String),
    /// This node takes no more sessions.
    #[error("the service is full")]
    Full,
    /// The room's home does not answer; audio goes on.
    #[error("the room is moving to another machine; it goes on in a moment")]
    NoHome {
        /// When it may help to try again.
        retry_after: Duration,
    },
    /// The person opened enough rooms within the hour.
    #[error("you have opened many rooms lately; try again in {} s", retry_after.as_secs())]
    OpenedTooMany {
        /// When they may open the next one.
        retry_after: Duration,
    },
    /// The service has ended: no room is opened any more.
    #[error("Mi Talk has ended")]
    Sunset,
    /// Not a cursor of this list.
    #[error("the cursor is not one of this list")]
    CursorInvalid,
    /// Not the domain's answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// What a client waits when a node is full.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(5);
/// What a client waits when a forwarder is busy or restarts.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

impl Error {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotActive => "not_active",
            Self::Suspended => "suspended",
            Self::Refused(refusal) => refusal.code(),
            Self::NotInRoom => "not_in_room",
            Self::Closed => "room_closed",
            Self::Social => "room_social",
            Self::NotAContact => "not_a_contact",
            Self::SessionNotFound => "session_not_found",
            Self::ResumeRefused => "resume_refused",
            Self::ResumeInvalid => "resume_invalid",
            Self::Moved => "conflict",
            Self::Sdp(_) => "sdp_invalid",
            Self::Full => "overloaded",
            Self::NoHome { .. } => "no_home",
            Self::OpenedTooMany { .. } => "rooms_rate_limited",
            Self::Sunset => "sunset",
            Self::CursorInvalid => "cursor_invalid",
            Self::Trouble(trouble) => trouble.code(),
        }
    }

    /// When the same request may succeed; absent if waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full => Some(FULL_RETRY_AFTER),
            Self::NoHome { retry_after } | Self::OpenedTooMany { retry_after } => Some(*retry_after),
            Self::Trouble(trouble) => trouble.retry_after(),
            _ => None,
        }
    }

    /// The field at fault, for problems with what was sent.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Refused(room::Refusal::Settings(invalid)) => Some(invalid.field()),
            Self::Sdp(_) => Some("sdp"),
            Self::ResumeInvalid => Some("resume_token"),
            _ => None,
        }
    }
}

impl From<forwarder::Refusal> for Error {
    fn from(refusal: forwarder::Refusal) -> Self {
        use forwarder::Refusal as R;
        match refusal {
            R::NotFound => Self::Refused(room::Refusal::NotFound),
            R::Ended => Self::Refused(room::Refusal::Ended),
            R::Banned => Self::Refused(room::Refusal::Banned),
            R::Closed => Self::Closed,
            R::Social => Self::Social,
            R::NotInRoom => Self::NotInRoom,
            R::SessionNotFound => Self::SessionNotFound,
            R::ResumeRefused => Self::ResumeRefused,
            R::ResumeInvalid => Self::ResumeInvalid,
            R::Moved => Self::Moved,
            R::Sdp(what) => Self::Sdp(what),
            R::Full => Self::Full,
            R::Overloaded => Self::Trouble(Trouble::Overloaded {
                retry_after: BUSY_RETRY_AFTER,
            }),
            R::NoHome { retry_after } => Self::NoHome { retry_after },
            R::Unavailable(reason) => Self::Trouble(Trouble::Unavailable {
                reason,
                retry_after: BUSY_RETRY_AFTER,
            }),
        }
    }
}
