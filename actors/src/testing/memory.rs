//! All ports in memory: the reference for what they mean.

mod log;
mod pushes;

pub use log::Log;
pub use pushes::Pushes;

use crate::id::{DeviceId, Home, RoomId, UserId};
use crate::number::{PhoneKey, PhoneNumber};
use crate::person::Notice;
use crate::ports::{
    AllowEntry, AllowList, BlockCount, FollowCounts, Message, PeoplePage, Reads, Sms, SmsError, SmsMessage,
};
use crate::rooms::Card;
use crate::tables::{Change, LiveRoom, NoticesGone, Profile, SHUT_OUT_KEPT, ShutOut, TicketBlock};
use async_trait::async_trait;
use mitalk_cluster::store::{Event, ReadTables};
use mitalk_cluster::{StoreError, Timestamp};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows of nobody that one call passes; a page of people has no more people than that, either.
const LOOKED_AT: usize = 8;

/// A row and the sequence of the event that wrote it.
type Rows<K, V> = BTreeMap<K, (u64, V)>;

/// The read tables.
#[derive(Default)]
pub struct Tables(Mutex<Content>);

#[derive(Default)]
struct Content {
    profiles: Rows<UserId, Profile>,
    handles: Rows<String, Option<UserId>>,
    following: Rows<(UserId, UserId), bool>,
    notices: Rows<(UserId, u64), Notice<UserId>>,
    notices_gone: Rows<UserId, ()>,
    blocks: Rows<(Home, u32), TicketBlock>,
    rooms: Rows<RoomId, Option<Card>>,
    shut_out: Rows<(UserId, Option<DeviceId>), ShutOut>,
    unreadable: bool,
}

/// Puts a row unless what is there is as new.
fn put<K: Ord, V>(rows: &mut Rows<K, V>, key: K, sequence: u64, value: V) {
    if rows.get(&key).is_none_or(|(newest, _)| *newest < sequence) {
        rows.insert(key, (sequence, value));
    }
}

#[async_trait]
impl ReadTables for Tables {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        let change = Change::read(&event.payload).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if change.table() != table {
            return Err(StoreError::Corrupt(format!(
                "a change of {} in {table}",
                change.table()
            )));
        }
        let (mut content, sequence) = (lock(&self.0), event.sequence);
        match change {
            Change::Profile(row) => put(&mut content.profiles, row.user, sequence, row),
            Change::Handle(row) => put(&mut content.handles, row.handle, sequence, row.user),
            Change::Follow(row) => {
                put(
                    &mut content.following,
                    (row.follower, row.followee),
                    sequence,
                    row.follows,
                );
            }
            Change::Notice(row) => {
                let gone = content.notices_gone.get(&row.user);
                if gone.is_none_or(|(gone, ())| *gone < sequence) {
                    let key = (row.user, row.notice.seq);
                    put(&mut content.notices, key, sequence, row.notice);
                }
            }
            Change::NoticesGone(NoticesGone { user }) => {
                content
                    .notices
                    .retain(|(of, _), (written, _)| *of != user || *written > sequence);
                put(&mut content.notices_gone, user, sequence, ());
            }
            Change::TicketBlock(row) => put(&mut content.blocks, (row.home, row.block), sequence, row),
            Change::LiveRoom(LiveRoom::Put(card)) => {
                put(&mut content.rooms, card.room, sequence, Some(*card));
            }
            Change::LiveRoom(LiveRoom::Remove { room }) => put(&mut content.rooms, room, sequence, None),
            Change::ShutOut(row) => {
                put(&mut content.shut_out, (row.user, row.device), sequence, row);
                content
                    .shut_out
                    .retain(|_, (_, kept)| row.at.since(kept.at) < SHUT_OUT_KEPT);
            }
        }
        Ok(())
    }
}

impl Tables {
    /// Whether profiles can not be read.
    pub fn set_unreadable(&self, unreadable: bool) {
        lock(&self.0).unreadable = unreadable;
    }

    /// Of each row the person whom `other` picks, and whether the row still says that one follows the other.
    fn rows(&self, other: impl Fn((UserId, UserId)) -> Option<UserId>) -> Vec<(UserId, bool)> {
        let content = lock(&self.0);
        let rows = content.following.iter();
        rows.filter_map(|(pair, (_, follows))| Some((other(*pair)?, *follows)))
            .collect()
    }

    /// Those who follow and whom they follow, where it `holds`.
    fn follows(&self, holds: impl Fn(&(UserId, UserId)) -> bool) -> Vec<(UserId, UserId)> {
        let content = lock(&self.0);
        let rows = content
            .following
            .iter()
            .filter(|(pair, (_, follows))| *follows && holds(pair));
        rows.map(|(pair, _)| *pair).collect()
    }
}

/// Those who are left, out of the rows behind `after`.
fn page(mut rows: Vec<(UserId, bool)>, after: Option<UserId>, limit: usize) -> PeoplePage {
    rows.sort_unstable();
    let mut page = PeoplePage {
        people: vec![],
        last: after,
    };
    let behind = rows.into_iter().filter(|(user, _)| Some(*user) > after);
    let mut nobody = 0;
    for (user, is_left) in behind {
        if nobody == LOOKED_AT || page.people.len() == limit {
            return page;
        }
        page.last = Some(user);
        page.people.extend(is_left.then_some(user));
        nobody += usize::from(!is_left);
    }
    page.last = None;
    page
}

#[async_trait]
impl Reads for Tables {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let content = lock(&self.0);
        if content.unreadable {
            return Err(StoreError::Unavailable("not readable, by the test".into()));
        }
        Ok(users
            .iter()
            .filter_map(|user| content.profiles.get(user))
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn people(&self, after: Option<UserId>, limit: usize) -> Result<PeoplePage, StoreError> {
        let content = lock(&self.0);
        let rows = content.profiles.values();
        let rows = rows.map(|(_, profile)| (profile.user, !profile.is_erased()));
        Ok(page(rows.collect(), after, limit.min(LOOKED_AT)))
    }

    async fn handle(&self, handle: &str) -> Result<Option<UserId>, StoreError> {
        Ok(lock(&self.0).handles.get(handle).and_then(|(_, user)| *user))
    }

    async fn followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<PeoplePage, StoreError> {
        let rows = self.rows(|(follower, followee)| (followee == user).then_some(follower));
        Ok(page(rows, after, limit))
    }

    async fn following(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<PeoplePage, StoreError> {
        let rows = self.rows(|(follower, followee)| (follower == user).then_some(followee));
        Ok(page(rows, after, limit))
    }

    async fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        Ok(FollowCounts {
            followers: self.follows(|(_, followee)| *followee == user).len() as u64,
            following: self.follows(|(follower, _)| *follower == user).len() as u64,
        })
    }

    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let content = lock(&self.0);
        let follows = |followee: &&UserId| {
            content
                .following
                .get(&(follower, **followee))
                .is_some_and(|(_, follows)| *follows)
        };
        Ok(among.iter().filter(follows).copied().collect())
    }

    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        let content = lock(&self.0);
        Ok(by.iter().any(|by| {
            content
                .following
                .get(&(*by, user))
                .is_some_and(|(_, follows)| *follows)
        }))
    }

    async fn notices(
        &self,
        user: UserId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Notice<UserId>>, StoreError> {
        let content = lock(&self.0);
        let rows = content.notices.range((user, 0)..(user, before)).rev().take(limit);
        Ok(rows.map(|(_, (_, notice))| notice.clone()).collect())
    }

    async fn block_counts(&self, home: Home) -> Result<Vec<BlockCount>, StoreError> {
        let content = lock(&self.0);
        let rows = content.blocks.range((home, 0)..=(home, u32::MAX));
        Ok(rows
            .map(|(_, (_, row))| BlockCount {
                block: row.block,
                waiting: row.waiting,
            })
            .collect())
    }

    async fn block(&self, home: Home, block: u32) -> Result<Option<TicketBlock>, StoreError> {
        Ok(lock(&self.0)
            .blocks
            .get(&(home, block))
            .map(|(_, row)| row.clone()))
    }

    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        Ok(lock(&self.0).rooms.get(&room).and_then(|(_, card)| card.clone()))
    }

    async fn shut_out(&self, since: Timestamp, limit: usize) -> Result<Vec<ShutOut>, StoreError> {
        let content = lock(&self.0);
        let rows = content.shut_out.values().map(|(_, row)| *row);
        let mut rows: Vec<_> = rows.filter(|row| row.at >= since).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.at));
        rows.truncate(limit);
        Ok(rows)
    }

    async fn live_rooms(&self, after: Option<RoomId>, limit: usize) -> Result<Vec<Card>, StoreError> {
        let content = lock(&self.0);
        let rows = content
            .rooms
            .iter()
            .filter(|(room, _)| after.is_none_or(|after| **room > after));
        Ok(rows
            .filter_map(|(_, (_, card))| card.clone())
            .take(limit)
            .collect())
    }
}

/// The allow-list.
#[derive(Default)]
pub struct Allowed(Mutex<BTreeMap<PhoneKey, bool>>);

#[async_trait]
impl AllowList for Allowed {
    async fn import(&self, entries: &[AllowEntry]) -> Result<(), StoreError> {
        lock(&self.0).extend(entries.iter().map(|entry| (entry.phone.clone(), entry.enabled)));
        Ok(())
    }

    async fn find(&self, phone: &PhoneKey) -> Result<Option<AllowEntry>, StoreError> {
        Ok(lock(&self.0).get(phone).map(|enabled| AllowEntry {
            phone: phone.clone(),
            enabled: *enabled,
        }))
    }

    async fn remove(&self, phone: &PhoneKey) -> Result<bool, StoreError> {
        Ok(lock(&self.0).remove(phone).is_some())
    }

    async fn count(&self) -> Result<(u64, u64), StoreError> {
        let entries = lock(&self.0);
        Ok((
            entries.len() as u64,
            entries.values().filter(|enabled| **enabled).count() as u64,
        ))
    }
}

/// A provider of text messages that keeps them.
#[derive(Default)]
pub struct Messages {
    sent: Mutex<Vec<SmsMessage>>,
    arrived: Notify,
    /// None of them is taken.
    down: AtomicBool,
    /// Those to these are never taken.
    never: Mutex<HashSet<PhoneNumber>>,
}

impl Messages {
    /// Whether the provider is out of order, for everybody.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on messages to this number fail, as if the provider were out of order.
    pub fn never_take(&self, to: PhoneNumber) {
        lock(&self.never).insert(to);
    }

    /// From now on messages to this number are taken again.
    pub fn take_again(&self, to: &PhoneNumber) {
        lock(&self.never).remove(to);
    }

    /// All messages, repeats included.
    pub fn sent(&self) -> Vec<SmsMessage> {
        lock(&self.sent).clone()
    }

    /// Waits for the `nth` code (from 1) that was sent to a number.
    pub async fn code(&self, to: &PhoneNumber, nth: usize) -> String {
        let code = |message: &SmsMessage| match &message.message {
            Message::Code { code } if message.to == *to => Some(code.clone()),
            _ => None,
        };
        loop {
            let arrived = self.arrived.notified();
            if let Some(code) = lock(&self.sent).iter().filter_map(code).nth(nth - 1) {
                return code;
            }
            arrived.await;
        }
    }
}

#[async_trait]
impl Sms for Messages {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        if self.down.load(Ordering::SeqCst) || lock(&self.never).contains(&message.to) {
            return Err(SmsError::Unavailable {
                reason: "out of order".into(),
                retry_after: Duration::ZERO,
            });
        }
        lock(&self.sent).push(message);
        self.arrived.notify_waiters();
        Ok(())
    }
}
