//! A store that can be switched off, and reads over what reached it.

use crate::id::{Home, RoomId, UserId};
use crate::person::{About, Notice, Standing};
use crate::ports::{BlockCount, FollowCounts, PeoplePage, Reads};
use crate::rooms::Card;
use crate::tables::{Change, LiveRoom, Profile, ShutOut, TicketBlock};
use async_trait::async_trait;
use mitalk_cluster::store::{Cas, EntityStore, EntityWrite, Head, OutboxRow, Row};
use mitalk_cluster::testing::Memory;
use mitalk_cluster::{EntityId, Ports, StoreError, Timestamp};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What the store does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// It answers.
    On,
    /// It refuses.
    Off,
    /// It takes them and does not answer.
    Stuck,
}

/// Entity rows of a memory store, while they are to be had.
pub(super) struct Switch {
    inner: Arc<dyn EntityStore>,
    power: watch::Receiver<Power>,
}

/// The store's ports, and what switches it off.
pub(super) fn ports(memory: &Memory) -> (Ports, watch::Sender<Power>) {
    let (switch, power) = watch::channel(Power::On);
    let mut ports = memory.ports();
    ports.entity = Arc::new(Switch {
        inner: ports.entity.clone(),
        power,
    });
    (ports, switch)
}

impl Switch {
    async fn check(&self) -> Result<(), StoreError> {
        let mut power = self.power.clone();
        let now = power.wait_for(|power| *power != Power::Stuck).await;
        match now.as_deref() {
            Ok(Power::On) => Ok(()),
            _ => Err(StoreError::Unavailable("switched off by the test".into())),
        }
    }
}

#[async_trait]
impl EntityStore for Switch {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        self.check().await?;
        self.inner.read(id).await
    }

    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        self.check().await?;
        self.inner.write(write).await
    }

    async fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.check().await?;
        self.inner.outbox(id, after, limit).await
    }
}

/// Everybody has a name; who follows whom is set by the test. Of everything else there is nothing: rooms do not ask.
pub(super) struct Library {
    memory: Memory,
    pub(super) follows: Mutex<HashSet<(UserId, UserId)>>,
}

impl Library {
    pub(super) fn new(memory: &Memory) -> Self {
        Self {
            memory: memory.clone(),
            follows: Mutex::default(),
        }
    }

    fn follows(&self, follower: UserId, followee: UserId) -> bool {
        self.follows.lock().unwrap().contains(&(follower, followee))
    }

    fn rows(&self) -> BTreeMap<RoomId, Card> {
        let mut rows = BTreeMap::new();
        for event in self.memory.table("live_room") {
            match Change::read(&event.payload) {
                Ok(Change::LiveRoom(LiveRoom::Put(card))) => drop(rows.insert(card.room, *card)),
                Ok(Change::LiveRoom(LiveRoom::Remove { room })) => drop(rows.remove(&room)),
                other => panic!("{other:?} in the table of live rooms"),
            }
        }
        rows
    }
}

#[async_trait]
impl Reads for Library {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let profile = |user: &UserId| Profile {
            user: *user,
            standing: Standing::Active,
            handle: None,
            about: About {
                name: format!("Person {}", user.bits()),
                ..About::default()
            },
            invited_by: None,
            shown_as_inviter: true,
            erasing: false,
        };
        Ok(users.iter().map(profile).collect())
    }

    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        Ok(among
            .iter()
            .copied()
            .filter(|followee| self.follows(follower, *followee))
            .collect())
    }

    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        Ok(by.iter().any(|follower| self.follows(*follower, user)))
    }

    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        Ok(self.rows().remove(&room))
    }

    async fn live_rooms(&self, after: Option<RoomId>, limit: usize) -> Result<Vec<Card>, StoreError> {
        let rows = self
            .rows()
            .into_iter()
            .filter(|(room, _)| after.is_none_or(|after| *room > after));
        Ok(rows.take(limit).map(|(_, card)| card).collect())
    }

    async fn shut_out(&self, _: Timestamp, _: usize) -> Result<Vec<ShutOut>, StoreError> {
        Ok(vec![])
    }

    async fn people(&self, _after: Option<UserId>, _limit: usize) -> Result<PeoplePage, StoreError> {
        Ok(PeoplePage::default())
    }
    async fn handle(&self, _: &str) -> Result<Option<UserId>, StoreError> {
        Ok(None)
    }

    async fn followers(&self, _: UserId, _: Option<UserId>, _: usize) -> Result<PeoplePage, StoreError> {
        Ok(PeoplePage::default())
    }

    async fn following(&self, _: UserId, _: Option<UserId>, _: usize) -> Result<PeoplePage, StoreError> {
        Ok(PeoplePage::default())
    }

    async fn follow_counts(&self, _: UserId) -> Result<FollowCounts, StoreError> {
        Ok(FollowCounts::default())
    }

    async fn notices(&self, _: UserId, _: u64, _: usize) -> Result<Vec<Notice<UserId>>, StoreError> {
        Ok(vec![])
    }

    async fn block_counts(&self, _: Home) -> Result<Vec<BlockCount>, StoreError> {
        Ok(vec![])
    }

    async fn block(&self, _: Home, _: u32) -> Result<Option<TicketBlock>, StoreError> {
        Ok(None)
    }
}
