//! What can go wrong with any command, whatever its family: the cluster's part of every error.
//!
//! Each family (`auth::Error`, `account::Error` ...) is an enum of its own with a stable [`code`](Trouble::code) and carries
//! a [`Trouble`] for all that is not about its domain. One table in `src` maps codes to HTTP.

use mitalk_cluster::{AskError, StoreError};
use std::time::Duration;

/// What a client waits for before trying again when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The service could not do it now, or at all; not the domain's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Too much is under way; nothing was done.
    #[error("too busy")]
    Overloaded {
        /// When it may help to try again.
        retry_after: Duration,
    },
    /// The deadline passed; it may or may not have been done. Repeat with the same Idempotency-Key.
    #[error("timed out")]
    TimedOut,
    /// The store does not answer, or the entity is moving to another node.
    #[error("not available: {reason}")]
    Unavailable {
        /// For operators.
        reason: String,
        /// When it may help to try again.
        retry_after: Duration,
    },
    /// Larger than what the service stores.
    #[error("over a size limit")]
    TooLarge,
    /// A fault of ours: what is stored can not be read. The log says more.
    #[error("cannot be read")]
    Corrupt,
}

impl Trouble {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::TimedOut => "timed_out",
            Self::Unavailable { .. } => "store_unavailable",
            Self::TooLarge => "body_too_large",
            Self::Corrupt => "internal",
        }
    }

    /// When the same request may succeed; absent if a retry does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::TimedOut => Some(RETRY_AFTER),
            Self::TooLarge | Self::Corrupt => None,
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Corrupt,
            error => Self::Unavailable {
                reason: error.to_string(),
                retry_after: RETRY_AFTER,
            },
        }
    }
}

/// Splits what an ask may answer instead of a reply: the domain's refusal, or [`Trouble`].
pub(crate) fn refusal<R: std::error::Error>(error: AskError<R>) -> Result<R, Trouble> {
    Err(match error {
        AskError::Refused(refusal) => return Ok(refusal),
        AskError::Overloaded { retry_after } => Trouble::Overloaded { retry_after },
        AskError::TimedOut => Trouble::TimedOut,
        AskError::Unavailable { reason, retry_after } => Trouble::Unavailable { reason, retry_after },
        AskError::NotOwner { .. } => Trouble::Unavailable {
            reason: "moving to another node".into(),
            retry_after: RETRY_AFTER,
        },
        AskError::Stopping => Trouble::Unavailable {
            reason: "the node is stopping".into(),
            retry_after: RETRY_AFTER,
        },
        AskError::TooLarge => Trouble::TooLarge,
        AskError::Corrupt => Trouble::Corrupt,
    })
}
