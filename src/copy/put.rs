//! Writing one row into the cluster, by the adapter's own ports: a repeat changes nothing.

use crate::store::row::{Cell, Row};
use crate::store::scylla::Store;
use mitalk_actors::id::{RoomId, UserId};
use mitalk_actors::number::PhoneKey;
use mitalk_actors::ports::{AllowEntry, AllowList as _, Ledger as _};
use mitalk_actors::tables::{Change, Follow, Handle, LiveRoom};
use mitalk_cluster::store::{
    Cas, EntityStore as _, EntityWrite, Event, Head, LowWater, OutboxRow, ReadTables as _, Row as Stored,
    StoreError, TimerKey, TimerRow, TimerStore as _,
};
use mitalk_cluster::{EntityId, Epoch, Hour, ShardId, Target, Timestamp, Trace, WriteId};
use std::sync::Arc;

use super::tables::Put;

/// Writes a row of a table.
///
/// # Errors
/// The store's; `Corrupt` also where the cluster has another row in its place.
pub(super) async fn put(store: &Store, how: Put, row: Row) -> Result<(), StoreError> {
    let mut cells = Cells(row.into_iter());
    match how {
        Put::Entity => entity(store, cells).await,
        Put::Outbox | Put::Beside => Ok(()),
        Put::Timer => {
            let key = TimerKey {
                shard: cells.shard()?,
                hour: Hour(cells.number()?),
                due: Timestamp(cells.number()?),
                entity: cells.entity()?,
                write_id: cells.write_id()?,
                name: cells.text()?,
            };
            let epoch = Epoch(cells.number()?);
            store.insert(&[TimerRow { key, epoch }]).await
        }
        Put::LowWater => low_water(store, cells).await,
        Put::Allowed => {
            let entry = AllowEntry {
                phone: PhoneKey::from(&*cells.text()?),
                enabled: cells.number()? != 0,
            };
            store.import(&[entry]).await
        }
        Put::Consumed => {
            let (group, topic, source) = (cells.text()?, cells.text()?, cells.entity()?);
            store.record(&group, &topic, &source, cells.number()?).await
        }
        Put::Profile
        | Put::Handle
        | Put::Follow
        | Put::Notice
        | Put::TicketBlock
        | Put::LiveRoom
        | Put::ShutOut => project(store, how, cells).await,
    }
}

/// What is owed comes behind it, see [`outbox`].
async fn entity(store: &Store, mut cells: Cells) -> Result<(), StoreError> {
    let id = cells.entity()?;
    let next = Head {
        write_id: cells.write_id()?,
        epoch: Epoch(cells.number()?),
    };
    let write = EntityWrite {
        previous: None,
        next,
        sequence: cells.number()?,
        published: cells.number()?,
        blob: Some(cells.blob()?.into()),
        insert: vec![],
        id,
    };
    let id = write.id.clone();
    settled(&id, next, store.write(Arc::new(write)).await?)
}

/// Rows of one outbox, behind an entity that stays as it is: the write is conditional on it.
///
/// # Errors
/// As of [`put`].
pub(super) async fn outbox(
    store: &Store,
    id: &EntityId,
    entity: &Stored,
    rows: &[Row],
) -> Result<(), StoreError> {
    let write = EntityWrite {
        id: id.clone(),
        previous: Some(entity.head),
        next: entity.head,
        blob: None,
        sequence: entity.sequence,
        published: entity.published,
        insert: rows.iter().cloned().map(outbox_row).collect::<Result<_, _>>()?,
    };
    match store.write(Arc::new(write)).await? {
        Cas::Applied => Ok(()),
        Cas::Refused(_) => Err(changed(id)),
    }
}

/// How many of these are written together: at least one.
pub(super) fn together(rows: &[Row], most: usize, most_bytes: usize) -> usize {
    let bytes = |row: &Row| {
        let size = |cell: &Cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Blob(blob) => blob.len(),
            Cell::Null | Cell::Integer(_) => size_of::<i64>(),
        };
        row.iter().map(size).sum::<usize>()
    };
    let mut left = most_bytes;
    let fits = |row: &&Row| {
        let fits = bytes(row) <= left;
        left = left.saturating_sub(bytes(row));
        fits
    };
    rows.iter().take(most).take_while(fits).count().max(1)
}

fn outbox_row(row: Row) -> Result<OutboxRow, StoreError> {
    let mut cells = Cells(row.into_iter());
    cells.entity()?;
    let sequence = cells.number()?;
    let (target, name, key) = (cells.text()?, cells.text()?, cells.next()?);
    Ok(OutboxRow {
        sequence,
        target: match (target.as_str(), key) {
            ("topic", _) => Target::Topic(name),
            ("table", _) => Target::Table(name),
            ("entity", Cell::Text(key)) => Target::Entity(EntityId::new(&name, &key)),
            _ => return Err(unreadable("a row of an outbox has no known target")),
        },
        payload: cells.blob()?,
        at: Timestamp(cells.number()?),
        trace: Trace::new(&cells.text()?),
    })
}

/// A refusal that shows what we write says that it was written before.
fn settled(id: &EntityId, next: Head, outcome: Cas<Option<Head>>) -> Result<(), StoreError> {
    match outcome {
        Cas::Applied => Ok(()),
        Cas::Refused(Some(found)) if found == next => Ok(()),
        Cas::Refused(_) => Err(changed(id)),
    }
}

/// Kinds are no secrets; keys of numbers are their hashes.
fn changed(id: &EntityId) -> StoreError {
    StoreError::Corrupt(format!(
        "the cluster has another entity of kind {} in the place of one that is copied",
        id.kind
    ))
}

async fn low_water(store: &Store, mut cells: Cells) -> Result<(), StoreError> {
    let shard = cells.shard()?;
    let next = LowWater {
        epoch: Epoch(cells.number()?),
        hour: Hour(cells.number()?),
    };
    match store.put_low_water(shard, LowWater::default(), next).await? {
        Cas::Applied => Ok(()),
        Cas::Refused(found) if found == next => Ok(()),
        Cas::Refused(_) => Err(StoreError::Corrupt(format!(
            "the cluster has another low water of shard {}",
            shard.0
        ))),
    }
}

/// As the relay brought it. Where a table keeps only what the change says, the change is made again.
async fn project(store: &Store, how: Put, mut cells: Cells) -> Result<(), StoreError> {
    let (table, sequence, payload) = match how {
        Put::Handle => {
            let (handle, sequence, user) = (cells.text()?, cells.number()?, cells.text()?);
            let user = match user.as_str() {
                "" => None,
                user => Some(user_id(user)?),
            };
            ("handle", sequence, made(&Change::Handle(Handle { handle, user })))
        }
        Put::Follow => {
            let (follower, followee) = (user_id(&cells.text()?)?, user_id(&cells.text()?)?);
            let follows = cells.number()? != 0;
            let follow = Follow {
                follower,
                followee,
                follows,
            };
            ("follow", cells.number()?, made(&Change::Follow(follow)))
        }
        Put::LiveRoom => {
            let (room, sequence, change) = (cells.text()?, cells.number()?, cells.next()?);
            match change {
                Cell::Blob(change) => ("live_room", sequence, change),
                _ => {
                    let room = room.parse::<RoomId>();
                    let room = room.map_err(|_| unreadable("a room has no id"))?;
                    (
                        "live_room",
                        sequence,
                        made(&Change::LiveRoom(LiveRoom::Remove { room })),
                    )
                }
            }
        }
        Put::Profile => {
            cells.next()?;
            ("profile", cells.number()?, cells.blob()?)
        }
        two => {
            let table = match two {
                Put::Notice => "notice",
                Put::TicketBlock => "ticket_block",
                _ => "shut_out",
            };
            cells.next()?;
            cells.next()?;
            (table, cells.number()?, cells.blob()?)
        }
    };
    let event = Event {
        // Tables know rows by what the change says.
        source: EntityId::new("copy", table),
        sequence,
        at: Timestamp(0),
        payload,
        trace: Trace::default(),
    };
    store.apply(table, &event).await
}

fn made(change: &Change) -> Vec<u8> {
    change.outgoing().payload
}

fn user_id(text: &str) -> Result<UserId, StoreError> {
    text.parse().map_err(|_| unreadable("a row names nobody"))
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the database: {what}"))
}

/// The cells of a row, one after the other.
pub(super) struct Cells(pub(super) std::vec::IntoIter<Cell>);

impl Cells {
    pub(super) fn next(&mut self) -> Result<Cell, StoreError> {
        self.0.next().ok_or_else(|| unreadable("a column is missing"))
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        match self.next()? {
            Cell::Text(text) => Ok(text),
            _ => Err(unreadable("a column is no text")),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        match self.next()? {
            Cell::Integer(number) => u64::try_from(number).map_err(|_| unreadable("a number is negative")),
            _ => Err(unreadable("a column is no number")),
        }
    }

    pub(super) fn blob(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.next()? {
            Cell::Blob(blob) => Ok(blob),
            _ => Err(unreadable("a column has no bytes")),
        }
    }

    pub(super) fn entity(&mut self) -> Result<EntityId, StoreError> {
        Ok(EntityId::new(&self.text()?, &self.text()?))
    }

    fn shard(&mut self) -> Result<ShardId, StoreError> {
        let number = u16::try_from(self.number()?);
        number
            .map(ShardId)
            .map_err(|_| unreadable("a shard has no such number"))
    }

    fn write_id(&mut self) -> Result<WriteId, StoreError> {
        let bytes = <[u8; 16]>::try_from(self.blob()?);
        let bytes = bytes.map_err(|_| unreadable("a write id has not 16 bytes"))?;
        Ok(WriteId(u128::from_be_bytes(bytes)))
    }
}
