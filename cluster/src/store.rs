//! The ports to what is stored: leases and shards, entities, timers, the event log and read tables.
//!
//! Adapters live in the service; a memory one for tests is in `testing`, with one contract suite
//! per port. All of [`LeaseStore`], [`EntityStore`] and [`TimerStore`] belong to one database.
//!
//! What an adapter must hold to:
//! * A conditional write answers `Applied` or `Refused` with what the row shows now; anything else that leaves the
//!   outcome open is [`StoreError::Unknown`]. It never retries by itself: the caller settles an unknown outcome by
//!   sending the identical write again, and the late copy of a write may land at any later time.
//! * Conditional writes are linearizable per row.
//! * Nothing here compares the clocks of two machines.

mod entity;
mod event;
mod lease;
mod timer;

pub use entity::{EntityStore, EntityWrite, Head, OutboxRow, Row};
pub use event::{Event, EventLog, ReadTables};
pub use lease::{LeaseStore, ListEntry, ListWrite, NodeRow, NodeWrite, ShardRow, ShardWrite};
pub use timer::{DuePage, DueQuery, LowWater, TimerKey, TimerRow, TimerStore};

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cas<T> {
    /// It was applied by this very call.
    Applied,
    /// The condition did not hold; this is what the row shows now.
    Refused(T),
}

/// Why the store gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A time-out or a broken connection: a write may have been, or may still become, applied.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// Certainly not applied, now or later.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Certainly not applied: no space left.
    #[error("store full: {0}")]
    Full(String),
    /// Certainly not applied, and not to be applied as it is, however often it is tried: too large for a broker, say, or
    /// not allowed. Somebody must change something: a limit, a right, a release.
    #[error("rejected: {0}")]
    Rejected(String),
    /// What is stored or given cannot be read.
    #[error("store corrupt: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same call will be answered like that until somebody changes something.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Corrupt(_))
    }

    /// Whether a write with this answer may have been applied.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

/// All stores of a node.
#[derive(Clone)]
pub struct Ports {
    /// Node leases, shard rows and open lists.
    pub lease: std::sync::Arc<dyn LeaseStore>,
    /// Entity rows with their outboxes.
    pub entity: std::sync::Arc<dyn EntityStore>,
    /// Timer rows.
    pub timer: std::sync::Arc<dyn TimerStore>,
    /// Where topic rows go.
    pub events: std::sync::Arc<dyn EventLog>,
    /// Where table rows go.
    pub tables: std::sync::Arc<dyn ReadTables>,
}
