//! The consuming side of the event log.
//!
//! A topic has one or more partitions, and every event of one source lies in the same one, in order. Members of a group share
//! the partitions between them. What a group dealt with is recorded twice: the highest sequence of each source, by which a
//! repeat is recognised (rule 11), and a place per partition, before which nothing is owed any more. Events are dealt with
//! side by side, so the place lags behind the sequences: it moves over what is done without a gap.

use async_trait::async_trait;
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, StoreError};

/// Where an event lies in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Which partition.
    pub partition: u32,
    /// Rises along the partition, with gaps.
    pub offset: u64,
}

/// An event that was handed to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Where it lies.
    pub place: Place,
    /// It. If it is unreadable: a stand-in of the log's own making, with the bytes that lie there as its payload.
    pub event: Event,
    /// The highest sequence of this event's source that the group has recorded for this topic, 0 if none: an event that
    /// is not newer was dealt with already.
    pub recorded: u64,
    /// A dead letter that is tried again: for this group only, and although its sequence is recorded.
    pub again_for: Option<String>,
    /// Why nobody can know what this is.
    pub unreadable: Option<String>,
}

impl Delivered {
    /// Whether a group that dealt with the source's events up to `newest` has nothing to do with this one.
    pub fn is_settled(&self, group: &str, newest: u64) -> bool {
        match &self.again_for {
            Some(only) => only != group,
            None => self.event.sequence <= newest.max(self.recorded),
        }
    }
}

/// Events in the order of their places, for each partition.
pub type Batch = Vec<Delivered>;

/// That a source's events up to this one were dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Whose outbox they came from.
    pub source: EntityId,
    /// The last one's sequence.
    pub sequence: u64,
}

/// Topics, for whoever reads them.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// Takes part in a group's reading of a topic, from the places that the group has committed. What was handed out and not
    /// committed is handed out again to whoever subscribes after the subscription is dropped.
    async fn subscribe(&self, group: &str, topic: &str) -> Result<Box<dyn Subscription>, StoreError>;
    /// Up to `max` events behind these places, from the beginning in a partition that has none; for no group, nothing is
    /// recorded. Empty: there are no more now. What is no longer kept is left out.
    async fn browse(&self, topic: &str, after: &[Place], max: usize) -> Result<Batch, StoreError>;
}

/// A member of a group, for one topic. One task polls and commits.
#[async_trait]
pub trait Subscription: Send + Sync {
    /// Up to `max` events that were not handed out before, none of the partitions in `full`. If there are none it waits a
    /// little, and may answer with none. A call that is dropped hands out nothing.
    ///
    /// A partition that was taken from this member and given back begins again at the committed place.
    async fn poll(&self, max: usize, full: &[u32]) -> Result<Batch, StoreError>;
    /// Records what was dealt with, and then the places: all up to and with each of these is owed to nobody. Neither goes
    /// back; a place in a partition that this member has lost, or lost and got back since that was handed out, is passed
    /// over.
    async fn commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError>;
}
