//! RFC 9457 problem documents: the one shape of every error, over HTTP and on the live socket.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `https://mitalk.example/problems/<code>`; a name, nothing is served there.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short sentence in the client's language (Accept-Language).
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs: `invite_quota_used_up`.
    pub code: String,
    /// What is wrong in this request and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field at fault, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Whole seconds after which the same request may succeed; also sent as `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The request's id, to quote to operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
