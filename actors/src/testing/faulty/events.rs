//! The failing wrapper around the event log's other sides. What a subscription hands out fails by the same seed.

use crate::ports::{
    Batch, DeadLetter, DeadLetters, EventSource, Ledger, LetterId, Mark, Place, Subscription,
};
use async_trait::async_trait;
use mitalk_cluster::EntityId;
use mitalk_cluster::store::StoreError;
use mitalk_cluster::testing::Faulty;

#[async_trait]
impl<P: EventSource> EventSource for Faulty<P> {
    async fn subscribe(&self, group: &str, topic: &str) -> Result<Box<dyn Subscription>, StoreError> {
        let names = (group.to_owned(), topic.to_owned());
        let subscribed = self.read(move |port| {
            let (group, topic) = names.clone();
            async move { port.subscribe(&group, &topic).await }
        });
        let member = subscribed.await?;
        Ok(Box::new(self.over(member)))
    }

    async fn browse(&self, topic: &str, after: &[Place], max: usize) -> Result<Batch, StoreError> {
        let given = (topic.to_owned(), after.to_vec());
        self.read(move |port| {
            let (topic, after) = given.clone();
            async move { port.browse(&topic, &after, max).await }
        })
        .await
    }
}

#[async_trait]
impl Subscription for Faulty<Box<dyn Subscription>> {
    async fn poll(&self, max: usize, full: &[u32]) -> Result<Batch, StoreError> {
        let full = full.to_vec();
        self.read(move |port| {
            let full = full.clone();
            async move { port.poll(max, &full).await }
        })
        .await
    }

    async fn commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError> {
        let given = (dealt.to_vec(), places.to_vec());
        self.plain(move |port| {
            let (dealt, places) = given.clone();
            async move { port.commit(&dealt, &places).await }
        })
        .await
    }
}

#[async_trait]
impl<P: Ledger> Ledger for Faulty<P> {
    async fn recorded(&self, group: &str, topic: &str, sources: &[EntityId]) -> Result<Vec<u64>, StoreError> {
        let asked = (group.to_owned(), topic.to_owned(), sources.to_vec());
        self.read(move |port| {
            let (group, topic, sources) = asked.clone();
            async move { port.recorded(&group, &topic, &sources).await }
        })
        .await
    }

    async fn record(
        &self,
        group: &str,
        topic: &str,
        source: &EntityId,
        sequence: u64,
    ) -> Result<(), StoreError> {
        let given = (group.to_owned(), topic.to_owned(), source.clone());
        // A record that timed out may land behind a newer one.
        self.conditional(move |port| {
            let (group, topic, source) = given.clone();
            async move { port.record(&group, &topic, &source, sequence).await }
        })
        .await
    }
}

#[async_trait]
impl<P: DeadLetters> DeadLetters for Faulty<P> {
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let letter = letter.clone();
        self.plain(move |port| {
            let letter = letter.clone();
            async move { port.put(&letter).await }
        })
        .await
    }

    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |port| {
            let topic = topic.clone();
            async move { port.list(&topic, max).await }
        })
        .await
    }

    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError> {
        let id = id.clone();
        self.read(move |port| {
            let id = id.clone();
            async move { port.find(&id).await }
        })
        .await
    }

    async fn retry(&self, id: &LetterId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.plain(move |port| {
            let id = id.clone();
            async move { port.retry(&id).await }
        })
        .await
    }

    async fn discard(&self, id: &LetterId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.plain(move |port| {
            let id = id.clone();
            async move { port.discard(&id).await }
        })
        .await
    }
}
