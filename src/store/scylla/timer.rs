//! Timer rows (protocol rules 13 and 14).
//!
//! Plain inserts and deletes. A key is never used twice, so each row is inserted and then deleted, and never again: that
//! order is in the timestamps of the statements, whatever the clocks of the coordinators say.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use mitalk_cluster::store::{Cas, DuePage, DueQuery, LowWater, StoreError, TimerKey, TimerRow, TimerStore};
use mitalk_cluster::{EntityId, Epoch, Hour, ShardId, Timestamp};
use scylla::DeserializeRow;

use super::Store;
use super::bind::{Values, bind, limit};
use super::read::{unsigned, write_id};
use super::statements::statements;

/// Rows in one batch, which has one partition.
const TOGETHER: usize = 100;
/// Partitions or rows under way at once for one call.
const AT_ONCE: usize = 16;
/// Partitions read by one call, one after the other: they must come within its deadline from a slow cluster as well.
const HOURS: u64 = 12;

statements! {
    insert: prepare_write
        "INSERT INTO @timer (shard, hour, due, kind, key, write_id, name, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         USING TIMESTAMP 1";
    delete: prepare_write
        "DELETE FROM @timer USING TIMESTAMP 2 WHERE shard = ? AND hour = ? AND due = ? AND kind = ? AND key = ? AND write_id = ?
         AND name = ?";
    due: prepare_read
        "SELECT due, kind, key, write_id, name, epoch FROM @timer
         WHERE shard = ? AND hour = ? AND due <= ? LIMIT ?";
    due_after: prepare_read
        "SELECT due, kind, key, write_id, name, epoch FROM @timer
         WHERE shard = ? AND hour = ? AND (due, kind, key, write_id, name) > (?, ?, ?, ?, ?) AND (due) <= (?)
         LIMIT ?";
    low_water: prepare_serial "SELECT epoch, hour FROM @low_water WHERE shard = ?";
    first_low_water: prepare_write "INSERT INTO @low_water (shard, epoch, hour) VALUES (?, ?, ?) IF NOT EXISTS";
    next_low_water: prepare_write
        "UPDATE @low_water SET epoch = ?, hour = ? WHERE shard = ? IF epoch = ? AND hour = ?";
}

#[derive(DeserializeRow)]
struct StoredTimer {
    due: i64,
    kind: String,
    key: String,
    write_id: Vec<u8>,
    name: String,
    epoch: i64,
}

#[derive(DeserializeRow)]
struct StoredLowWater {
    epoch: i64,
    hour: i64,
}

#[async_trait]
impl TimerStore for Store {
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError> {
        let mut partitions = BTreeMap::<_, Vec<_>>::new();
        for row in rows {
            let partition = partitions.entry((row.key.shard, row.key.hour)).or_default();
            partition.push(values_of(row));
        }
        let insert = &self.statements.timer.insert;
        let batches = partitions.values().flat_map(|rows| rows.chunks(TOGETHER));
        let writes: Vec<_> = batches
            .map(|rows| self.client.write_together(insert, rows.to_vec()))
            .collect();
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError> {
        let mut rows = Vec::new();
        let first = query
            .after
            .as_ref()
            .map_or(query.from, |after| after.hour.max(query.from));
        let last = query.to.min(Hour(first.0 + HOURS - 1));
        for hour in (first.0..=last.0).map(Hour) {
            rows.extend(self.due_in(query, hour, query.limit - rows.len()).await?);
            if rows.len() >= query.limit {
                let next = Some(hour);
                return Ok(DuePage { rows, next });
            }
        }
        let next = (last < query.to).then_some(Hour(last.0 + 1));
        Ok(DuePage { rows, next })
    }

    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError> {
        let deletes: Vec<_> = keys
            .iter()
            .map(|key| self.client.write(&self.statements.timer.delete, key_values(key)))
            .collect();
        stream::iter(deletes)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError> {
        let found: Option<StoredLowWater> = self
            .client
            .first(&self.statements.timer.low_water, bind![shard])
            .await?;
        let found = found.map(|found| {
            Ok::<_, StoreError>(LowWater {
                epoch: Epoch(unsigned(found.epoch)?),
                hour: Hour(unsigned(found.hour)?),
            })
        });
        Ok(found.transpose()?.unwrap_or_default())
    }

    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError> {
        let own = &self.statements.timer;
        // The default is never stored.
        let applied = if previous == LowWater::default() {
            let values = bind![shard, next.epoch, next.hour];
            self.client.conditional(&own.first_low_water, values).await?
        } else {
            let values = bind![next.epoch, next.hour, shard, previous.epoch, previous.hour];
            self.client.conditional(&own.next_low_water, values).await?
        };
        if applied {
            return Ok(Cas::Applied);
        }
        Ok(Cas::Refused(TimerStore::low_water(self, shard).await?))
    }
}

impl Store {
    async fn due_in(&self, query: &DueQuery, hour: Hour, rows: usize) -> Result<Vec<TimerRow>, StoreError> {
        let own = &self.statements.timer;
        let (shard, until) = (query.shard, query.until);
        let found: Vec<StoredTimer> = match query.after.as_ref().filter(|after| after.hour == hour) {
            None => {
                self.client
                    .rows(&own.due, bind![shard, hour, until, limit(rows)])
                    .await?
            }
            Some(after) => {
                let (kind, key) = (after.entity.kind.as_str(), &*after.entity.key);
                let mut values = bind![
                    shard,
                    hour,
                    after.due,
                    kind,
                    key,
                    after.write_id,
                    after.name.as_str()
                ];
                values.extend(bind![until, limit(rows)]);
                self.client.rows(&own.due_after, values).await?
            }
        };
        found.into_iter().map(|row| row.row(shard, hour)).collect()
    }
}

fn values_of(row: &TimerRow) -> Values {
    let mut values = key_values(&row.key);
    values.extend(bind![row.epoch]);
    values
}

/// In the order of the primary key.
fn key_values(key: &TimerKey) -> Values {
    bind![
        key.shard,
        key.hour,
        key.due,
        key.entity.kind.as_str(),
        &*key.entity.key,
        key.write_id,
        key.name.as_str()
    ]
}

impl StoredTimer {
    fn row(self, shard: ShardId, hour: Hour) -> Result<TimerRow, StoreError> {
        let key = TimerKey {
            shard,
            hour,
            due: Timestamp(unsigned(self.due)?),
            entity: EntityId::new(&self.kind, &self.key),
            write_id: write_id(&self.write_id)?,
            name: self.name,
        };
        Ok(TimerRow {
            key,
            epoch: Epoch(unsigned(self.epoch)?),
        })
    }
}
