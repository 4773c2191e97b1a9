//! Node leases, shard rows and open lists (protocol rules 1, 3, 4 and 8).
//!
//! Only one process can have the file, so nobody ever takes over from a living one; the rows exist all the same,
//! because the restarted process is a new incarnation and takes its own shards over through them.

use async_trait::async_trait;
use mitalk_cluster::store::{
    Cas, LeaseStore, ListWrite, NodeRow, NodeWrite, ShardRow, ShardWrite, StoreError,
};
use mitalk_cluster::{EntityId, Epoch, NodeId, ShardId};
use rusqlite::{Connection, Row, params};

use super::fault::Fault;
use super::value::{bytes, collect, entity, first, integer, unsigned};
use super::{Store, value};

#[async_trait]
impl LeaseStore for Store {
    fn exclusive(&self) -> bool {
        true
    }

    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError> {
        let node = node.clone();
        self.read(move |connection| read_node(connection, &node)).await
    }

    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError> {
        let write = write.clone();
        self.write(move |connection| put_node(connection, &write)).await
    }

    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT owner, incarnation, epoch, list_id, shard FROM shard ORDER BY shard",
            )?;
            collect(query.query([])?, |row| {
                Ok((ShardId(row.get(4)?), shard_row(row)?))
            })
        })
        .await
    }

    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        let write = write.clone();
        self.write(move |connection| put_shard(connection, &write)).await
    }

    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<EntityId>), StoreError> {
        self.read(move |connection| {
            let row = read_shard(connection, shard)?;
            let mut query = connection
                .prepare_cached("SELECT kind, key FROM open_list WHERE shard = ?1 ORDER BY kind, key")?;
            Ok((row, collect(query.query([shard.0])?, |row| entity(row, 0))?))
        })
        .await
    }

    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        let write = write.clone();
        self.write(move |connection| write_list(connection, &write)).await
    }
}

fn put_node(connection: &Connection, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, Fault> {
    let (node, next) = (write.node.as_str(), &write.next);
    let (incarnation, beat) = (integer(next.incarnation), integer(next.beat));
    let changed = match write.previous {
        None => connection
            .prepare_cached(
                "INSERT INTO node_lease (node, incarnation, beat, released) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![node, incarnation, beat, next.released])?,
        Some((seen_incarnation, seen_beat)) => connection
            .prepare_cached(
                "UPDATE node_lease SET incarnation = ?2, beat = ?3, released = ?4
                 WHERE node = ?1 AND incarnation = ?5 AND beat = ?6",
            )?
            .execute(params![
                node,
                incarnation,
                beat,
                next.released,
                integer(seen_incarnation),
                integer(seen_beat)
            ])?,
    };
    applied_or(changed, || read_node(connection, &write.node))
}

fn put_shard(connection: &Connection, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, Fault> {
    let owner = write.owner.as_ref().map(NodeId::as_str);
    let (incarnation, epoch) = (integer(write.incarnation), integer(write.epoch.0));
    let changed = match write.seen {
        None => connection
            .prepare_cached(
                "INSERT INTO shard (shard, owner, incarnation, epoch) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![write.shard.0, owner, incarnation, epoch])?,
        Some(seen) => connection
            .prepare_cached(
                "UPDATE shard SET owner = ?2, incarnation = ?3, epoch = ?4 WHERE shard = ?1 AND epoch = ?5",
            )?
            .execute(params![write.shard.0, owner, incarnation, epoch, integer(seen.0)])?,
    };
    applied_or(changed, || read_shard(connection, write.shard))
}

/// Rule 8: one batch, conditional on the epoch and on the previous list id.
fn write_list(connection: &Connection, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, Fault> {
    let changed = connection
        .prepare_cached("UPDATE shard SET list_id = ?2 WHERE shard = ?1 AND epoch = ?3 AND list_id IS ?4")?
        .execute(params![
            write.shard.0,
            bytes(write.list_id),
            integer(write.epoch.0),
            write.previous.map(bytes)
        ])?;
    if changed == 1 {
        let mut add = connection.prepare_cached(
            "INSERT INTO open_list (shard, kind, key) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?;
        for id in &write.add {
            add.execute(params![write.shard.0, id.kind.as_str(), &*id.key])?;
        }
        let mut remove =
            connection.prepare_cached("DELETE FROM open_list WHERE shard = ?1 AND kind = ?2 AND key = ?3")?;
        for id in &write.remove {
            remove.execute(params![write.shard.0, id.kind.as_str(), &*id.key])?;
        }
    }
    applied_or(changed, || read_shard(connection, write.shard))
}

/// What a conditional statement's count of changed rows means; `shown` reads the row for a refusal.
pub(super) fn applied_or<T>(
    changed: usize,
    shown: impl FnOnce() -> Result<T, Fault>,
) -> Result<Cas<T>, Fault> {
    if changed == 1 {
        Ok(Cas::Applied)
    } else {
        Ok(Cas::Refused(shown()?))
    }
}

fn read_node(connection: &Connection, node: &NodeId) -> Result<Option<NodeRow>, Fault> {
    let mut query =
        connection.prepare_cached("SELECT incarnation, beat, released FROM node_lease WHERE node = ?1")?;
    first(query.query([node.as_str()])?, |row| {
        Ok(NodeRow {
            incarnation: unsigned(row, 0)?,
            beat: unsigned(row, 1)?,
            released: row.get(2)?,
        })
    })
}

fn read_shard(connection: &Connection, shard: ShardId) -> Result<Option<ShardRow>, Fault> {
    let mut query =
        connection.prepare_cached("SELECT owner, incarnation, epoch, list_id FROM shard WHERE shard = ?1")?;
    first(query.query([shard.0])?, shard_row)
}

/// Decodes owner, incarnation, epoch and list id from the first four columns.
fn shard_row(row: &Row) -> Result<ShardRow, Fault> {
    let owner: Option<String> = row.get(0)?;
    let list_id: Option<[u8; 16]> = row.get(3)?;
    Ok(ShardRow {
        owner: owner.as_deref().map(NodeId::new),
        incarnation: unsigned(row, 1)?,
        epoch: Epoch(unsigned(row, 2)?),
        list_id: list_id.map(value::from_bytes),
    })
}
