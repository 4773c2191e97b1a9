//! Entity rows with their outboxes (protocol rules 5, 7 and 11).

use std::sync::Arc;

use async_trait::async_trait;
use mitalk_cluster::store::{Cas, EntityStore, EntityWrite, Head, OutboxRow, Row, StoreError};
use mitalk_cluster::{EntityId, Epoch, Target, Timestamp, Trace};
use rusqlite::{Connection, params};

use super::Store;
use super::fault::Fault;
use super::lease::applied_or;
use super::value::{bytes, collect, first, integer, limit, unsigned, write_id};

#[async_trait]
impl EntityStore for Store {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        let id = id.clone();
        self.read(move |connection| read(connection, &id)).await
    }

    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        self.write(move |connection| batch(connection, &write)).await
    }

    async fn outbox(&self, id: &EntityId, after: u64, rows: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let id = id.clone();
        self.read(move |connection| outbox(connection, &id, after, rows))
            .await
    }
}

fn read(connection: &Connection, id: &EntityId) -> Result<Option<Row>, Fault> {
    let mut query = connection.prepare_cached(
        "SELECT write_id, epoch, blob, sequence, published FROM entity WHERE kind = ?1 AND key = ?2",
    )?;
    first(query.query(params![id.kind.as_str(), &*id.key])?, |row| {
        Ok(Row {
            head: head(row)?,
            blob: row.get::<_, Vec<u8>>(2)?.into(),
            sequence: unsigned(row, 3)?,
            published: unsigned(row, 4)?,
        })
    })
}

/// Rule 5: the write id is the fence; row and outbox change together or not at all.
fn batch(connection: &Connection, write: &EntityWrite) -> Result<Cas<Option<Head>>, Fault> {
    let changed = put_row(connection, write)?;
    if changed == 1 {
        insert_outbox(connection, write)?;
        connection
            .prepare_cached("DELETE FROM outbox WHERE kind = ?1 AND key = ?2 AND sequence <= ?3")?
            .execute(params![
                write.id.kind.as_str(),
                &*write.id.key,
                integer(write.published)
            ])?;
    }
    applied_or(changed, || read_head(connection, &write.id))
}

fn put_row(connection: &Connection, write: &EntityWrite) -> Result<usize, Fault> {
    let (kind, key) = (write.id.kind.as_str(), &*write.id.key);
    let (next, epoch) = (bytes(write.next.write_id), integer(write.next.epoch.0));
    let (sequence, published) = (integer(write.sequence), integer(write.published));
    let changed = match write.previous {
        None => connection
            .prepare_cached(
                "INSERT INTO entity (kind, key, write_id, epoch, sequence, published, blob)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, x'')) ON CONFLICT DO NOTHING",
            )?
            .execute(params![kind, key, next, epoch, sequence, published, write.blob.as_deref()])?,
        Some(seen) => connection
            .prepare_cached(
                "UPDATE entity SET write_id = ?3, epoch = ?4, sequence = ?5, published = ?6, blob = coalesce(?7, blob)
                 WHERE kind = ?1 AND key = ?2 AND write_id = ?8 AND epoch = ?9",
            )?
            .execute(params![
                kind,
                key,
                next,
                epoch,
                sequence,
                published,
                write.blob.as_deref(),
                bytes(seen.write_id),
                integer(seen.epoch.0)
            ])?,
    };
    Ok(changed)
}

fn insert_outbox(connection: &Connection, write: &EntityWrite) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO outbox (kind, key, sequence, target, name, target_key, payload, at, trace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for row in &write.insert {
        let (target, name, target_key) = match &row.target {
            Target::Topic(name) => ("topic", name.as_str(), None),
            Target::Table(name) => ("table", name.as_str(), None),
            Target::Entity(id) => ("entity", id.kind.as_str(), Some(&*id.key)),
        };
        insert.execute(params![
            write.id.kind.as_str(),
            &*write.id.key,
            integer(row.sequence),
            target,
            name,
            target_key,
            row.payload,
            integer(row.at.0),
            row.trace.as_str()
        ])?;
    }
    Ok(())
}

fn outbox(connection: &Connection, id: &EntityId, after: u64, rows: usize) -> Result<Vec<OutboxRow>, Fault> {
    let mut query = connection.prepare_cached(
        "SELECT sequence, payload, at, trace, target, name, target_key FROM outbox
         WHERE kind = ?1 AND key = ?2 AND sequence > ?3 ORDER BY sequence LIMIT ?4",
    )?;
    let found = query.query(params![id.kind.as_str(), &*id.key, integer(after), limit(rows)])?;
    collect(found, |row| {
        Ok(OutboxRow {
            sequence: unsigned(row, 0)?,
            target: target(row)?,
            payload: row.get(1)?,
            at: Timestamp(unsigned(row, 2)?),
            trace: Trace::new(&row.get::<_, String>(3)?),
        })
    })
}

/// Decodes columns 4 to 6.
fn target(row: &rusqlite::Row) -> Result<Target, Fault> {
    let (target, name): (String, String) = (row.get(4)?, row.get(5)?);
    match target.as_str() {
        "topic" => Ok(Target::Topic(name)),
        "table" => Ok(Target::Table(name)),
        "entity" => Ok(Target::Entity(EntityId::new(&name, &row.get::<_, String>(6)?))),
        _ => Err(Fault::Corrupt(format!(
            "an outbox row has the unknown target {target}"
        ))),
    }
}

fn read_head(connection: &Connection, id: &EntityId) -> Result<Option<Head>, Fault> {
    let mut query =
        connection.prepare_cached("SELECT write_id, epoch FROM entity WHERE kind = ?1 AND key = ?2")?;
    first(query.query(params![id.kind.as_str(), &*id.key])?, head)
}

/// Decodes the first two columns.
fn head(row: &rusqlite::Row) -> Result<Head, Fault> {
    Ok(Head {
        write_id: write_id(row, 0)?,
        epoch: Epoch(unsigned(row, 1)?),
    })
}
