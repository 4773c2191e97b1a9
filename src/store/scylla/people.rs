//! Reads of people: profiles, who is left, and who follows whom.
//!
//! Where rows that say "nobody" lie between those that are asked for, pages are of a constant size: one that shrank with
//! what is still missing would end in reads of one row each.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream, try_join};
use mitalk_actors::id::UserId;
use mitalk_actors::ports::{FollowCounts, PeoplePage, Seen};
use mitalk_actors::tables::{Change, Profile};
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;
use scylla::statement::prepared::PreparedStatement;

use super::Store;
use super::bind::{Values, bind, limit};
use super::follow::{FOLLOWER_SLICES, follower_slice};
use super::read::{StoredChange, behind, id, misplaced, read_change, unsigned};
use super::statements::statements;

/// Reads under way at once for one call.
const AT_ONCE: usize = 16;
/// Keys of one partition asked for together.
const KEYS: usize = 100;
/// Rows of profiles, and of follows, read together.
const PAGE: usize = 256;
/// So many of those are read by one call, whoever is found: after a sunset nobody is left in a hundred million.
const PAGES: usize = 40;

statements! {
    profile: prepare_read "SELECT change FROM @profile WHERE user = ?";
    first_profiles: prepare_read "SELECT user, change FROM @profile LIMIT ?";
    next_profiles: prepare_read "SELECT user, change FROM @profile WHERE token(user) > token(?) LIMIT ?";
    followers: prepare_read
        "SELECT follower AS person, follows FROM @follower WHERE followee = ? AND slice = ? AND follower > ? LIMIT ?";
    following: prepare_read
        "SELECT followee AS person, follows FROM @following WHERE follower = ? AND followee > ? LIMIT ?";
    shown: prepare_read "SELECT change, followers, following FROM @profile WHERE user = ?";
    counts: prepare_read "SELECT followers, following FROM @profile WHERE user = ?";
    between: prepare_read "SELECT follower, followee, follows FROM @following WHERE follower IN ? AND followee IN ?";
    following_among: prepare_read
        "SELECT followee AS person, follows FROM @following WHERE follower = ? AND followee IN ?";
    followers_among: prepare_read
        "SELECT follower AS person, follows FROM @follower WHERE followee = ? AND slice = ? AND follower IN ?";
}

#[derive(DeserializeRow)]
struct StoredProfile {
    user: String,
    /// Absent where only the counts were written yet.
    change: Option<Vec<u8>>,
}

#[derive(DeserializeRow)]
struct StoredPerson {
    person: String,
    /// Absent where only the partition's head was written yet.
    follows: Option<bool>,
}

/// All of a person's row.
#[derive(DeserializeRow)]
struct StoredShown {
    change: Option<Vec<u8>>,
    followers: Option<i64>,
    following: Option<i64>,
}

#[derive(Default, DeserializeRow)]
struct StoredCounts {
    followers: Option<i64>,
    following: Option<i64>,
}

impl StoredCounts {
    fn read(self) -> Result<FollowCounts, StoreError> {
        Ok(FollowCounts {
            followers: unsigned(self.followers.unwrap_or_default())?,
            following: unsigned(self.following.unwrap_or_default())?,
        })
    }
}

#[derive(DeserializeRow)]
struct StoredTie {
    follower: String,
    followee: String,
    follows: Option<bool>,
}

impl Store {
    pub(super) async fn profiles_of(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let reads = users.iter().map(|user| self.profile(*user)).collect::<Vec<_>>();
        let found = stream::iter(reads).buffer_unordered(AT_ONCE);
        found.try_filter_map(async |found| Ok(found)).try_collect().await
    }

    async fn profile(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        let values = bind![user.to_string()];
        let found: Option<StoredChange> = self.client.first(&self.statements.people.profile, values).await?;
        found
            .and_then(|found| found.change)
            .map(|change| read_profile(&change))
            .transpose()
    }

    /// Two reads side by side: all that is the person's own is one row, and what the two are to each other lies in the
    /// partitions of both.
    pub(super) async fn seen_by(&self, user: UserId, by: UserId) -> Result<Option<Seen>, StoreError> {
        let own = &self.statements.people;
        let both = vec![user.to_string(), by.to_string()];
        let shown = self.client.first(&own.shown, bind![user.to_string()]);
        let ties = self.client.rows(&own.between, bind![both.clone(), both]);
        let (shown, ties): (Option<StoredShown>, Vec<StoredTie>) = try_join!(shown, ties)?;
        let Some(StoredShown {
            change: Some(change),
            followers,
            following,
        }) = shown
        else {
            return Ok(None);
        };
        let follows = |who: UserId, whom: UserId| {
            let (who, whom) = (who.to_string(), whom.to_string());
            let tie = ties
                .iter()
                .find(|tie| tie.follower == who && tie.followee == whom);
            tie.is_some_and(|tie| tie.follows == Some(true))
        };
        Ok(Some(Seen {
            profile: read_profile(&change)?,
            counts: StoredCounts { followers, following }.read()?,
            followed: follows(by, user),
            follows_you: follows(user, by),
        }))
    }

    /// In the order of their tokens: over all partitions there is no other.
    pub(super) async fn people_left(
        &self,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        let mut page = PeoplePage {
            people: Vec::new(),
            last: after,
        };
        for _ in 0..PAGES {
            let read = self.profiles_behind(page.last).await?;
            let is_end = read.len() < PAGE;
            for row in read {
                if page.people.len() == rows {
                    return Ok(page);
                }
                page.last = Some(id(&row.user)?);
                let profile = row.change.as_deref().map(read_profile).transpose()?;
                let left = profile.filter(|profile| !profile.is_erased());
                page.people.extend(left.map(|profile| profile.user));
            }
            if is_end {
                page.last = None;
                break;
            }
        }
        Ok(page)
    }

    async fn profiles_behind(&self, behind: Option<UserId>) -> Result<Vec<StoredProfile>, StoreError> {
        let own = &self.statements.people;
        match behind {
            None => self.client.rows(&own.first_profiles, bind![limit(PAGE)]).await,
            Some(user) => {
                let values = bind![user.to_string(), limit(PAGE)];
                self.client.rows(&own.next_profiles, values).await
            }
        }
    }

    pub(super) async fn page_of_followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        let statement = &self.statements.people.followers;
        let user = user.to_string();
        // Slices follow each other in the order of the ids.
        let slices = after.map_or(0, follower_slice)..FOLLOWER_SLICES;
        let partitions = slices.map(|slice| bind![user.as_str(), slice]).collect();
        self.page_of_people(statement, partitions, after, rows).await
    }

    pub(super) async fn page_of_following(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        let statement = &self.statements.people.following;
        let partitions = vec![bind![user.to_string()]];
        self.page_of_people(statement, partitions, after, rows).await
    }

    pub(super) async fn counts_of_follows(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        let statement = &self.statements.people.counts;
        let found: Option<StoredCounts> = self.client.first(statement, bind![user.to_string()]).await?;
        found.unwrap_or_default().read()
    }

    pub(super) async fn followed_of(
        &self,
        follower: UserId,
        among: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let statement = &self.statements.people.following_among;
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

    pub(super) async fn is_followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        let statement = &self.statements.people.followers_among;
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

    /// People of these partitions behind `after`, by id; those who do not follow any more are left out.
    async fn page_of_people(
        &self,
        statement: &PreparedStatement,
        partitions: Vec<Values>,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        let mut page = PeoplePage {
            people: Vec::new(),
            last: after,
        };
        let mut looked_at = 0;
        let mut behind = behind(after);
        for partition in partitions {
            let mut is_end = false;
            while !is_end {
                if looked_at >= PAGES * PAGE {
                    return Ok(page);
                }
                let values = [partition.clone(), bind![behind.as_str(), limit(PAGE)]].concat();
                let read: Vec<StoredPerson> = self.client.rows(statement, values).await?;
                is_end = read.len() < PAGE;
                looked_at += read.len();
                for row in read {
                    if page.people.len() == rows {
                        return Ok(page);
                    }
                    let person = id(&row.person)?;
                    page.last = Some(person);
                    page.people.extend((row.follows == Some(true)).then_some(person));
                    behind = row.person;
                }
            }
            behind.clear();
        }
        page.last = None;
        Ok(page)
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

fn read_profile(change: &[u8]) -> Result<Profile, StoreError> {
    match read_change(change)? {
        Change::Profile(profile) => Ok(profile),
        other => Err(misplaced(&other)),
    }
}
