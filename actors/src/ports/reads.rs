//! The reading side of the read tables (see [`tables`](crate::tables)): reads that need no decision.

use crate::id::{Home, RoomId, UserId};
use crate::person::Notice;
use crate::rooms::Card;
use crate::tables::{Profile, ShutOut, TicketBlock};
use async_trait::async_trait;
use mitalk_cluster::{StoreError, Timestamp};

/// How many people a question about many of them may name.
pub const MANY: usize = 5_000;

/// Followers and followed of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowCounts {
    /// How many follow them.
    pub followers: u64,
    /// How many they follow.
    pub following: u64,
}

/// A person as another one sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who they are.
    pub profile: Profile,
    /// Followers and followed.
    pub counts: FollowCounts,
    /// Whether the other one follows them.
    pub followed: bool,
    /// Whether they follow the other one.
    pub follows_you: bool,
}

/// How many wait in a block of tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockCount {
    /// Which block.
    pub block: u32,
    /// Bits set.
    pub waiting: u32,
}

/// A page of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeoplePage {
    /// Who was found.
    pub people: Vec<UserId>,
    /// Who was looked at last: the next page is behind them. Absent: this page was the last one.
    pub last: Option<UserId>,
}

/// Reads of the projections. They lag behind the entities by what the relay needs, milliseconds as a rule.
#[async_trait]
pub trait Reads: Send + Sync + 'static {
    /// The profiles of these people, in any order; who has none is left out. At most 100.
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError>;
    /// People of whom there is anything left, also if they are being erased, in an order of the store's own, after `after`.
    /// A store looks at a bounded number of rows for one page, so a page may be empty and not the end.
    async fn people(&self, after: Option<UserId>, limit: usize) -> Result<PeoplePage, StoreError>;
    /// Somebody as `by` sees them; absent: they have no profile.
    async fn seen(&self, user: UserId, by: UserId) -> Result<Option<Seen>, StoreError> {
        let (users, you, them) = ([user], [by], [user]);
        // What it means; an adapter has it in fewer reads.
        let (mut profiles, counts, followed, follows_you) = futures::try_join!(
            self.profiles(&users),
            self.follow_counts(user),
            self.followed_among(by, &them),
            self.followed_among(user, &you),
        )?;
        Ok(profiles.pop().map(|profile| Seen {
            profile,
            counts,
            followed: !followed.is_empty(),
            follows_you: !follows_you.is_empty(),
        }))
    }
    /// Whose the handle is.
    async fn handle(&self, handle: &str) -> Result<Option<UserId>, StoreError>;
    /// Who follows `user`, by id, after `after`. Where those who stopped following still have rows, a page may end early, like
    /// one of [`Reads::people`].
    async fn followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<PeoplePage, StoreError>;
    /// Whom `user` follows, by id, after `after`. A page may end early as well.
    async fn following(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<PeoplePage, StoreError>;
    /// Both counts.
    async fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError>;
    /// Which of `among` (at most [`MANY`]) `follower` follows, in their order.
    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError>;
    /// Whether anybody of `by` (at most [`MANY`]) follows `user`.
    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError>;
    /// Notices of `user` with a sequence below `before`, newest first.
    async fn notices(
        &self,
        user: UserId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Notice<UserId>>, StoreError>;
    /// The counts of all blocks of a waitlist, by block.
    async fn block_counts(&self, home: Home) -> Result<Vec<BlockCount>, StoreError>;
    /// One block of a waitlist.
    async fn block(&self, home: Home, block: u32) -> Result<Option<TicketBlock>, StoreError>;
    /// A live room; absent once it ended.
    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError>;
    /// Live rooms by id, after `after`.
    async fn live_rooms(&self, after: Option<RoomId>, limit: usize) -> Result<Vec<Card>, StoreError>;
    /// Who was shut out, or let in again, at `since` or later, newest first; each person and device once. `since` is not
    /// longer ago than [`SHUT_OUT_KEPT`](crate::tables::SHUT_OUT_KEPT).
    async fn shut_out(&self, since: Timestamp, limit: usize) -> Result<Vec<ShutOut>, StoreError>;
}
