//! Signing in: one-time codes, access and refresh tokens, devices.

use super::people::Me;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a one-time code. The answer is the same whether the number has an account or not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// A mobile number in E.164 (`+4915112345678`); spaces and hyphens are tolerated.
    pub phone: String,
}

/// A code is on its way.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CodeSent {
    /// The code is good for so long.
    pub expires_in_s: u64,
    /// A new one may be asked for after so long (it grows with each).
    pub resend_after_s: u64,
}

/// Trades a code for tokens; a first sign-in creates the account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The number that the code was sent to.
    pub phone: String,
    /// Six digits.
    pub code: String,
    /// What the devices page shows, e.g. `Pixel 9, Chrome`; at most 60 characters.
    #[serde(default)]
    pub device_name: Option<String>,
    /// The code of an invite link that brought the person here.
    #[serde(default)]
    pub invite: Option<String>,
}

/// Access and refresh token of one device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// A JWT for `Authorization: Bearer` and the live socket's first message.
    pub access_token: String,
    /// Ask for a new one shortly before.
    pub access_expires_in_s: u64,
    /// Single use: each refresh returns a new one. Using an older one signs the device out; only the one just before counts
    /// once more as long as the newest was never used, because its answer may have been lost.
    pub refresh_token: String,
}

/// The answer to a code that fits.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// The new device's tokens.
    pub tokens: Tokens,
    /// The account.
    pub me: Me,
}

/// Rotates the refresh token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The newest refresh token of this device.
    pub refresh_token: String,
}

/// A signed-in device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// For revoking it.
    pub id: String,
    /// What it called itself.
    pub name: String,
    /// First sign-in, milliseconds since 1970.
    pub created_at_ms: u64,
    /// Last refresh, milliseconds since 1970.
    pub seen_at_ms: u64,
    /// The device that asks.
    pub current: bool,
    /// The host of the push service by which it gets notifications; absent: it gets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_service: Option<String>,
}

/// All devices of the account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// Newest first; at most 10.
    pub devices: Vec<Device>,
}

/// Asks for one of the two codes that a change of number needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberCodeRequest {
    /// The new number, E.164; absent: the one that the account has.
    #[serde(default)]
    pub phone: Option<String>,
}

/// Moves the account to another number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberRequest {
    /// The new number, E.164.
    pub phone: String,
    /// The code that was sent there.
    pub code: String,
    /// The code that was sent to the number that the account has.
    pub current_code: String,
}
