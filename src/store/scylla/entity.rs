//! Entity rows with their outboxes (protocol rules 5, 7 and 11): one partition, one conditional batch.

use std::sync::Arc;

use async_trait::async_trait;
use mitalk_cluster::store::{Cas, EntityStore, EntityWrite, Head, OutboxRow, Row, StoreError};
use mitalk_cluster::{EntityId, Epoch, Target, Timestamp, Trace};
use scylla::DeserializeRow;

use super::Store;
use super::bind::{Values, bind, limit};
use super::fault::corrupt;
use super::read::{present, unsigned, write_id};
use super::statements::statements;

statements! {
    read: prepare_read
        "SELECT write_id, epoch, state, sequence, published FROM @entity WHERE kind = ? AND key = ? AND seq = 0";
    head: prepare_serial "SELECT write_id, epoch FROM @entity WHERE kind = ? AND key = ? AND seq = 0";
    first: prepare_write
        "INSERT INTO @entity (kind, key, seq, write_id, epoch, state, sequence, published)
         VALUES (?, ?, 0, ?, ?, ?, ?, ?) IF NOT EXISTS";
    next: prepare_write
        "UPDATE @entity SET write_id = ?, epoch = ?, sequence = ?, published = ?, state = ?
         WHERE kind = ? AND key = ? AND seq = 0 IF write_id = ? AND epoch = ?";
    // A fence, or a move of `published`: the state stays.
    next_as_it_is: prepare_write
        "UPDATE @entity SET write_id = ?, epoch = ?, sequence = ?, published = ?
         WHERE kind = ? AND key = ? AND seq = 0 IF write_id = ? AND epoch = ?";
    insert: prepare_write
        "INSERT INTO @entity (kind, key, seq, target, name, target_key, payload, at, trace)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    trim: prepare_write "DELETE FROM @entity WHERE kind = ? AND key = ? AND seq > 0 AND seq <= ?";
    outbox: prepare_read
        "SELECT seq, target, name, target_key, payload, at, trace FROM @entity
         WHERE kind = ? AND key = ? AND seq > ? LIMIT ?";
}

#[derive(DeserializeRow)]
struct StoredRow {
    write_id: Vec<u8>,
    epoch: i64,
    state: Option<Vec<u8>>,
    sequence: i64,
    published: i64,
}

#[derive(DeserializeRow)]
struct StoredHead {
    write_id: Vec<u8>,
    epoch: i64,
}

#[derive(DeserializeRow)]
struct StoredOutbox {
    seq: i64,
    target: String,
    name: String,
    target_key: Option<String>,
    payload: Option<Vec<u8>>,
    at: i64,
    trace: String,
}

#[async_trait]
impl EntityStore for Store {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        let found: Option<StoredRow> = self
            .client
            .first(&self.statements.entity.read, bind![id.kind.as_str(), &*id.key])
            .await?;
        found.map(StoredRow::row).transpose()
    }

    /// Rule 5: the write id is the fence; row and outbox change together or not at all.
    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        let own = &self.statements.entity;
        let (kind, key) = (write.id.kind.as_str(), &*write.id.key);
        let mut writes = vec![own.head_of(&write)];
        writes.extend(
            write
                .insert
                .iter()
                .map(|row| (&own.insert, outbox_row(&write.id, row))),
        );
        if write.published > 0 {
            writes.push((&own.trim, bind![kind, key, write.published]));
        }
        if self.client.conditional_together(writes).await? {
            return Ok(Cas::Applied);
        }
        let shown: Option<StoredHead> = self.client.first(&own.head, bind![kind, key]).await?;
        let shown = shown.map(|shown| head(&shown.write_id, shown.epoch));
        Ok(Cas::Refused(shown.transpose()?))
    }

    async fn outbox(&self, id: &EntityId, after: u64, rows: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let values = bind![id.kind.as_str(), &*id.key, after, limit(rows)];
        let found: Vec<StoredOutbox> = self.client.rows(&self.statements.entity.outbox, values).await?;
        found.into_iter().map(StoredOutbox::row).collect()
    }
}

impl Statements {
    /// The conditional part of a batch.
    fn head_of(&self, write: &EntityWrite) -> (&scylla::statement::prepared::PreparedStatement, Values) {
        let (kind, key) = (write.id.kind.as_str(), &*write.id.key);
        let (next, sequence, published) = (write.next, write.sequence, write.published);
        let state = write.blob.as_deref();
        match (write.previous, state) {
            (None, state) => {
                let values = bind![kind, key, next.write_id, next.epoch, state, sequence, published];
                (&self.first, values)
            }
            (Some(seen), Some(state)) => {
                let mut values = bind![next.write_id, next.epoch, sequence, published, state];
                values.extend(bind![kind, key, seen.write_id, seen.epoch]);
                (&self.next, values)
            }
            (Some(seen), None) => {
                let mut values = bind![next.write_id, next.epoch, sequence, published];
                values.extend(bind![kind, key, seen.write_id, seen.epoch]);
                (&self.next_as_it_is, values)
            }
        }
    }
}

fn outbox_row(id: &EntityId, row: &OutboxRow) -> Values {
    let (target, name, target_key) = match &row.target {
        Target::Topic(name) => ("topic", name.as_str(), None),
        Target::Table(name) => ("table", name.as_str(), None),
        Target::Entity(id) => ("entity", id.kind.as_str(), Some(&*id.key)),
    };
    bind![
        id.kind.as_str(),
        &*id.key,
        row.sequence,
        target,
        name,
        target_key,
        row.payload.as_slice(),
        row.at,
        row.trace.as_str()
    ]
}

fn head(id: &[u8], epoch: i64) -> Result<Head, StoreError> {
    Ok(Head {
        write_id: write_id(id)?,
        epoch: Epoch(unsigned(epoch)?),
    })
}

impl StoredRow {
    fn row(self) -> Result<Row, StoreError> {
        Ok(Row {
            head: head(&self.write_id, self.epoch)?,
            blob: self.state.unwrap_or_default().into(),
            sequence: unsigned(self.sequence)?,
            published: unsigned(self.published)?,
        })
    }
}

impl StoredOutbox {
    fn row(self) -> Result<OutboxRow, StoreError> {
        let target = match self.target.as_str() {
            "topic" => Target::Topic(self.name),
            "table" => Target::Table(self.name),
            "entity" => {
                let key = present(self.target_key, "target_key")?;
                Target::Entity(EntityId::new(&self.name, &key))
            }
            other => return Err(corrupt(format!("an outbox row has the unknown target {other}"))),
        };
        Ok(OutboxRow {
            sequence: unsigned(self.seq)?,
            target,
            payload: self.payload.unwrap_or_default(),
            at: Timestamp(unsigned(self.at)?),
            trace: Trace::new(&self.trace),
        })
    }
}
