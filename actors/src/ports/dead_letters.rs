//! Events that a group could not deal with, put beside their topic with the reason until an operator decides.

use async_trait::async_trait;
use mitalk_cluster::store::Event;
use mitalk_cluster::{StoreError, Timestamp};
use std::fmt;
use std::str::FromStr;

/// Names a dead letter: the same event of the same group is the same letter, so a repeat adds none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId {
    /// Who could not deal with it.
    pub group: String,
    /// Where it came from.
    pub topic: String,
    /// [`Event::id`].
    pub event: String,
}

/// A text that names no dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a dead letter is named `group:topic:kind/key/sequence`")]
pub struct NoLetter;

/// Groups and topics have no colon; an event's id may.
const COLON: char = ':';

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{COLON}{}{COLON}{}", self.group, self.topic, self.event)
    }
}

impl FromStr for LetterId {
    type Err = NoLetter;

    fn from_str(text: &str) -> Result<Self, NoLetter> {
        let mut parts = text.splitn(3, COLON).map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(group), Some(topic), Some(event))
                if ![&group, &topic, &event].iter().any(|p| p.is_empty()) =>
            {
                Ok(Self { group, topic, event })
            }
            _ => Err(NoLetter),
        }
    }
}

/// An event that is given up, for the time being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Who could not deal with it.
    pub group: String,
    /// Where it came from.
    pub topic: String,
    /// It.
    pub event: Event,
    /// Why; no personal data.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
}

impl DeadLetter {
    /// Its name.
    pub fn id(&self) -> LetterId {
        LetterId {
            group: self.group.clone(),
            topic: self.topic.clone(),
            event: self.event.id(),
        }
    }
}

/// The dead letters of all topics.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Puts one aside; again, it takes the place of the earlier one.
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError>;
    /// Up to `max` of a topic, oldest first.
    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError>;
    /// One of them.
    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError>;
    /// Appends the event to its topic once more, for that group alone, and then removes the letter. At least once: a repeat
    /// of this call may append it again. False: there is no such letter.
    async fn retry(&self, id: &LetterId) -> Result<bool, StoreError>;
    /// Removes one for good. False: there is no such letter.
    async fn discard(&self, id: &LetterId) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letters_name_is_read_back_and_other_texts_are_none() {
        let id = LetterId {
            group: "inviter".into(),
            topic: "mitalk.notices.v1".into(),
            event: "phone/a:b/7".into(),
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "a", "a:b", "a::c", ":b:c", "a:b:"] {
            assert_eq!(text.parse::<LetterId>(), Err(NoLetter), "{text}");
        }
    }
}
