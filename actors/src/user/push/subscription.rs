//! Where a device is pushed to. Its URL and keys are capabilities of the person: they are in no log and in no export.

use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest URL of a subscription, in bytes. Push services' have 150 to 500.
pub const ENDPOINT_BYTES: usize = 640;
/// An uncompressed point of P-256 (RFC 8291, 3.1).
pub const P256DH_BYTES: usize = 65;
/// The shared secret (RFC 8291, 3.2).
pub const AUTH_BYTES: usize = 16;
/// The longest language tag, in bytes.
pub const LANGUAGE_BYTES: usize = 35;

/// What a browser gave for a device (W3C Push API, `PushSubscription`), checked by whoever took it in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The URL that messages are posted to.
    pub endpoint: String,
    /// The browser's public key.
    #[serde(with = "serde_bytes")]
    pub p256dh: Vec<u8>,
    /// The secret shared with it.
    #[serde(with = "serde_bytes")]
    pub auth: Vec<u8>,
    /// In which language it shows them, a BCP 47 tag.
    pub language: String,
    /// The service's key that it was made for: [`key_id`].
    pub made_for: u64,
}

/// Recognises a public key of the service.
pub fn key_id(key: &str) -> u64 {
    super::Origin::of(key).0
}

impl Subscription {
    /// The host of the push service.
    pub fn host(&self) -> &str {
        let rest = self.endpoint.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription(..)")
    }
}

/// A device's subscription, as it is kept with the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::user) struct Subscribed {
    pub(in crate::user) to: Subscription,
    /// Its push service could not be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::user) later: Option<Later>,
}

/// A push to one device that is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// The first notice that it is about.
    pub from_seq: u64,
    /// The last one.
    pub up_to_seq: u64,
    /// When.
    pub at: Timestamp,
    /// Tries that failed.
    pub tries: u32,
    /// What its first try was tagged with; absent: it stands for several pushes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Later {
    /// Whether it says all that this one says.
    pub(super) fn covers(&self, from_seq: u64, up_to_seq: u64) -> bool {
        self.from_seq <= from_seq && up_to_seq <= self.up_to_seq
    }

    /// Both in one, no sooner than either.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            from_seq: self.from_seq.min(other.from_seq),
            up_to_seq: self.up_to_seq.max(other.up_to_seq),
            at: self.at.max(other.at),
            tries: self.tries.max(other.tries),
            tag: self.tag.filter(|tag| other.tag.as_ref() == Some(tag)),
        }
    }
}
