//! Where outbox rows go: the event log and the read tables.

use async_trait::async_trait;

use super::StoreError;
use crate::call::Trace;
use crate::id::EntityId;
use crate::time::Timestamp;

/// An outbox row on its way out. `(source, sequence)` is its id: receivers drop what is not newer than the highest
/// sequence they have seen of that source (rule 11), recorded together with the effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose outbox.
    pub source: EntityId,
    /// Which row.
    pub sequence: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// MessagePack.
    pub payload: Vec<u8>,
    /// W3C traceparent.
    pub trace: Trace,
}

impl Event {
    /// Unique and stable over repeats; an idempotency key for the outside.
    pub fn id(&self) -> String {
        format!("{}/{}", self.source, self.sequence)
    }
}

/// An event log of topics; repeats are allowed, order per source is kept.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends and waits until the log holds it durably.
    ///
    /// [`StoreError::Rejected`] says that this event will never be taken as it is. It is not skipped: what follows in its
    /// lane would be dropped, were it taken later. It is tried now and then, counted and logged, and holds nobody but the
    /// topics of its own entity.
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError>;
}

/// Projections. Each row is written by one entity only; an event that is not newer than the row changes nothing.
#[async_trait]
pub trait ReadTables: Send + Sync + 'static {
    /// Applies a change and waits until it is durable.
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError>;
}
