//! What the service says of itself, to everybody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// It ends then, milliseconds since 1970: exports stay open until that hour, from it on nobody signs in, no room is opened
    /// and all accounts are deleted. Absent: no end is announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset_at_ms: Option<u64>,
}
