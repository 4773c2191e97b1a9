//! Who follows whom, both ways, with counts that are exact.
//!
//! A change is three steps, each of which may be repeated: the follower's partition, the followee's slice, the sums. The
//! first two are one conditional batch each: the row with its sequence, the number of people in the partition, and the
//! partition's version, on which the batch is conditional. A repeat finds the row as new as itself and leaves it. The sums
//! are plain writes whose timestamp is the sum of the versions that they were read with: versions only rise, so the newest
//! sum stays. Of one partition a node makes one change at a time: ten million people may follow the same person, and those
//! who lost to each other would only do it again.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::try_join;
use mitalk_actors::id::UserId;
use mitalk_actors::tables::Follow;
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;
use scylla::statement::prepared::PreparedStatement;
use tokio::sync::Mutex;

use super::Store;
use super::bind::{Values, bind};
use super::read::unsigned;
use super::slice::slice;
use super::statements::statements;

/// Partitions of a person's followers.
pub(super) const FOLLOWER_SLICES: i32 = 32;
/// Locks over all partitions: few changes wait for another partition's.
const LOCKS: u64 = 1_024;
/// Turns against others who change the same partition; then the caller, who repeats it anyway, is told.
const TURNS: usize = 16;

statements! {
    following: prepare_read
        "SELECT follows, sequence FROM @following WHERE follower = ? AND followee = ?";
    following_head: prepare_serial "SELECT version, people FROM @following WHERE follower = ? LIMIT 1";
    put_following_head: prepare_write
        "UPDATE @following SET version = ?, people = ? WHERE follower = ? IF version = ?";
    put_following: prepare_write
        "INSERT INTO @following (follower, followee, follows, sequence) VALUES (?, ?, ?, ?)";
    follower: prepare_read
        "SELECT follows, sequence FROM @follower WHERE followee = ? AND slice = ? AND follower = ?";
    follower_head: prepare_serial "SELECT version, people FROM @follower WHERE followee = ? AND slice = ? LIMIT 1";
    put_follower_head: prepare_write
        "UPDATE @follower SET version = ?, people = ? WHERE followee = ? AND slice = ? IF version = ?";
    put_follower: prepare_write
        "INSERT INTO @follower (followee, slice, follower, follows, sequence) VALUES (?, ?, ?, ?, ?)";
    follower_heads: prepare_read
        "SELECT version, people FROM @follower WHERE followee = ? AND slice IN ? PER PARTITION LIMIT 1";
    put_followers: prepare_write "INSERT INTO @profile (user, followers) VALUES (?, ?) USING TIMESTAMP ?";
    put_followings: prepare_write "INSERT INTO @profile (user, following) VALUES (?, ?) USING TIMESTAMP ?";
}

#[derive(DeserializeRow)]
struct StoredFollow {
    follows: bool,
    sequence: i64,
}

/// Of a partition: how often it was changed, and how many people are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, DeserializeRow)]
struct Head {
    version: Option<i64>,
    people: Option<i64>,
}

/// The statements and keys of one of the two directions.
struct Side<'s> {
    row: &'s PreparedStatement,
    head: &'s PreparedStatement,
    put_row: &'s PreparedStatement,
    put_head: &'s PreparedStatement,
    partition: Values,
    other: Values,
    turns: &'s Mutex<()>,
}

/// One change of a partition at a time from this node.
pub(super) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..LOCKS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    fn of(&self, partition: impl Hash) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        partition.hash(&mut hasher);
        let place = hasher.finish() % LOCKS;
        &self.0[usize::try_from(place).unwrap_or_default()]
    }
}

impl Store {
    pub(super) async fn put_follow(&self, follow: &Follow, sequence: u64) -> Result<(), StoreError> {
        let (follower, followee) = (follow.follower.to_string(), follow.followee.to_string());
        let own = &self.statements.follow;
        let following = Side {
            row: &own.following,
            head: &own.following_head,
            put_row: &own.put_following,
            put_head: &own.put_following_head,
            partition: bind![follower.as_str()],
            other: bind![followee.as_str()],
            turns: self.turns.of(follower.as_str()),
        };
        let slice = follower_slice(follow.follower);
        let followers = Side {
            row: &own.follower,
            head: &own.follower_head,
            put_row: &own.put_follower,
            put_head: &own.put_follower_head,
            partition: bind![followee.as_str(), slice],
            other: bind![follower.as_str()],
            turns: self.turns.of((followee.as_str(), slice)),
        };
        let (mine, _) = try_join!(
            self.put_side(following, follow.follows, sequence),
            self.put_side(followers, follow.follows, sequence)
        )?;
        try_join!(
            self.put_sum(&own.put_followings, follower, mine),
            self.put_followers(followee)
        )?;
        Ok(())
    }

    /// Puts the row into its partition and counts it; gives the partition's head then.
    async fn put_side(&self, side: Side<'_>, follows: bool, sequence: u64) -> Result<Head, StoreError> {
        let row_key = [side.partition.clone(), side.other].concat();
        // Whoever changes the same partition from this node waits here instead of losing its turn there.
        let _turn = side.turns.lock().await;
        for _ in 0..TURNS {
            // The head first: a row that changes after it was read has raised the version by then.
            let head: Head = self
                .client
                .first(side.head, side.partition.clone())
                .await?
                .unwrap_or_default();
            let before: Option<StoredFollow> = self.client.first(side.row, row_key.clone()).await?;
            if let Some(before) = &before
                && unsigned(before.sequence)? >= sequence
            {
                // It may have come after the head was read: a late copy of this change, or a passed owner's.
                let head = self.client.first(side.head, side.partition).await?;
                return Ok(head.unwrap_or_default());
            }
            let next = head.after(before.is_some_and(|before| before.follows), follows);
            let mut head_values = bind![next.version(), next.people()];
            head_values.extend(side.partition.clone());
            head_values.extend(bind![head.version.map(|version| version.unsigned_abs())]);
            let row_values = [row_key.clone(), bind![follows, sequence]].concat();
            let writes = vec![(side.put_head, head_values), (side.put_row, row_values)];
            if self.client.conditional_together(writes).await? {
                return Ok(next);
            }
        }
        Err(StoreError::Unavailable(
            "too many people follow the same person at this moment".to_owned(),
        ))
    }

    async fn put_followers(&self, followee: String) -> Result<(), StoreError> {
        let own = &self.statements.follow;
        let slices: Vec<i32> = (0..FOLLOWER_SLICES).collect();
        let values = bind![followee.as_str(), slices];
        let heads: Vec<Head> = self.client.rows(&own.follower_heads, values).await?;
        let sum = heads.iter().fold(Head::default(), Head::plus);
        self.put_sum(&own.put_followers, followee, sum).await
    }

    async fn put_sum(&self, put: &PreparedStatement, user: String, sum: Head) -> Result<(), StoreError> {
        self.client
            .write(put, bind![user, sum.people(), sum.version()])
            .await
    }
}

impl Head {
    fn version(self) -> u64 {
        self.version.unwrap_or_default().unsigned_abs()
    }

    fn people(self) -> u64 {
        self.people.unwrap_or_default().max(0).unsigned_abs()
    }

    /// With one of its rows changed.
    fn after(self, followed: bool, follows: bool) -> Self {
        let step = i64::from(follows) - i64::from(followed);
        Self {
            version: Some(self.version.unwrap_or_default() + 1),
            people: Some(self.people.unwrap_or_default() + step),
        }
    }

    fn plus(self, other: &Self) -> Self {
        let sum = |a: Option<i64>, b: Option<i64>| Some(a.unwrap_or_default() + b.unwrap_or_default());
        Self {
            version: sum(self.version, other.version),
            people: sum(self.people, other.people),
        }
    }
}

pub(super) fn follower_slice(follower: UserId) -> i32 {
    slice(follower.bits(), FOLLOWER_SLICES)
}
