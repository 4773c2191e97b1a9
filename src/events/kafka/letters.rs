//! Dead letters: a compacted topic beside each topic, in which a letter's name is the message's key.
//!
//! A letter that is put again takes the place of the earlier one, and one that is dropped or retried is followed by a message
//! without a value, after which compaction removes both. A retry first appends the event to its topic once more, with a header
//! that names the one group that it is for: other groups pass it over, and that group does not compare its sequence. A crash
//! in between leaves the letter, and a second retry is recognised by whoever gets the event's id as a key.
//!
//! Lists are read from the topic's beginning to its end each time, for operators only, and have the oldest letters. What is kept
//! while reading is the letters that have not ended so far: beyond [`LETTERS`] a list is refused; a letter that is named is found
//! all the same.

use super::record::{self, Outbound};
use super::{Kafka, topics};
use async_trait::async_trait;
use mitalk_actors::ports::{DeadLetter, DeadLetters, LetterId, Place};
use mitalk_cluster::store::StoreError;
use rdkafka::message::BorrowedMessage;
use std::collections::HashMap;

/// Letters of a topic that a list can have; far more than operators let come together.
pub const LETTERS: usize = 10_000;
/// Messages that are read at a time.
const PAGE: usize = 2_000;

#[async_trait]
impl DeadLetters for Kafka {
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let topic = topics::dead_letters(&self.0.config, &letter.topic);
        self.send(&topic, Outbound::letter(letter)).await
    }

    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = self.letters(topic, |_| true).await?;
        letters.sort_by_key(|letter| (letter.at, letter.id()));
        letters.truncate(max);
        Ok(letters)
    }

    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError> {
        let name = id.to_string().into_bytes();
        let letters = self.letters(&id.topic, |key| key == name).await?;
        Ok(letters.into_iter().next())
    }

    async fn retry(&self, id: &LetterId) -> Result<bool, StoreError> {
        let Some(letter) = self.find(id).await? else {
            return Ok(false);
        };
        let again = Outbound::event(&letter.topic, &letter.event, Some(&letter.group));
        self.send(&self.wire_topic(&letter.topic), again).await?;
        self.remove(id).await
    }

    async fn discard(&self, id: &LetterId) -> Result<bool, StoreError> {
        match self.find(id).await? {
            Some(_) => self.remove(id).await,
            None => Ok(false),
        }
    }
}

impl Kafka {
    async fn remove(&self, id: &LetterId) -> Result<bool, StoreError> {
        let topic = topics::dead_letters(&self.0.config, &id.topic);
        self.send(&topic, Outbound::no_letter(id.to_string())).await?;
        Ok(true)
    }

    /// Those that have not ended and have such a name, by the last message of each name.
    async fn letters(
        &self,
        topic: &str,
        is_asked: impl Fn(&[u8]) -> bool + Send,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        if !self.knows(topic) {
            return Ok(vec![]);
        }
        let (mut live, mut after) = (HashMap::<Vec<u8>, DeadLetter>::new(), vec![]);
        loop {
            let page = self.page(topic, after.clone()).await?;
            let is_last = page.len() < PAGE;
            for (place, message) in page {
                after = vec![place];
                match message {
                    Some((key, Some(letter))) if is_asked(&key) => drop(live.insert(key, letter)),
                    Some((key, None)) => drop(live.remove(&key)),
                    _ => {}
                }
            }
            if live.len() > LETTERS {
                return Err(StoreError::Rejected(format!(
                    "{topic} has more than {LETTERS} dead letters, too many for a list: retry or drop some by the names that \
                     the log has of them"
                )));
            }
            if is_last {
                return Ok(live.into_values().collect());
            }
        }
    }

    /// What lies behind there; a topic of dead letters has one partition.
    async fn page(&self, topic: &str, after: Vec<Place>) -> Result<Vec<(Place, Message)>, StoreError> {
        let (topic, wire_topic) = (topic.to_owned(), topics::dead_letters(&self.0.config, topic));
        let pick =
            move |message: &BorrowedMessage<'_>| (record::place(message), record::letter(&topic, message));
        self.read(wire_topic, after, PAGE, pick).await
    }
}

/// A key, and the letter unless that was removed.
type Message = Option<(Vec<u8>, Option<DeadLetter>)>;
