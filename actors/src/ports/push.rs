//! Web Push: messages to browsers by way of their makers' push services (RFC 8030).

use super::EventKey;
use crate::id::RoomId;
use crate::user::push::{Kind, Subscription};
use async_trait::async_trait;
use mitalk_cluster::Timestamp;
use std::time::Duration;

/// Messages that an adapter has on their way at once, to all push services; what is over its bounds is [`PushError::Busy`].
pub const PUSHES_UNDER_WAY: usize = 256;

/// A message to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMessage {
    /// Where.
    pub to: Subscription,
    /// What; the adapter gives it a form.
    pub said: Said,
    /// A push service that cannot deliver it within so long drops it (RFC 8030, 5.2).
    pub ttl: Duration,
    /// Somebody waits for the person: wake the device (RFC 8030, 5.3).
    pub is_urgent: bool,
    /// An undelivered message of the same topic gives way to it (RFC 8030, 5.4): up to 32 characters of base64url.
    pub topic: String,
    /// By which a repeat is recognised: the event's id.
    pub key: EventKey,
}

/// The notice that a push shows, and for how many it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its kind.
    pub kind: Kind,
    /// Notices that it stands for, itself included.
    pub count: usize,
    /// Whom it is about, by name or handle.
    pub who: Option<String>,
    /// In which room.
    pub room: Option<RoomId>,
    /// The room's title.
    pub title: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The subscription is over, for good.
    #[error("the subscription is gone")]
    Gone,
    /// As many messages are on their way to this push service as may be at once.
    #[error("too many messages are on their way to the push service")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// It may go better later, with the same key.
    #[error("the push service is not available: {reason}")]
    Unavailable {
        /// For operators; never the URL.
        reason: String,
        /// Not before so long.
        retry_after: Duration,
    },
    /// It will never be taken.
    #[error("the push service refused the message: {reason}")]
    Refused {
        /// For operators; never the URL.
        reason: String,
    },
}

/// Push services.
#[async_trait]
pub trait Push: Send + Sync + 'static {
    /// The public key that browsers subscribe with, 65 bytes in base64url; absent: nothing is pushed here.
    fn server_key(&self) -> Option<&str>;
    /// Whether messages could go there at all: a push service that is known, and keys that are keys.
    fn accepts(&self, to: &Subscription) -> bool;
    /// Sends a message and waits until the push service has taken it, or does not.
    async fn push(&self, message: PushMessage) -> Result<(), PushError>;
}
