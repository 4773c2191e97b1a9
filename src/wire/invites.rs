//! Invites: bound to a number, or a single-use link.

use super::people::PersonBrief;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Creates an invite; costs one of the quota. Send an `Idempotency-Key`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
pub enum InviteRequest {
    /// For one phone number; it gets an SMS.
    Phone {
        /// E.164.
        phone: String,
    },
    /// A single-use link that the inviter passes on.
    Link,
}

/// `pending -> accepted | revoked | expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteStatus {
    /// Can be accepted.
    Pending,
    /// Was accepted.
    Accepted,
    /// Taken back by the inviter, who has it again.
    Revoked,
    /// 30 days went by; the inviter has it again.
    Expired,
    /// The number came in by another invite; the inviter has this one again.
    GivenBack,
}

/// An invite, as its giver sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// Opaque.
    pub id: String,
    /// Where it stands.
    pub status: InviteStatus,
    /// The last digits of the number (`+49 ... 678`), for the inviter to recognise it; absent for links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_hint: Option<String>,
    /// The link's path (`/i/<code>`), while it is pending; absent for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// Milliseconds since 1970.
    pub expires_at_ms: u64,
    /// Who accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<PersonBrief>,
}

/// All invites of the caller, newest first, and what is left.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invites {
    /// Newest first; at most 200.
    pub invites: Vec<Invite>,
    /// Left to give.
    pub left: u32,
    /// Earned so far by taking part: by being on stage with others, and by people who came in by one's invites.
    pub earned: u32,
    /// So many more rooms on stage with somebody else earn the next one; absent when there is no more to earn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms_to_next: Option<u32>,
}

/// What the holder of a link sees before signing up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InvitePreview {
    /// Whether it can still be accepted.
    pub status: InviteStatus,
    /// Who invites, unless switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonBrief>,
}
