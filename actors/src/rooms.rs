//! Rooms, as the edge uses them.

mod view;

pub use crate::room::Card;
pub use view::{
    Ack, AudienceMember, Change, Hand, JoinRequest, Joined, LeftWhy, Listed, Snapshot, StageMember,
};

/// People on stage whom the hallway names.
pub const LISTED_STAGE: usize = 5;
/// How often the home of a room ticks it. [`UNSEEN_TICKS`](crate::room::UNSEEN_TICKS) of these are the grace of those
/// whom no forwarder reports.
pub const TICK: std::time::Duration = std::time::Duration::from_secs(5);
