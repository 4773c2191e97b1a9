//! Text messages.

use crate::language::Language;
use crate::number::PhoneNumber;
use crate::person::Brief;
use async_trait::async_trait;
use std::fmt;
use std::time::Duration;

/// The idempotency key of a message: the id of the event that asked for it, or a random one for codes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey(pub String);

/// A text message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsMessage {
    /// Whom to.
    pub to: PhoneNumber,
    /// What it says.
    pub message: Message,
    /// In which language, if that is known; else the number's calling code tells.
    pub language: Option<Language>,
    /// Given to the provider, so that a repeat is recognised.
    pub key: EventKey,
}

/// What a text message says; the adapter has the words.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A one-time code. Sent at most once: never repeat it.
    Code {
        /// Six digits.
        code: String,
    },
    /// Somebody invites the number's owner. At least once, with the same key.
    Invited {
        /// Who, unless they are not to be shown.
        by: Option<Brief>,
    },
    /// The number's owner left the waitlist. At least once, with the same key.
    Admitted,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code(..)",
            Self::Invited { .. } => "Invited(..)",
            Self::Admitted => "Admitted",
        })
    }
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmsError {
    /// The provider has too much to do, and says so: it says nothing of this message.
    #[error("the provider asks for patience")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// It may go better later, with the same key.
    #[error("the provider is not available: {reason}")]
    Unavailable {
        /// For operators.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The provider will never send this one.
    #[error("the provider refused the message: {reason}")]
    Refused {
        /// For operators; no numbers in it.
        reason: String,
    },
}

/// A provider of text messages.
#[async_trait]
pub trait Sms: Send + Sync + 'static {
    /// Sends a message and waits until the provider has taken it.
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError>;
}
