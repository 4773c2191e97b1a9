//! Dead letters: a compacted topic beside each topic, in which a letter's name is the message's key.
//!
//! A letter that is put again takes the place of the earlier one, and one that is dropped or retried is followed by a message
//! without a value, after which compaction removes both. A retry first appends the event to its topic once more, with a header
//! that names the one group that it is for: other groups pass it over, and that group does not compare its sequence. A crash
//! in between leaves the letter, and a second retry is recognised by whoever gets the event's id as a key.
//!
//! Lists are read from the topic's beginning each time: bounded, and for operators only.

use super::record::{self, Outbound};
use super::{Kafka, topics};
use async_trait::async_trait;
use mitalk_actors::ports::{DeadLetter, DeadLetters, LetterId};
use mitalk_cluster::store::StoreError;
use std::collections::HashMap;

/// Messages of a topic of dead letters that are read at most; far more than operators let come together.
const READ: usize = 20_000;

#[async_trait]
impl DeadLetters for Kafka {
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let topic = topics::dead_letters(&self.0.config, &letter.topic);
        self.send(&topic, Outbound::letter(letter)).await
    }

    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = self.letters(topic).await?;
        letters.sort_by_key(|letter| (letter.at, letter.id()));
        letters.truncate(max);
        Ok(letters)
    }

    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError> {
        let letters = self.letters(&id.topic).await?;
        Ok(letters.into_iter().find(|letter| letter.id() == *id))
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

    async fn letters(&self, topic: &str) -> Result<Vec<DeadLetter>, StoreError> {
        if !self.knows(topic) {
            return Ok(vec![]);
        }
        let (topic, wire_topic) = (topic.to_owned(), topics::dead_letters(&self.0.config, topic));
        let read = move |message: &rdkafka::message::BorrowedMessage<'_>| record::letter(&topic, message);
        let all = self.read(wire_topic, vec![], READ, read).await?;
        // The last message of a name counts.
        let newest: HashMap<Vec<u8>, Option<DeadLetter>> = all.into_iter().flatten().collect();
        Ok(newest.into_values().flatten().collect())
    }
}
