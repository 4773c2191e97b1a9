//! Reads of the read tables: each by key, or by a range of keys within a partition. Those of [people](super::people), of
//! [rooms](super::rooms) and of [who was shut out](super::shut_out) have files of their own.

use async_trait::async_trait;
use mitalk_actors::id::{Home, RoomId, UserId};
use mitalk_actors::person::Notice;
use mitalk_actors::ports::{BlockCount, FollowCounts, PeoplePage, Reads, Seen};
use mitalk_actors::rooms::Card;
use mitalk_actors::tables::{Change, Profile, ShutOut, TicketBlock};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;

use super::Store;
use super::bind::{bind, limit};
use super::fault::corrupt;
use super::read::{StoredChange, id, misplaced};
use super::statements::statements;

statements! {
    handle: prepare_read "SELECT user FROM @handle WHERE handle = ?";
    notices: prepare_read "SELECT change FROM @notice WHERE user = ? AND seq < ? LIMIT ?";
    block_counts: prepare_read "SELECT block, waiting FROM @ticket_count WHERE home = ?";
    block: prepare_read "SELECT change FROM @ticket_block WHERE home = ? AND block = ?";
}

#[derive(DeserializeRow)]
struct StoredOwner {
    user: String,
}

#[derive(DeserializeRow)]
struct StoredBlockCount {
    block: i32,
    waiting: i32,
}

#[async_trait]
impl Reads for Store {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        self.profiles_of(users).await
    }

    async fn people(&self, after: Option<UserId>, rows: usize) -> Result<PeoplePage, StoreError> {
        self.people_left(after, rows).await
    }

    async fn seen(&self, user: UserId, by: UserId) -> Result<Option<Seen>, StoreError> {
        self.seen_by(user, by).await
    }

    async fn handle(&self, handle: &str) -> Result<Option<UserId>, StoreError> {
        let found: Option<StoredOwner> = self
            .client
            .first(&self.statements.reads.handle, bind![handle])
            .await?;
        let owner = found.map(|found| found.user).filter(|user| !user.is_empty());
        owner.map(|user| id(&user)).transpose()
    }

    async fn followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        self.page_of_followers(user, after, rows).await
    }

    async fn following(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        self.page_of_following(user, after, rows).await
    }

    async fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        self.counts_of_follows(user).await
    }

    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        self.followed_of(follower, among).await
    }

    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        self.is_followed_by_any(user, by).await
    }

    async fn notices(
        &self,
        user: UserId,
        before: u64,
        rows: usize,
    ) -> Result<Vec<Notice<UserId>>, StoreError> {
        let values = bind![user.to_string(), before, limit(rows)];
        let found: Vec<StoredChange> = self.client.rows(&self.statements.reads.notices, values).await?;
        let notices = found.into_iter().filter_map(StoredChange::change);
        notices
            .map(|change| match change? {
                Change::Notice(of) => Ok(of.notice),
                other => Err(misplaced(&other)),
            })
            .collect()
    }

    async fn block_counts(&self, home: Home) -> Result<Vec<BlockCount>, StoreError> {
        let values = bind![home.as_str()];
        let found: Vec<StoredBlockCount> = self
            .client
            .all(&self.statements.reads.block_counts, values)
            .await?;
        let counts = found.into_iter().map(|found| {
            Ok(BlockCount {
                block: u32::try_from(found.block).map_err(corrupt)?,
                waiting: u32::try_from(found.waiting).map_err(corrupt)?,
            })
        });
        counts.collect()
    }

    async fn block(&self, home: Home, block: u32) -> Result<Option<TicketBlock>, StoreError> {
        let block = i32::try_from(block).unwrap_or(i32::MAX);
        let values = bind![home.as_str(), block];
        let found: Option<StoredChange> = self.client.first(&self.statements.reads.block, values).await?;
        match found.and_then(StoredChange::change).transpose()? {
            None => Ok(None),
            Some(Change::TicketBlock(block)) => Ok(Some(block)),
            Some(other) => Err(misplaced(&other)),
        }
    }

    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        self.one_live_room(room).await
    }

    async fn live_rooms(&self, after: Option<RoomId>, rows: usize) -> Result<Vec<Card>, StoreError> {
        self.page_of_live_rooms(after, rows).await
    }

    async fn shut_out(&self, since: Timestamp, rows: usize) -> Result<Vec<ShutOut>, StoreError> {
        self.newest_shut_out(since, rows).await
    }
}
