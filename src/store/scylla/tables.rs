//! What the relay writes into the read tables, except who follows whom: see [`follow`](super::follow).
//!
//! Each row is written with the sequence of its one writer as its timestamp: a repeat, or a late write of an owner that was
//! passed, changes nothing. So no other write of these tables may use a clock, removals and trims included. A change that
//! cannot be read is `Corrupt`, never skipped silently.

use async_trait::async_trait;
use mitalk_actors::id::{RoomId, UserId};
use mitalk_actors::tables::{
    Change, Handle, LiveRoom, NoticeOf, NoticesGone, SHUT_OUT_KEPT, ShutOut, TicketBlock,
};
use mitalk_cluster::store::{Event, ReadTables, StoreError};

use super::Store;
use super::bind::bind;
use super::statements::statements;

/// Notices kept per person; older ones are forgotten.
const KEPT_NOTICES: u64 = 1_000;
/// They are forgotten so many at a time: each trim leaves a range tombstone.
const TRIM_EVERY: u64 = 100;
/// How long the row of an ended room is kept, in seconds: longer than any late writer lives.
const ENDED_ROOM_KEPT_S: i32 = 86_400;
/// Partitions of live rooms.
pub(super) const ROOM_SLICES: i32 = 64;
/// Partitions of those shut out.
pub(super) const SHUT_OUT_SLICES: i32 = 16;

statements! {
    profile: prepare_write "INSERT INTO @profile (user, change) VALUES (?, ?) USING TIMESTAMP ?";
    handle: prepare_write "INSERT INTO @handle (handle, user) VALUES (?, ?) USING TIMESTAMP ?";
    notice: prepare_write "INSERT INTO @notice (user, seq, change) VALUES (?, ?, ?) USING TIMESTAMP ?";
    trim_notices: prepare_write "DELETE FROM @notice USING TIMESTAMP ? WHERE user = ? AND seq <= ?";
    end_notices: prepare_write "DELETE FROM @notice USING TIMESTAMP ? WHERE user = ?";
    ticket_block: prepare_write
        "INSERT INTO @ticket_block (home, block, change) VALUES (?, ?, ?) USING TIMESTAMP ?";
    ticket_count: prepare_write
        "INSERT INTO @ticket_count (home, block, waiting) VALUES (?, ?, ?) USING TIMESTAMP ?";
    live_room: prepare_write "INSERT INTO @live_room (slice, room, change) VALUES (?, ?, ?) USING TIMESTAMP ?";
    ended_room: prepare_write
        "INSERT INTO @live_room (slice, room, change) VALUES (?, ?, ?) USING TIMESTAMP ? AND TTL ?";
    shut_out: prepare_write
        "INSERT INTO @shut_out (slice, user, device, change) VALUES (?, ?, ?, ?)
         USING TIMESTAMP ? AND TTL ?";
}

#[async_trait]
impl ReadTables for Store {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        let (sequence, payload) = (event.sequence, event.payload.as_slice());
        match Change::read_for(table, payload).map_err(|error| StoreError::Corrupt(error.to_string()))? {
            Change::Profile(profile) => {
                let values = bind![profile.user.to_string(), payload, sequence];
                self.client.write(&self.statements.tables.profile, values).await
            }
            Change::Handle(handle) => self.put_handle(&handle, sequence).await,
            Change::Follow(follow) => self.put_follow(&follow, sequence).await,
            Change::Notice(notice) => self.put_notice(&notice, sequence, payload).await,
            Change::NoticesGone(gone) => self.end_notices(gone, sequence).await,
            Change::TicketBlock(block) => self.put_ticket_block(&block, sequence, payload).await,
            Change::LiveRoom(room) => self.put_live_room(&room, sequence, payload).await,
            Change::ShutOut(row) => self.put_shut_out(&row, sequence, payload).await,
        }
    }
}

impl Store {
    async fn put_handle(&self, handle: &Handle, sequence: u64) -> Result<(), StoreError> {
        // The empty text is nobody: a column that is not there would not say since when.
        let user = handle.user.map(|user| user.to_string()).unwrap_or_default();
        let values = bind![handle.handle.as_str(), user, sequence];
        self.client.write(&self.statements.tables.handle, values).await
    }

    async fn put_notice(&self, notice: &NoticeOf, sequence: u64, payload: &[u8]) -> Result<(), StoreError> {
        let (user, seq) = (notice.user.to_string(), notice.notice.seq);
        let values = bind![user.as_str(), seq, payload, sequence];
        self.client.write(&self.statements.tables.notice, values).await?;
        if seq % TRIM_EVERY != 0 || seq <= KEPT_NOTICES {
            return Ok(());
        }
        // Older notices have lower sequences: those that come late stay under this deletion.
        let values = bind![sequence, user, seq - KEPT_NOTICES];
        self.client
            .write(&self.statements.tables.trim_notices, values)
            .await
    }

    /// The account's last word: all its notices have lower sequences, and those that come late stay under this deletion.
    async fn end_notices(&self, gone: NoticesGone, sequence: u64) -> Result<(), StoreError> {
        let values = bind![sequence, gone.user.to_string()];
        self.client
            .write(&self.statements.tables.end_notices, values)
            .await
    }

    async fn put_ticket_block(
        &self,
        block: &TicketBlock,
        sequence: u64,
        payload: &[u8],
    ) -> Result<(), StoreError> {
        let number = i32::try_from(block.block).unwrap_or(i32::MAX);
        let waiting = i32::try_from(block.waiting).unwrap_or(i32::MAX);
        let values = bind![block.home.as_str(), number, payload, sequence];
        self.client
            .write(&self.statements.tables.ticket_block, values)
            .await?;
        let values = bind![block.home.as_str(), number, waiting, sequence];
        self.client
            .write(&self.statements.tables.ticket_count, values)
            .await
    }

    async fn put_live_room(&self, room: &LiveRoom, sequence: u64, payload: &[u8]) -> Result<(), StoreError> {
        match room {
            LiveRoom::Put(card) => {
                let values = bind![room_slice(card.room), card.room.to_string(), payload, sequence];
                self.client.write(&self.statements.tables.live_room, values).await
            }
            LiveRoom::Remove { room } => {
                let mut values = bind![room_slice(*room), room.to_string(), &b""[..], sequence];
                values.extend(bind![ENDED_ROOM_KEPT_S]);
                self.client
                    .write(&self.statements.tables.ended_room, values)
                    .await
            }
        }
    }

    async fn put_shut_out(&self, row: &ShutOut, sequence: u64, payload: &[u8]) -> Result<(), StoreError> {
        let device = row.device.map(|device| device.to_string()).unwrap_or_default();
        let kept = i32::try_from(SHUT_OUT_KEPT.as_secs()).unwrap_or(i32::MAX);
        let slice = shut_out_slice(row.user);
        let values = bind![slice, row.user.to_string(), device, payload, sequence, kept];
        self.client.write(&self.statements.tables.shut_out, values).await
    }
}

/// Which of `slices` partitions, a power of two, holds an id: its first bits, which are random. So slices follow each other
/// in the order of the ids.
pub(super) fn slice(bits: u128, slices: i32) -> i32 {
    debug_assert!(slices.count_ones() == 1);
    let shift = u128::BITS - slices.trailing_zeros();
    i32::try_from(bits >> shift).unwrap_or(slices - 1)
}

pub(super) fn room_slice(room: RoomId) -> i32 {
    slice(room.bits(), ROOM_SLICES)
}

fn shut_out_slice(user: UserId) -> i32 {
    slice(user.bits(), SHUT_OUT_SLICES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Pages walk through the slices one after the other: that is the order of the ids' texts only if this holds.
        #[test]
        fn slices_follow_each_other_in_the_order_of_the_ids(a: u128, b: u128) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(slice(low, ROOM_SLICES) <= slice(high, ROOM_SLICES));
            let home = mitalk_actors::id::Home::default();
            prop_assert!(UserId::new(home, low).to_string() <= UserId::new(home, high).to_string());
            prop_assert!((0..ROOM_SLICES).contains(&slice(a, ROOM_SLICES)));
        }
    }

    #[test]
    fn the_ends_are_in_the_first_and_the_last_slice() {
        assert_eq!(slice(u128::MAX, 16), 15);
        assert_eq!(slice(0, 16), 0);
    }
}
