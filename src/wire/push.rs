//! Web Push: the service's key, a device's subscription, and what a person is pushed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What browsers subscribe with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushKey {
    /// The `applicationServerKey` (RFC 8292): an uncompressed point of P-256, in base64url without padding.
    pub key: String,
}

/// This device's subscription, as its browser gives it (`PushSubscription.toJSON()`).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushSubscription {
    /// Where messages are posted to: at most 640 bytes, of a push service that the operator allows.
    pub endpoint: String,
    /// What they are encrypted with.
    pub keys: PushKeys,
    /// The service's key that it was made with.
    pub server_key: String,
    /// A BCP 47 tag: the language in which this device shows them.
    pub language: String,
}

/// The browser's keys (RFC 8291), in base64url.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushKeys {
    /// An uncompressed point of P-256.
    pub p256dh: String,
    /// 16 bytes.
    pub auth: String,
}

/// A kind of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PushKind {
    /// Left the waitlist.
    Admitted,
    /// Somebody accepted an invite.
    InviteAccepted,
    /// A moderator asks them on stage.
    StageInvitation,
    /// Somebody asks them into a room.
    Pinged,
    /// Somebody they follow started a room.
    RoomStarted,
    /// Somebody follows them now.
    NewFollower,
}

/// What a person is pushed; in the app all notices are shown in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeSettings {
    /// Kinds that are not pushed.
    #[serde(default)]
    pub off: Vec<PushKind>,
    /// When nothing is. What is still of use then is pushed at their end, as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietHours>,
}

/// Hours of each day on the person's clocks, through midnight where they end before they begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Minute of the day when they begin, 0 to 1439.
    pub from_minute: u16,
    /// Minute of the day when they are over, another one.
    pub to_minute: u16,
    /// A name of the IANA time zone database, such as `Europe/Rome`.
    pub zone: String,
}
