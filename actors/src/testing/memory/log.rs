//! The event log, all of its sides, with one partition per topic.

use super::lock;
use crate::ports::{
    Batch, DeadLetter, DeadLetters, Delivered, EventSource, Ledger, LetterId, Mark, Place, Subscription,
};
use async_trait::async_trait;
use mitalk_cluster::store::{Event, EventLog};
use mitalk_cluster::{EntityId, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// The only partition.
const PARTITION: u32 = 0;
/// A poll waits for the first event so long.
const WAIT: Duration = Duration::from_secs(1);

/// The event log. Clones share it.
#[derive(Clone, Default)]
pub struct Log(Arc<Inner>);

#[derive(Default)]
struct Inner {
    content: Mutex<Content>,
    appended: Notify,
}

#[derive(Default)]
struct Content {
    topics: HashMap<String, Vec<Row>>,
    /// By group and topic.
    offsets: HashMap<(String, String), u64>,
    recorded: HashMap<(String, String, EntityId), u64>,
    dead: Vec<DeadLetter>,
}

#[derive(Clone)]
struct Row {
    event: Event,
    again_for: Option<String>,
}

impl Log {
    /// Everything that was appended to a topic, repeats included.
    pub fn topic(&self, topic: &str) -> Vec<Event> {
        let content = lock(&self.0.content);
        let rows = content.topics.get(topic).into_iter().flatten();
        rows.map(|row| row.event.clone()).collect()
    }

    /// The dead letters of a topic.
    pub fn dead(&self, topic: &str) -> Vec<DeadLetter> {
        let content = lock(&self.0.content);
        let dead = content.dead.iter().filter(|letter| letter.topic == topic);
        dead.cloned().collect()
    }

    /// Whether a group has dealt with all of a topic.
    pub fn is_done(&self, group: &str, topic: &str) -> bool {
        let content = lock(&self.0.content);
        content.place(group, topic) as usize == content.topics.get(topic).map_or(0, Vec::len)
    }

    fn append_row(&self, topic: &str, row: Row) {
        let mut content = lock(&self.0.content);
        content.topics.entry(topic.to_owned()).or_default().push(row);
        self.0.appended.notify_waiters();
    }
}

impl Content {
    fn place(&self, group: &str, topic: &str) -> u64 {
        let name = (group.to_owned(), topic.to_owned());
        self.offsets.get(&name).copied().unwrap_or(0)
    }

    fn recorded(&self, group: &str, topic: &str, source: &EntityId) -> u64 {
        let name = (group.to_owned(), topic.to_owned(), source.clone());
        self.recorded.get(&name).copied().unwrap_or(0)
    }

    fn record(&mut self, group: &str, topic: &str, source: &EntityId, sequence: u64) {
        let name = (group.to_owned(), topic.to_owned(), source.clone());
        let recorded = self.recorded.entry(name).or_default();
        *recorded = sequence.max(*recorded);
    }

    /// Those behind an offset, with what the group recorded.
    fn after(&self, topic: &str, offset: u64, max: usize, recorded: impl Fn(&EntityId) -> u64) -> Batch {
        let rows = self.topics.get(topic).into_iter().flatten().enumerate();
        let delivered = |(index, row): (usize, &Row)| Delivered {
            place: Place {
                partition: PARTITION,
                offset: index as u64 + 1,
            },
            event: row.event.clone(),
            recorded: recorded(&row.event.source),
            again_for: row.again_for.clone(),
            unreadable: None,
        };
        rows.skip(offset as usize).take(max).map(delivered).collect()
    }
}

#[async_trait]
impl EventLog for Log {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        let event = event.clone();
        self.append_row(
            topic,
            Row {
                event,
                again_for: None,
            },
        );
        Ok(())
    }
}

#[async_trait]
impl EventSource for Log {
    async fn subscribe(&self, group: &str, topic: &str) -> Result<Box<dyn Subscription>, StoreError> {
        let given = lock(&self.0.content).place(group, topic);
        Ok(Box::new(Member {
            log: self.clone(),
            group: group.to_owned(),
            topic: topic.to_owned(),
            given: Mutex::new(given),
        }))
    }

    async fn browse(&self, topic: &str, after: &[Place], max: usize) -> Result<Batch, StoreError> {
        let offset = after.iter().map(|place| place.offset).max().unwrap_or(0);
        Ok(lock(&self.0.content).after(topic, offset, max, |_| 0))
    }
}

struct Member {
    log: Log,
    group: String,
    topic: String,
    /// What was handed out.
    given: Mutex<u64>,
}

impl Member {
    fn next(&self, max: usize) -> Batch {
        let (content, mut given) = (lock(&self.log.0.content), lock(&self.given));
        let recorded = |source: &EntityId| content.recorded(&self.group, &self.topic, source);
        let batch = content.after(&self.topic, *given, max, recorded);
        *given = batch.last().map_or(*given, |last| last.place.offset);
        batch
    }
}

#[async_trait]
impl Subscription for Member {
    async fn poll(&self, max: usize, full: &[u32]) -> Result<Batch, StoreError> {
        let max = if full.contains(&PARTITION) { 0 } else { max };
        let appended = self.log.0.appended.notified();
        let batch = self.next(max);
        if !batch.is_empty() {
            return Ok(batch);
        }
        // Running into the time-out is an answer like any other.
        let _ = tokio::time::timeout(WAIT, appended).await;
        Ok(self.next(max))
    }

    async fn commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError> {
        let mut content = lock(&self.log.0.content);
        for mark in dealt {
            content.record(&self.group, &self.topic, &mark.source, mark.sequence);
        }
        for place in places {
            let name = (self.group.clone(), self.topic.clone());
            let offset = content.offsets.entry(name).or_default();
            *offset = place.offset.max(*offset);
        }
        Ok(())
    }
}

#[async_trait]
impl Ledger for Log {
    async fn recorded(&self, group: &str, topic: &str, sources: &[EntityId]) -> Result<Vec<u64>, StoreError> {
        let content = lock(&self.0.content);
        let recorded = sources
            .iter()
            .map(|source| content.recorded(group, topic, source));
        Ok(recorded.collect())
    }

    async fn record(
        &self,
        group: &str,
        topic: &str,
        source: &EntityId,
        sequence: u64,
    ) -> Result<(), StoreError> {
        lock(&self.0.content).record(group, topic, source, sequence);
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Log {
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let mut content = lock(&self.0.content);
        content.dead.retain(|other| other.id() != letter.id());
        content.dead.push(letter.clone());
        Ok(())
    }

    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = self.dead(topic);
        letters.sort_by_key(|letter| letter.at);
        letters.truncate(max);
        Ok(letters)
    }

    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError> {
        let content = lock(&self.0.content);
        Ok(content.dead.iter().find(|letter| letter.id() == *id).cloned())
    }

    async fn retry(&self, id: &LetterId) -> Result<bool, StoreError> {
        let Some(letter) = self.find(id).await? else {
            return Ok(false);
        };
        let again_for = Some(letter.group);
        let event = letter.event;
        self.append_row(&letter.topic, Row { event, again_for });
        self.discard(id).await
    }

    async fn discard(&self, id: &LetterId) -> Result<bool, StoreError> {
        let mut content = lock(&self.0.content);
        let before = content.dead.len();
        content.dead.retain(|letter| letter.id() != *id);
        Ok(content.dead.len() < before)
    }
}
