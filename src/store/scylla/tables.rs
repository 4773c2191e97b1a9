//! What the relay writes into the read tables. Who [follows](super::follow) whom, [rooms](super::rooms) and who was
//! [shut out](super::shut_out) have files of their own.
//!
//! What is in a row is written with the sequence of its one writer as its timestamp: a repeat, or a late write of an owner
//! that was passed, changes nothing. So no other write of these tables may use a clock, removals and trims included. A change that
//! cannot be read is `Corrupt`, never skipped silently.

use async_trait::async_trait;
use mitalk_actors::tables::{Change, Handle, NoticeOf, NoticesGone, TicketBlock};
use mitalk_cluster::store::{Event, ReadTables, StoreError};

use super::Store;
use super::bind::bind;
use super::statements::statements;

/// Notices kept per person; older ones are forgotten.
const KEPT_NOTICES: u64 = 1_000;
/// They are forgotten so many at a time: each trim leaves a range tombstone.
const TRIM_EVERY: u64 = 100;

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
}
