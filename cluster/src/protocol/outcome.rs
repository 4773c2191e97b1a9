//! What an entity answers, as it crosses the wire.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::AskError;
use crate::entity::Entity;
use crate::id::NodeId;
use crate::wire;

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// An encoded reply.
    Done(#[serde(with = "serde_bytes")] Vec<u8>),
    /// An encoded refusal.
    Refused(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A row of this source was carried out before (rule 12).
    Duplicate,
    Overloaded {
        retry_after_ms: u64,
    },
    TimedOut,
    NotOwner {
        hint: Option<NodeId>,
    },
    Unavailable {
        reason: String,
        retry_after_ms: u64,
    },
    TooLarge,
    Corrupt,
    Stopping,
}

/// How long a caller should wait before it troubles a busy or broken part again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(500);

impl Outcome {
    pub(crate) fn overloaded(retry_after: Duration) -> Self {
        Self::Overloaded {
            retry_after_ms: millis(retry_after),
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            retry_after_ms: millis(RETRY_AFTER),
        }
    }

    /// Whether the command reached a decision: an outbox row with this answer is delivered.
    pub(crate) fn is_decided(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Refused(_) | Self::Duplicate)
    }

    /// The label of the commands counter.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Refused(_) => "refused",
            Self::Duplicate => "duplicate",
            Self::Overloaded { .. } => "overloaded",
            Self::TimedOut => "timed_out",
            Self::NotOwner { .. } => "not_owner",
            Self::Unavailable { .. } => "unavailable",
            Self::TooLarge => "too_large",
            Self::Corrupt => "corrupt",
            Self::Stopping => "stopping",
        }
    }

    /// What the caller gets.
    pub(crate) fn into_result<E: Entity>(self) -> Result<E::Reply, AskError<E::Refusal>> {
        match self {
            Self::Done(bytes) => wire::decode(&bytes).map_err(|_| AskError::Corrupt),
            Self::Refused(bytes) => match wire::decode(&bytes) {
                Ok(refusal) => Err(AskError::Refused(refusal)),
                Err(_) => Err(AskError::Corrupt),
            },
            other => Err(other.into_error()),
        }
    }

    /// The error that is not the domain's; `Done`, `Refused` and `Duplicate` have no business here.
    pub(crate) fn into_error<R: std::error::Error>(self) -> AskError<R> {
        match self {
            Self::Done(_) | Self::Refused(_) | Self::Duplicate | Self::Corrupt => AskError::Corrupt,
            Self::Overloaded { retry_after_ms } => AskError::Overloaded {
                retry_after: Duration::from_millis(retry_after_ms),
            },
            Self::TimedOut => AskError::TimedOut,
            Self::NotOwner { hint } => AskError::NotOwner { hint },
            Self::Unavailable {
                reason,
                retry_after_ms,
            } => AskError::Unavailable {
                reason,
                retry_after: Duration::from_millis(retry_after_ms),
            },
            Self::TooLarge => AskError::TooLarge,
            Self::Stopping => AskError::Stopping,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
