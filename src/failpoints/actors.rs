//! The points around the ports of `mitalk-actors`.

use async_trait::async_trait;
use mitalk_actors::number::PhoneKey;
use mitalk_actors::ports::{AllowEntry, AllowList, Batch, EventSource, Mark, Sms, SmsError, SmsMessage};
use mitalk_cluster::store::{Event, StoreError};

use super::{ALLOW, CONSUME, CONSUMED, DEAD_LETTER, Pointed, SMS};

#[async_trait]
impl<P: EventSource> EventSource for Pointed<P> {
    async fn poll(&self, group: &str, topic: &str, max: usize) -> Result<Batch, StoreError> {
        CONSUME.before();
        let batch = self.0.poll(group, topic, max).await?;
        // An empty poll hands nothing over; consumers ask again and again.
        if !batch.is_empty() {
            CONSUME.after();
        }
        Ok(batch)
    }

    async fn commit(&self, group: &str, topic: &str, mark: &Mark) -> Result<(), StoreError> {
        CONSUMED.around(self.0.commit(group, topic, mark)).await
    }

    async fn dead_letter(&self, topic: &str, event: &Event, reason: &str) -> Result<(), StoreError> {
        DEAD_LETTER.around(self.0.dead_letter(topic, event, reason)).await
    }

    async fn changed(&self) {
        self.0.changed().await;
    }
}

#[async_trait]
impl<P: Sms> Sms for Pointed<P> {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        SMS.around(self.0.send(message)).await
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
