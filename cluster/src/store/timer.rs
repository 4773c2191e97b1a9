//! Timer rows (rules 13 and 14).

use async_trait::async_trait;

use super::{Cas, StoreError};
use crate::id::{EntityId, Epoch, ShardId, WriteId};
use crate::time::{Hour, Timestamp};

/// The key of a timer row; never used twice, because it carries the write id of the commit that needs it.
/// Ordered by hour, then due.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerKey {
    /// The entity's shard.
    pub shard: ShardId,
    /// The bucket: not before the hour of `due`, nor before the shard's low water when it was written.
    pub hour: Hour,
    /// When it fires.
    pub due: Timestamp,
    /// Who waits.
    pub entity: EntityId,
    /// The commit that needs it.
    pub write_id: WriteId,
    /// The timer's name in the state.
    pub name: String,
}

/// A timer row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerRow {
    /// Its key.
    pub key: TimerKey,
    /// The writer's: nobody touches rows of a higher epoch than their own.
    pub epoch: Epoch,
}

/// Which rows a scan wants, in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueQuery {
    /// Of which shard.
    pub shard: ShardId,
    /// The first bucket. A few hours before the last one, or as many as the shard was without an owner: bucket by bucket
    /// is a fair way to read, so many of them a page.
    pub from: Hour,
    /// The last bucket, included.
    pub to: Hour,
    /// Only rows due at or before this.
    pub until: Timestamp,
    /// Only rows behind this one: pages of one scan, never a cursor between scans.
    pub after: Option<TimerKey>,
    /// At most that many.
    pub limit: usize,
}

/// A page of due rows, and how far it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// In the order of their keys.
    pub rows: Vec<TimerRow>,
    /// Every bucket before this one was read to its end; the next page begins here, behind the last row. Absent: so were
    /// all that were asked for.
    pub next: Option<Hour>,
}

/// The hour from which a shard's rows are scanned: all buckets before it are empty and stay so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LowWater {
    /// The writer's.
    pub epoch: Epoch,
    /// The first hour that may hold rows; 0, in epoch 0, where nothing was ever stored: then there are no rows at all.
    pub hour: Hour,
}

/// Timer rows.
#[async_trait]
pub trait TimerStore: Send + Sync + 'static {
    /// Inserts rows. Plain inserts: an unknown outcome is never repeated under the same keys.
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError>;

    /// Reads rows, of a bounded number of buckets: a page may have few rows or none and not be the last one. Each is a row
    /// or a bucket further than the one before.
    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError>;

    /// Deletes rows one by one; those that are not there are no error.
    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError>;

    /// The shard's low water; the default where none is stored.
    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError>;

    /// Conditional: `SET next IF row = previous` (a row that is not there counts as the default).
    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError>;
}
