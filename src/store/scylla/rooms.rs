//! Live rooms: a row per room, written with the room's sequence like all projections, and an index of those that live.
//!
//! Rooms begin and end all the time. Were their rows in the partitions that lists read, what is left of the ended ones
//! would never go: a tombstone is only dropped when nothing older can be in memory beside it, and of a partition that
//! is written all the time with sequences as timestamps something always is. So each room has a partition of its own,
//! which nobody writes once it has ended, and the index has timestamps by the clock.
//!
//! The index is a hint and decides nothing: the row is written first, a room that has ended never lives again, and whoever
//! reads a list looks at the rows and takes out of the index what has ended.

use futures::{StreamExt, TryStreamExt, stream};
use mitalk_actors::id::RoomId;
use mitalk_actors::rooms::Card;
use mitalk_actors::tables::{Change, LiveRoom};
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;

use super::Store;
use super::bind::{bind, limit};
use super::read::{StoredChange, behind, id, misplaced, read_change};
use super::slice::slice;
use super::statements::statements;

/// Partitions of the index.
const SLICES: i32 = 64;
/// Rows of the index read together.
const PAGE: usize = 500;
/// Rooms read at once for one call.
const AT_ONCE: usize = 32;
/// How long the row of an ended room is kept, in seconds: longer than any late writer lives.
const ENDED_KEPT_S: i32 = 86_400;

statements! {
    put: prepare_write "INSERT INTO @live_room (room, change) VALUES (?, ?) USING TIMESTAMP ?";
    end: prepare_write "INSERT INTO @live_room (room, change) VALUES (?, ?) USING TIMESTAMP ? AND TTL ?";
    one: prepare_read "SELECT change FROM @live_room WHERE room = ?";
    note: prepare_write "INSERT INTO @live_room_index (slice, room) VALUES (?, ?)";
    unnote: prepare_write "DELETE FROM @live_room_index WHERE slice = ? AND room = ?";
    noted: prepare_read "SELECT room FROM @live_room_index WHERE slice = ? AND room > ? LIMIT ?";
}

#[derive(DeserializeRow)]
struct Noted {
    room: String,
}

impl Store {
    pub(super) async fn put_live_room(
        &self,
        room: &LiveRoom,
        sequence: u64,
        payload: &[u8],
    ) -> Result<(), StoreError> {
        let own = &self.statements.rooms;
        match room {
            LiveRoom::Put(card) => {
                let values = bind![card.room.to_string(), payload, sequence];
                self.client.write(&own.put, values).await?;
                let noted = bind![room_slice(card.room), card.room.to_string()];
                self.client.write(&own.note, noted).await
            }
            LiveRoom::Remove { room } => {
                let values = bind![room.to_string(), &b""[..], sequence, ENDED_KEPT_S];
                self.client.write(&own.end, values).await?;
                self.unnote(*room).await
            }
        }
    }

    pub(super) async fn one_live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        let own = &self.statements.rooms;
        let found: Option<StoredChange> = self.client.first(&own.one, bind![room.to_string()]).await?;
        found.map_or(Ok(None), |found| card(found.change.as_deref()))
    }

    /// By id: slices follow each other in that order.
    pub(super) async fn page_of_live_rooms(
        &self,
        after: Option<RoomId>,
        rows: usize,
    ) -> Result<Vec<Card>, StoreError> {
        let statement = &self.statements.rooms.noted;
        let mut found = Vec::new();
        for slice in after.map_or(0, room_slice)..SLICES {
            let mut behind = behind(after);
            while found.len() < rows {
                let values = bind![slice, behind.as_str(), limit(PAGE)];
                let page: Vec<Noted> = self.client.rows(statement, values).await?;
                let is_last = page.len() < PAGE;
                behind = page.last().map(|row| row.room.clone()).unwrap_or(behind);
                let rooms = page
                    .iter()
                    .map(|row| id(&row.room))
                    .collect::<Result<Vec<_>, _>>()?;
                let cards = stream::iter(rooms.into_iter().map(|room| self.noted_room(room)));
                let mut cards = cards.buffered(AT_ONCE);
                while found.len() < rows
                    && let Some(card) = cards.try_next().await?
                {
                    found.extend(card);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// A room of the index, which forgets it if it has ended.
    async fn noted_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        let card = self.one_live_room(room).await?;
        if card.is_none()
            && let Err(error) = self.unnote(room).await
        {
            // Whoever reads it next tries again.
            tracing::debug!(%room, %error, "a room that has ended stays in the index");
        }
        Ok(card)
    }

    async fn unnote(&self, room: RoomId) -> Result<(), StoreError> {
        let values = bind![room_slice(room), room.to_string()];
        self.client.write(&self.statements.rooms.unnote, values).await
    }
}

fn room_slice(room: RoomId) -> i32 {
    slice(room.bits(), SLICES)
}

/// Nothing where the room has ended.
fn card(change: Option<&[u8]>) -> Result<Option<Card>, StoreError> {
    let Some(change) = change.filter(|change| !change.is_empty()) else {
        return Ok(None);
    };
    match read_change(change)? {
        Change::LiveRoom(LiveRoom::Put(card)) => Ok(Some(*card)),
        other => Err(misplaced(&other)),
    }
}
