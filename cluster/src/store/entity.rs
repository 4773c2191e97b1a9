//! Entity rows and their outboxes (rules 5 and 7).

use std::sync::Arc;

use async_trait::async_trait;

use super::{Cas, StoreError};
use crate::call::Trace;
use crate::entity::Target;
use crate::id::{EntityId, Epoch, WriteId};
use crate::time::Timestamp;

/// What a conditional write to an entity is conditional on, and what a refusal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last write.
    pub write_id: WriteId,
    /// The epoch of who wrote it.
    pub epoch: Epoch,
}

/// An entity as stored. Rows are never removed (rule 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The last write and its writer's epoch.
    pub head: Head,
    /// The stored blob, versioned inside; empty where only a fence was ever written.
    pub blob: Arc<[u8]>,
    /// The highest sequence that the outbox ever had.
    pub sequence: u64,
    /// All rows up to this one are known to be delivered.
    pub published: u64,
}

/// A row of an outbox: delivered at least once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Counts the entity's rows from 1; never starts again (rule 11).
    pub sequence: u64,
    /// Where it goes.
    pub target: Target,
    /// MessagePack.
    pub payload: Vec<u8>,
    /// When it was decided.
    pub at: Timestamp,
    /// Of the command that sent it.
    pub trace: Trace,
}

/// One atomic conditional batch: `UPDATE .. IF write_id = previous AND epoch = previous's`, with outbox rows inserted
/// and trimmed. The epoch says nothing that the write id does not; stores that show only conditioned columns with a
/// refusal need it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityWrite {
    /// Which entity.
    pub id: EntityId,
    /// What the row must show; `None` only if it never existed.
    pub previous: Option<Head>,
    /// The fresh write id and the writer's epoch.
    pub next: Head,
    /// The new blob; `None` leaves the old one (a fence, or a move of `published`).
    pub blob: Option<Arc<[u8]>>,
    /// The highest outbox sequence, those inserted here included.
    pub sequence: u64,
    /// Rows up to this one are delivered and are deleted by this write.
    pub published: u64,
    /// New outbox rows, in order.
    pub insert: Vec<OutboxRow>,
}

/// Entity rows with their outboxes.
#[async_trait]
pub trait EntityStore: Send + Sync + 'static {
    /// The row, by a quorum read; `None` if it never existed.
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError>;

    /// The conditional batch. A refusal shows the head that is there.
    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError>;

    /// At most `limit` outbox rows with a sequence above `after`, in order.
    async fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError>;
}
