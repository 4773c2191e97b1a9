//! Timer rows and each shard's low water (protocol rules 13 and 14).

use async_trait::async_trait;
use mitalk_cluster::store::{Cas, DuePage, DueQuery, LowWater, StoreError, TimerKey, TimerRow, TimerStore};
use mitalk_cluster::{Epoch, Hour, ShardId, Timestamp};
use rusqlite::{Connection, params};

use super::Store;
use super::fault::Fault;
use super::lease::applied_or;
use super::value::{bytes, collect, entity, first, integer, limit, unsigned, write_id};

#[async_trait]
impl TimerStore for Store {
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.write(move |connection| insert(connection, &rows)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError> {
        let query = query.clone();
        self.read(move |connection| {
            let rows = due(connection, &query)?;
            let full = rows.len() == query.limit;
            // One range: only a full page leaves anything for another.
            let next = rows.last().filter(|_| full).map(|row| row.key.hour);
            Ok(DuePage { rows, next })
        })
        .await
    }

    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError> {
        let keys = keys.to_vec();
        self.write(move |connection| delete(connection, &keys)).await
    }

    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError> {
        self.read(move |connection| low_water(connection, shard)).await
    }

    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError> {
        self.write(move |connection| {
            if low_water(connection, shard)? != previous {
                return Ok(Cas::Refused(low_water(connection, shard)?));
            }
            let changed = connection
                .prepare_cached(
                    "INSERT INTO low_water (shard, epoch, hour) VALUES (?1, ?2, ?3)
                     ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, hour = excluded.hour",
                )?
                .execute(params![shard.0, integer(next.epoch.0), integer(next.hour.0)])?;
            applied_or(changed, || low_water(connection, shard))
        })
        .await
    }
}

fn insert(connection: &Connection, rows: &[TimerRow]) -> Result<(), Fault> {
    // A repeat of the same key carries the same content: the key holds the write id of its commit.
    let mut insert = connection.prepare_cached(
        "INSERT INTO timer (shard, hour, due, kind, key, write_id, name, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    for TimerRow { key, epoch } in rows {
        insert.execute(params![
            key.shard.0,
            integer(key.hour.0),
            integer(key.due.0),
            key.entity.kind.as_str(),
            &*key.entity.key,
            bytes(key.write_id),
            key.name,
            integer(epoch.0)
        ])?;
    }
    Ok(())
}

fn delete(connection: &Connection, keys: &[TimerKey]) -> Result<(), Fault> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM timer WHERE shard = ?1 AND hour = ?2 AND due = ?3
         AND kind = ?4 AND key = ?5 AND write_id = ?6 AND name = ?7",
    )?;
    for key in keys {
        delete.execute(params![
            key.shard.0,
            integer(key.hour.0),
            integer(key.due.0),
            key.entity.kind.as_str(),
            &*key.entity.key,
            bytes(key.write_id),
            key.name
        ])?;
    }
    Ok(())
}

fn due(connection: &Connection, query: &DueQuery) -> Result<Vec<TimerRow>, Fault> {
    let (from, to) = (integer(query.from.0), integer(query.to.0));
    let (until, rows) = (integer(query.until.0), limit(query.limit));
    let decode = |row: &rusqlite::Row| timer_row(query.shard, row);
    match &query.after {
        None => {
            let mut statement = connection.prepare_cached(
                "SELECT hour, due, kind, key, write_id, name, epoch FROM timer
                 WHERE shard = ?1 AND hour BETWEEN ?2 AND ?3 AND due <= ?4
                 ORDER BY hour, due, kind, key, write_id, name LIMIT ?5",
            )?;
            collect(
                statement.query(params![query.shard.0, from, to, until, rows])?,
                decode,
            )
        }
        Some(after) => {
            let mut statement = connection.prepare_cached(
                "SELECT hour, due, kind, key, write_id, name, epoch FROM timer
                 WHERE shard = ?1 AND hour BETWEEN ?2 AND ?3 AND due <= ?4
                 AND (hour, due, kind, key, write_id, name) > (?6, ?7, ?8, ?9, ?10, ?11)
                 ORDER BY hour, due, kind, key, write_id, name LIMIT ?5",
            )?;
            let found = statement.query(params![
                query.shard.0,
                from,
                to,
                until,
                rows,
                integer(after.hour.0),
                integer(after.due.0),
                after.entity.kind.as_str(),
                &*after.entity.key,
                bytes(after.write_id),
                after.name
            ])?;
            collect(found, decode)
        }
    }
}

fn timer_row(shard: ShardId, row: &rusqlite::Row) -> Result<TimerRow, Fault> {
    let key = TimerKey {
        shard,
        hour: Hour(unsigned(row, 0)?),
        due: Timestamp(unsigned(row, 1)?),
        entity: entity(row, 2)?,
        write_id: write_id(row, 4)?,
        name: row.get(5)?,
    };
    Ok(TimerRow {
        key,
        epoch: Epoch(unsigned(row, 6)?),
    })
}

fn low_water(connection: &Connection, shard: ShardId) -> Result<LowWater, Fault> {
    let mut query = connection.prepare_cached("SELECT epoch, hour FROM low_water WHERE shard = ?1")?;
    let found = first(query.query([shard.0])?, |row| {
        Ok(LowWater {
            epoch: Epoch(unsigned(row, 0)?),
            hour: Hour(unsigned(row, 1)?),
        })
    })?;
    Ok(found.unwrap_or_default())
}
