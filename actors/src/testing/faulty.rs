//! The failing wrapper around the ports of this crate; those of the event log are in a file of their own.

mod events;

use crate::id::{Home, RoomId, UserId};
use crate::number::PhoneKey;
use crate::person::Notice;
use crate::ports::{
    AllowEntry, AllowList, BlockCount, FollowCounts, PeoplePage, Push, PushError, PushMessage, Reads, Seen,
    Sms, SmsError, SmsMessage,
};
use crate::rooms::Card;
use crate::tables::{Profile, ShutOut, TicketBlock};
use crate::user::push::Subscription;
use async_trait::async_trait;
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::StoreError;
use mitalk_cluster::testing::Faulty;
use std::time::Duration;

#[async_trait]
impl<P: AllowList> AllowList for Faulty<P> {
    async fn import(&self, entries: &[AllowEntry]) -> Result<(), StoreError> {
        let entries = entries.to_vec();
        self.plain(move |port| {
            let entries = entries.clone();
            async move { port.import(&entries).await }
        })
        .await
    }

    async fn find(&self, phone: &PhoneKey) -> Result<Option<AllowEntry>, StoreError> {
        let phone = phone.clone();
        self.read(move |port| {
            let phone = phone.clone();
            async move { port.find(&phone).await }
        })
        .await
    }

    async fn remove(&self, phone: &PhoneKey) -> Result<bool, StoreError> {
        let phone = phone.clone();
        self.plain(move |port| {
            let phone = phone.clone();
            async move { port.remove(&phone).await }
        })
        .await
    }

    async fn count(&self) -> Result<(u64, u64), StoreError> {
        self.read(|port| async move { port.count().await }).await
    }
}

/// A provider that fails is one that is not available: what it never takes is for the port to say.
#[async_trait]
impl<P: Sms> Sms for Faulty<P> {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        let sent = self.plain(move |port| {
            let message = message.clone();
            async move { Ok(port.send(message).await) }
        });
        sent.await.unwrap_or_else(|fault| {
            Err(SmsError::Unavailable {
                reason: fault.to_string(),
                retry_after: Duration::ZERO,
            })
        })
    }
}

#[async_trait]
impl<P: Push> Push for Faulty<P> {
    fn server_key(&self) -> Option<&str> {
        self.port().server_key()
    }

    fn accepts(&self, to: &Subscription) -> bool {
        self.port().accepts(to)
    }

    async fn push(&self, message: PushMessage) -> Result<(), PushError> {
        let sent = self.plain(move |port| {
            let message = message.clone();
            async move { Ok(port.push(message).await) }
        });
        sent.await.unwrap_or_else(|fault| {
            Err(PushError::Unavailable {
                reason: fault.to_string(),
                retry_after: Duration::ZERO,
            })
        })
    }
}

#[async_trait]
impl<P: Reads> Reads for Faulty<P> {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let users = users.to_vec();
        self.read(move |port| {
            let users = users.clone();
            async move { port.profiles(&users).await }
        })
        .await
    }

    async fn people(&self, after: Option<UserId>, limit: usize) -> Result<PeoplePage, StoreError> {
        self.read(move |port| async move { port.people(after, limit).await })
            .await
    }

    async fn handle(&self, handle: &str) -> Result<Option<UserId>, StoreError> {
        let handle = handle.to_owned();
        self.read(move |port| {
            let handle = handle.clone();
            async move { port.handle(&handle).await }
        })
        .await
    }

    async fn followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<PeoplePage, StoreError> {
        self.read(move |port| async move { port.followers(user, after, limit).await })
            .await
    }

    async fn following(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<PeoplePage, StoreError> {
        self.read(move |port| async move { port.following(user, after, limit).await })
            .await
    }

    async fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        self.read(move |port| async move { port.follow_counts(user).await })
            .await
    }

    async fn seen(&self, user: UserId, by: UserId) -> Result<Option<Seen>, StoreError> {
        self.read(move |port| async move { port.seen(user, by).await })
            .await
    }

    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let among = among.to_vec();
        self.read(move |port| {
            let among = among.clone();
            async move { port.followed_among(follower, &among).await }
        })
        .await
    }

    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        let by = by.to_vec();
        self.read(move |port| {
            let by = by.clone();
            async move { port.followed_by_any(user, &by).await }
        })
        .await
    }

    async fn notices(
        &self,
        user: UserId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Notice<UserId>>, StoreError> {
        self.read(move |port| async move { port.notices(user, before, limit).await })
            .await
    }

    async fn block_counts(&self, home: Home) -> Result<Vec<BlockCount>, StoreError> {
        self.read(move |port| async move { port.block_counts(home).await })
            .await
    }

    async fn block(&self, home: Home, block: u32) -> Result<Option<TicketBlock>, StoreError> {
        self.read(move |port| async move { port.block(home, block).await })
            .await
    }

    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        self.read(move |port| async move { port.live_room(room).await })
            .await
    }

    async fn shut_out(&self, since: Timestamp, limit: usize) -> Result<Vec<ShutOut>, StoreError> {
        self.read(move |port| async move { port.shut_out(since, limit).await })
            .await
    }

    async fn live_rooms(&self, after: Option<RoomId>, limit: usize) -> Result<Vec<Card>, StoreError> {
        self.read(move |port| async move { port.live_rooms(after, limit).await })
            .await
    }
}
