//! The consuming side of the event log.

use async_trait::async_trait;
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, StoreError};

/// An event and its place in the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Rises along the topic; opaque otherwise.
    pub offset: u64,
    /// It.
    pub event: Event,
    /// The highest sequence of this event's source that the group has recorded for this topic, 0 if none: an event that
    /// is not newer was dealt with already.
    pub recorded: u64,
}

/// Events that follow what the group has committed.
pub type Batch = Vec<Delivered>;

/// What a group dealt with: the source's sequence is recorded together with the offset, atomically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The event's place.
    pub offset: u64,
    /// Whose outbox it came from.
    pub source: EntityId,
    /// Its sequence.
    pub sequence: u64,
}

/// Consumer groups over the topics of the event log. One consumer per group and topic at a time.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// Up to `max` events after the last committed one, oldest first; empty if there are none now. Asking again without a
    /// commit gives the same ones again.
    async fn poll(&self, group: &str, topic: &str, max: usize) -> Result<Batch, StoreError>;
    /// Records that `mark` and all before it was dealt with. Never goes back.
    async fn commit(&self, group: &str, topic: &str, mark: &Mark) -> Result<(), StoreError>;
    /// Puts an event that nobody can read beside the topic, with the reason; the caller commits it afterwards.
    async fn dead_letter(&self, topic: &str, event: &Event, reason: &str) -> Result<(), StoreError>;
    /// Returns when events may have been appended to one of the topics; may return early.
    async fn changed(&self);
}
