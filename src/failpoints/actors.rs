//! The points around the ports of `mitalk-actors`.

use async_trait::async_trait;
use mitalk_actors::number::PhoneKey;
use mitalk_actors::ports::{
    AllowEntry, AllowList, Batch, DeadLetter, DeadLetters, EventSource, LetterId, Mark, Place, Push,
    PushError, PushMessage, Sms, SmsError, SmsMessage, Subscription,
};
use mitalk_actors::push;
use mitalk_cluster::store::StoreError;

use super::{ALLOW, CONSUME, CONSUMED, DEAD_LETTER, PUSH, Pointed, SMS};

#[async_trait]
impl<P: EventSource> EventSource for Pointed<P> {
    async fn subscribe(&self, group: &str, topic: &str) -> Result<Box<dyn Subscription>, StoreError> {
        let member = self.0.subscribe(group, topic).await?;
        Ok(Box::new(Pointed(member)))
    }

    async fn browse(&self, topic: &str, after: &[Place], max: usize) -> Result<Batch, StoreError> {
        self.0.browse(topic, after, max).await
    }
}

#[async_trait]
impl Subscription for Pointed<Box<dyn Subscription>> {
    async fn poll(&self, max: usize, full: &[u32]) -> Result<Batch, StoreError> {
        CONSUME.before();
        let batch = self.0.poll(max, full).await?;
        // An empty poll hands nothing over; consumers ask again and again.
        if !batch.is_empty() {
            CONSUME.after();
        }
        Ok(batch)
    }

    async fn commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError> {
        CONSUMED.around(self.0.commit(dealt, places)).await
    }
}

#[async_trait]
impl<P: DeadLetters> DeadLetters for Pointed<P> {
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        DEAD_LETTER.around(self.0.put(letter)).await
    }

    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.0.list(topic, max).await
    }

    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError> {
        self.0.find(id).await
    }

    async fn retry(&self, id: &LetterId) -> Result<bool, StoreError> {
        self.0.retry(id).await
    }

    async fn discard(&self, id: &LetterId) -> Result<bool, StoreError> {
        self.0.discard(id).await
    }
}

#[async_trait]
impl<P: Sms> Sms for Pointed<P> {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        SMS.around(self.0.send(message)).await
    }
}

#[async_trait]
impl<P: Push> Push for Pointed<P> {
    fn server_key(&self) -> Option<&str> {
        self.0.server_key()
    }

    fn accepts(&self, to: &push::Subscription) -> bool {
        self.0.accepts(to)
    }

    async fn push(&self, message: PushMessage) -> Result<(), PushError> {
        PUSH.around(self.0.push(message)).await
    }
}

#[async_trait]
impl<P: AllowList> AllowList for Pointed<P> {
    async fn import(&self, entries: &[AllowEntry]) -> Result<(), StoreError> {
        ALLOW.around(self.0.import(entries)).await
    }

    async fn find(&self, phone: &PhoneKey) -> Result<Option<AllowEntry>, StoreError> {
        self.0.find(phone).await
    }

    async fn remove(&self, phone: &PhoneKey) -> Result<bool, StoreError> {
        ALLOW.around(self.0.remove(phone)).await
    }

    async fn count(&self) -> Result<(u64, u64), StoreError> {
        self.0.count().await
    }
}
