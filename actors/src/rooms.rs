//! Rooms, as the edge uses them: the hallway, opening, joining in one request, hands, stage, moderation, leaving.
//!
//! A thin layer: it finds out who asks and where they are (`presence.rs`), looks up follows and names, and passes the wish
//! to the room's home (decisions) or to the forwarder of a node (presence, media). It decides nothing itself.
//!
//! - Only active people use rooms. Wishes of people who are not in the room are refused; what a moderator may do is
//!   the room's to say.
//! - After the end every wish answers `room_ended`.
//! - Nothing here is state that matters: a node that restarts rebuilds it from the store and from people who come back.

mod commands;
mod error;
mod home;
mod install;
mod joining;
mod lists;
mod presence;
#[cfg(test)]
mod tests;
mod view;

pub use crate::forwarder::Metrics;
pub use crate::room::{Card, HandRaising, Limits, Patch, Role, Settings, Unkept, Visibility};
pub use commands::Moderation;
pub use error::Error;
pub use install::{Parts, Pending, check};
pub use view::{
    Ack, AudienceMember, Change, Hand, JoinRequest, Joined, LeftWhy, Listed, Snapshot, StageMember,
};

use crate::budgets::Budget;
use crate::forwarder::{Forwarders, Links};
use crate::hallway::Hallway;
use crate::id::{Home, UserId};
use crate::ports::Reads;
use crate::supervise::Jobs;
use crate::{Secrets, limits};
use mitalk_cluster::{Clock, Cluster};
use std::sync::Arc;

/// People on stage whom the hallway names.
pub const LISTED_STAGE: usize = 5;

/// The rooms of the service. Cheap to clone.
#[derive(Clone)]
pub struct Rooms(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    forwarders: Forwarders,
    hallway: Arc<Hallway>,
    reads: Arc<dyn Reads>,
    secrets: Secrets,
    links: Links,
    limits: limits::Rooms,
    home: Home,
    clock: Arc<dyn Clock>,
    /// Rooms opened per person and hour.
    opened: Budget<UserId>,
    jobs: Jobs,
}

impl Rooms {
    /// Whether everything of rooms that has to run on this node does; if not, it has to be restarted.
    pub fn are_supervised(&self) -> bool {
        self.0.forwarders.are_supervised() && self.0.jobs.are_supervised()
    }

    /// Ends the background work of this node. People who are in rooms stay: their sessions are the media engine's.
    pub async fn shutdown(&self) {
        self.0.jobs.stop().await;
    }
}
