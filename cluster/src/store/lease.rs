//! Who lives, who owns which shard, and each shard's open list (rules 1, 3, 4 and 8).

use async_trait::async_trait;

use super::{Cas, StoreError};
use crate::id::{EntityId, Epoch, NodeId, ShardId, WriteId};

/// A node's lease as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Raised by every start of the process.
    pub incarnation: u64,
    /// Raised by every renewal; what contenders watch.
    pub beat: u64,
    /// The node gave it up: its shards may be taken at once.
    pub released: bool,
}

/// `SET incarnation, beat, released IF row = previous` (no row, or its incarnation and beat).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeWrite {
    /// Whose lease.
    pub node: NodeId,
    /// The incarnation and beat that the row must show; `None`: there is no row.
    pub previous: Option<(u64, u64)>,
    /// What it becomes.
    pub next: NodeRow,
}

/// A shard as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardRow {
    /// Who owns it; nobody after a hand-over.
    pub owner: Option<NodeId>,
    /// Of the owner, when it claimed it.
    pub incarnation: u64,
    /// Raised by every claim and hand-over.
    pub epoch: Epoch,
    /// The last write to the open list.
    pub list_id: Option<WriteId>,
}

/// `SET owner, incarnation, epoch IF epoch = seen` (or no row). Leaves the open list and its id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardWrite {
    /// Which shard.
    pub shard: ShardId,
    /// The epoch that the row must show; `None`: there is no row.
    pub seen: Option<Epoch>,
    /// Who owns it from now on; `None` hands it over.
    pub owner: Option<NodeId>,
    /// The claimant's.
    pub incarnation: u64,
    /// The new epoch, `seen + 1`.
    pub epoch: Epoch,
}

/// One entity in an open list: it may have a commit under way or an outbox that is not empty.
pub type ListEntry = EntityId;

/// One conditional batch on a shard's partition: `SET list_id IF epoch = mine AND list_id = previous`, with rows
/// added and removed (rule 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListWrite {
    /// Which shard.
    pub shard: ShardId,
    /// The writer's epoch, which the shard row must show.
    pub epoch: Epoch,
    /// The list id that the shard row must show.
    pub previous: Option<WriteId>,
    /// The fresh list id.
    pub list_id: WriteId,
    /// Entities noted.
    pub add: Vec<ListEntry>,
    /// Entities removed; none of them is also in `add`.
    pub remove: Vec<ListEntry>,
}

/// Leases and shard rows.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Whether the store itself keeps every other process out, as an embedded one does by a file lock. Then nobody
    /// can take a shard over while this process lives, and a hold needs no bound in time.
    fn exclusive(&self) -> bool {
        false
    }

    /// One node's lease, by a plain quorum read.
    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError>;

    /// A conditional write to a node's lease.
    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError>;

    /// All shard rows that exist, by plain quorum reads.
    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError>;

    /// A conditional write to a shard row.
    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError>;

    /// The shard row and its open list, by a serial read. Only a new owner asks, once, after its claim.
    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<ListEntry>), StoreError>;

    /// A conditional batch on an open list.
    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError>;
}
