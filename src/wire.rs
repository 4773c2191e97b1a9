//! The wire types of the `/v1` API and of the live socket: what clients send and see.
//!
//! They are the source of the OpenAPI document, of the web app's TypeScript types and of the typed Rust client.
//! Invariants: every field is documented, ids are opaque text, times are milliseconds since 1970 (UTC), durations carry
//! their unit in the name, and an unknown field in a request is refused by name.
//! They deliberately lack behaviour: limits and rules live in `actors`, checks of form at the edge in `api`.

pub mod admin;
pub mod auth;
pub mod export;
pub mod invites;
pub mod live;
pub mod people;
pub mod problem;
pub mod push;
pub mod rooms;
pub mod service;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list that may be long.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// At most the asked-for number of items, in the list's documented order. Fewer, or none, does not say that it is the last.
    pub items: Vec<T>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
