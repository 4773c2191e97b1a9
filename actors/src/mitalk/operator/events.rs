//! What operators do with events: dead letters, and the export of the audit.

use super::Error;
use crate::events::{AUDIT, TOPICS};
use crate::mitalk::Mitalk;
use crate::phase;
use crate::ports::{Batch, DeadLetter, LetterId, Place};
use mitalk_cluster::Call;

/// Dead letters and events that one answer has.
pub const PAGE: usize = 1_000;

impl Mitalk {
    /// Dead letters of all topics, oldest first; at most [`PAGE`].
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let mut letters = vec![];
        for topic in TOPICS {
            letters.extend(self.letters.list(topic, PAGE).await?);
        }
        letters.sort_by_key(|letter| letter.at);
        letters.truncate(PAGE);
        Ok(letters)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::LetterNotFound`].
    pub async fn dead_letter(&self, id: &LetterId) -> Result<DeadLetter, Error> {
        self.letters.find(id).await?.ok_or(Error::LetterNotFound)
    }

    /// Gives the event to its group once more. That it is dealt with shows by not coming back.
    ///
    /// # Errors
    /// [`Error::LetterNotFound`].
    pub async fn retry_dead_letter(&self, call: Call, id: &LetterId) -> Result<(), Error> {
        self.record_dead_letter("dead_letter_retried", id, call).await?;
        found(self.letters.retry(id).await?)
    }

    /// Removes it: the event is not dealt with.
    ///
    /// # Errors
    /// [`Error::LetterNotFound`].
    pub async fn drop_dead_letter(&self, call: Call, id: &LetterId) -> Result<(), Error> {
        self.record_dead_letter("dead_letter_dropped", id, call).await?;
        found(self.letters.discard(id).await?)
    }

    /// Up to `max` events of the audit behind these places, [`PAGE`] at most; empty: there are no more now.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn audit(&self, after: &[Place], max: usize) -> Result<Batch, Error> {
        Ok(self.source.browse(AUDIT, after, max.min(PAGE)).await?)
    }

    /// Before it is done: what was cut off in between is recorded twice by the repeat, and never not at all.
    async fn record_dead_letter(&self, action: &str, id: &LetterId, call: Call) -> Result<(), Error> {
        self.dead_letter(id).await?;
        let record = phase::Command::RecordDeadLetter {
            action: action.to_owned(),
            letter: id.to_string(),
        };
        self.ask_phase(record, call).await?;
        Ok(())
    }
}

fn found(found: bool) -> Result<(), Error> {
    if found { Ok(()) } else { Err(Error::LetterNotFound) }
}
