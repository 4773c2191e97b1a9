//! Reads of the read tables: each by key, or by a range of keys within a partition.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use mitalk_actors::id::{Home, ParseError, RoomId, UserId};
use mitalk_actors::person::Notice;
use mitalk_actors::ports::{BlockCount, FollowCounts, Reads};
use mitalk_actors::rooms::Card;
use mitalk_actors::tables::{Change, LiveRoom, Profile, SHUT_OUT_KEPT, ShutOut, TicketBlock};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;
use scylla::statement::prepared::PreparedStatement;

use super::Store;
use super::bind::{Values, bind, limit};
use super::fault::corrupt;
use super::follow::{FOLLOWER_SLICES, follower_slice};
use super::read::unsigned;
use super::statements::statements;
use super::tables::{ROOM_SLICES, SHUT_OUT_SLICES, room_slice};

/// Reads under way at once for one call.
const AT_ONCE: usize = 16;
/// Keys of one partition asked for together.
const KEYS: usize = 100;

statements! {
    profile: prepare_read "SELECT change FROM @profile WHERE user = ?";
    handle: prepare_read "SELECT user FROM @handle WHERE handle = ?";
    first_profiles: prepare_read "SELECT user, change FROM @profile LIMIT ?";
    next_profiles: prepare_read "SELECT user, change FROM @profile WHERE token(user) > token(?) LIMIT ?";
    followers: prepare_read
        "SELECT follower AS person, follows FROM @follower WHERE followee = ? AND slice = ? AND follower > ? LIMIT ?";
    following: prepare_read
        "SELECT followee AS person, follows FROM @following WHERE follower = ? AND followee > ? LIMIT ?";
    follow_count: prepare_read "SELECT followers, following FROM @follow_count WHERE user = ?";
    following_among: prepare_read
        "SELECT followee AS person, follows FROM @following WHERE follower = ? AND followee IN ?";
    followers_among: prepare_read
        "SELECT follower AS person, follows FROM @follower WHERE followee = ? AND slice = ? AND follower IN ?";
    notices: prepare_read "SELECT change FROM @notice WHERE user = ? AND seq < ? LIMIT ?";
    block_counts: prepare_read "SELECT block, waiting FROM @ticket_count WHERE home = ?";
    block: prepare_read "SELECT change FROM @ticket_block WHERE home = ? AND block = ?";
    live_room: prepare_read "SELECT change FROM @live_room WHERE slice = ? AND room = ?";
    live_rooms: prepare_read "SELECT room, change FROM @live_room WHERE slice = ? AND room > ? LIMIT ?";
    shut_out: prepare_read "SELECT change FROM @shut_out WHERE slice = ?";
}

#[derive(DeserializeRow)]
struct StoredChange {
    change: Option<Vec<u8>>,
}

#[derive(DeserializeRow)]
struct StoredProfile {
    user: String,
    change: Option<Vec<u8>>,
}

#[derive(DeserializeRow)]
struct StoredOwner {
    user: String,
}

#[derive(DeserializeRow)]
struct StoredPerson {
    person: String,
    /// Absent where only the partition's head was written yet.
    follows: Option<bool>,
}

#[derive(DeserializeRow)]
struct StoredFollowCounts {
    followers: Option<i64>,
    following: Option<i64>,
}

#[derive(DeserializeRow)]
struct StoredBlockCount {
    block: i32,
    waiting: i32,
}

#[derive(DeserializeRow)]
struct StoredRoom {
    room: String,
    change: Option<Vec<u8>>,
}

#[async_trait]
impl Reads for Store {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let reads = users.iter().map(|user| self.profile(*user)).collect::<Vec<_>>();
        let found = stream::iter(reads).buffer_unordered(AT_ONCE);
        found.try_filter_map(async |found| Ok(found)).try_collect().await
    }

    /// In the order of their tokens: over all partitions there is no other.
    async fn people(&self, after: Option<UserId>, rows: usize) -> Result<Vec<UserId>, StoreError> {
        let mut behind = after.map(|user| user.to_string());
        let mut found = Vec::new();
        while found.len() < rows {
            let left = rows - found.len();
            let page = self.profiles_behind(behind.as_deref(), left).await?;
            let is_last = page.len() < left;
            behind = page.last().map(|row| row.user.clone()).or(behind);
            for row in page {
                match read(row.change.as_deref().unwrap_or_default())? {
                    Change::Profile(profile) if profile.is_erased() => {}
                    Change::Profile(profile) => found.push(profile.user),
                    other => return Err(misplaced(&other)),
                }
            }
            if is_last {
                break;
            }
        }
        Ok(found)
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
    ) -> Result<Vec<UserId>, StoreError> {
        let statement = &self.statements.reads.followers;
        let user = user.to_string();
        let mut found = Vec::new();
        // Slices follow each other in the order of the ids.
        for slice in after.map_or(0, follower_slice)..FOLLOWER_SLICES {
            let partition = bind![user.as_str(), slice];
            let left = rows - found.len();
            found.extend(self.people(statement, partition, after, left).await?);
            if found.len() == rows {
                break;
            }
        }
        Ok(found)
    }

    async fn following(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let partition = bind![user.to_string()];
        self.people(&self.statements.reads.following, partition, after, rows)
            .await
    }

    async fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        let statement = &self.statements.reads.follow_count;
        let found: Option<StoredFollowCounts> = self.client.first(statement, bind![user.to_string()]).await?;
        let Some(found) = found else {
            return Ok(FollowCounts::default());
        };
        Ok(FollowCounts {
            followers: unsigned(found.followers.unwrap_or_default())?,
            following: unsigned(found.following.unwrap_or_default())?,
        })
    }

    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let statement = &self.statements.reads.following_among;
        let chunks = among.chunks(KEYS).map(|chunk| {
            let partition = bind![follower.to_string()];
            self.among(statement, partition, chunk.to_vec())
        });
        let chunks: Vec<_> = chunks.collect();
        let found: Vec<HashSet<UserId>> = stream::iter(chunks)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let followed = |person: &&UserId| found.iter().any(|chunk| chunk.contains(person));
        Ok(among.iter().filter(followed).copied().collect())
    }

    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        let statement = &self.statements.reads.followers_among;
        let mut slices = HashMap::<i32, Vec<UserId>>::new();
        for follower in by {
            slices
                .entry(follower_slice(*follower))
                .or_default()
                .push(*follower);
        }
        let mut reads = Vec::new();
        for (slice, people) in &slices {
            for chunk in people.chunks(KEYS) {
                let partition = bind![user.to_string(), *slice];
                reads.push(self.among(statement, partition, chunk.to_vec()));
            }
        }
        let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some(found) = reads.try_next().await? {
            if !found.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
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
        match self.change(&self.statements.reads.block, values).await? {
            None => Ok(None),
            Some(Change::TicketBlock(block)) => Ok(Some(block)),
            Some(other) => Err(misplaced(&other)),
        }
    }

    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        let values = bind![room_slice(room), room.to_string()];
        let found: Option<StoredChange> = self
            .client
            .first(&self.statements.reads.live_room, values)
            .await?;
        found.map_or(Ok(None), |found| card(found.change.as_deref()))
    }

    async fn live_rooms(&self, after: Option<RoomId>, rows: usize) -> Result<Vec<Card>, StoreError> {
        let statement = &self.statements.reads.live_rooms;
        let mut found = Vec::new();
        for slice in after.map_or(0, room_slice)..ROOM_SLICES {
            let mut behind = behind(after);
            while found.len() < rows {
                let left = rows - found.len();
                let values = bind![slice, behind.as_str(), limit(left)];
                let page: Vec<StoredRoom> = self.client.rows(statement, values).await?;
                let is_last = page.len() < left;
                behind = page.last().map(|row| row.room.clone()).unwrap_or(behind);
                for row in page {
                    found.extend(card(row.change.as_deref())?);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(found)
    }

    async fn shut_out(&self, since: Timestamp, rows: usize) -> Result<Vec<ShutOut>, StoreError> {
        let statement = &self.statements.reads.shut_out;
        let reads =
            (0..SHUT_OUT_SLICES).map(|slice| self.client.all::<StoredChange>(statement, bind![slice]));
        let slices: Vec<Vec<StoredChange>> = stream::iter(reads.collect::<Vec<_>>())
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let changes = slices.into_iter().flatten().filter_map(StoredChange::change);
        let mut found = changes
            .map(|change| match change? {
                Change::ShutOut(row) => Ok(row),
                other => Err(misplaced(&other)),
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        found.sort_by_key(|row| std::cmp::Reverse(row.at));
        // The store forgets by its own clock; what counts are the times of the rows.
        let old = found.first().map(|newest| newest.at - SHUT_OUT_KEPT);
        found.retain(|row| row.at >= since && old.is_none_or(|old| row.at > old));
        found.truncate(rows);
        Ok(found)
    }
}

impl Store {
    async fn profile(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        match self
            .change(&self.statements.reads.profile, bind![user.to_string()])
            .await?
        {
            None => Ok(None),
            Some(Change::Profile(profile)) => Ok(Some(profile)),
            Some(other) => Err(misplaced(&other)),
        }
    }

    async fn profiles_behind(
        &self,
        behind: Option<&str>,
        rows: usize,
    ) -> Result<Vec<StoredProfile>, StoreError> {
        let own = &self.statements.reads;
        match behind {
            None => self.client.rows(&own.first_profiles, bind![limit(rows)]).await,
            Some(user) => {
                self.client
                    .rows(&own.next_profiles, bind![user, limit(rows)])
                    .await
            }
        }
    }

    async fn change(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> Result<Option<Change>, StoreError> {
        let found: Option<StoredChange> = self.client.first(statement, values).await?;
        found.and_then(StoredChange::change).transpose()
    }

    /// People of a partition behind `after`, by id; those who do not follow any more are left out.
    async fn people(
        &self,
        statement: &PreparedStatement,
        partition: Values,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let mut found = Vec::new();
        let mut behind = behind(after);
        while found.len() < rows {
            let left = rows - found.len();
            let values = [partition.clone(), bind![behind.as_str(), limit(left)]].concat();
            let page: Vec<StoredPerson> = self.client.rows(statement, values).await?;
            let is_last = page.len() < left;
            behind = page.last().map(|row| row.person.clone()).unwrap_or(behind);
            let follow = page.into_iter().filter(|row| row.follows == Some(true));
            for row in follow {
                found.push(id(&row.person)?);
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Which of `people` are in the partition and follow.
    async fn among(
        &self,
        statement: &PreparedStatement,
        partition: Values,
        people: Vec<UserId>,
    ) -> Result<HashSet<UserId>, StoreError> {
        let keys: Vec<String> = people.iter().map(UserId::to_string).collect();
        let values = [partition, bind![keys]].concat();
        let found: Vec<StoredPerson> = self.client.rows(statement, values).await?;
        let follow = found.into_iter().filter(|row| row.follows == Some(true));
        follow.map(|row| id(&row.person)).collect()
    }
}

impl StoredChange {
    fn change(self) -> Option<Result<Change, StoreError>> {
        Some(read(&self.change?))
    }
}

/// Nothing where the room has ended.
fn card(change: Option<&[u8]>) -> Result<Option<Card>, StoreError> {
    let Some(change) = change.filter(|change| !change.is_empty()) else {
        return Ok(None);
    };
    match read(change)? {
        Change::LiveRoom(LiveRoom::Put(card)) => Ok(Some(*card)),
        other => Err(misplaced(&other)),
    }
}

fn read(change: &[u8]) -> Result<Change, StoreError> {
    Change::read(change).map_err(corrupt)
}

fn misplaced(change: &Change) -> StoreError {
    corrupt(format!(
        "a change of table {} lies in another table",
        change.table()
    ))
}

fn id<T: FromStr<Err = ParseError>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(corrupt)
}

/// Where a page begins: ids are sorted as their text, and no id is the empty text.
fn behind<T: ToString>(after: Option<T>) -> String {
    after.map(|id| id.to_string()).unwrap_or_default()
}
