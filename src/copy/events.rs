//! The event log, from its tables to Kafka: what consumers still owe, all of the audit, and the dead letters.
//!
//! Events of one source are sent one after the other (rule 10), those of different sources side by side. An end in the
//! middle repeats some: consumers know them by what they recorded, which is copied too, and readers of the audit by their ids.
//! What all groups of a topic are done with stays behind.

use super::insist::insist;
use super::put::Cells;
use super::tables::source;
use super::{AT_ONCE, Error, Line, PAGE, Say, Taken, marks, of};
use crate::events::kafka::Kafka;
use crate::store::row::{Cell, Row, hash};
use crate::store::sqlite::{self, Source};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mitalk_actors::events::TOPICS;
use mitalk_actors::notices::CONSUMED;
use mitalk_actors::ports::{DeadLetter, DeadLetters as _, EventSource as _, Place};
use mitalk_cluster::store::{Event, StoreError};
use mitalk_cluster::{EntityId, Timestamp, Trace};
use std::collections::{BTreeMap, BTreeSet, HashSet};

const EVENTS: Source = source(
    "event",
    2,
    &[
        "topic",
        "position",
        "kind",
        "key",
        "sequence",
        "at",
        "payload",
        "trace",
        "again_for",
    ],
);
const PLACES: Source = source("consumer", 2, &["name", "topic", "position"]);
const TOPIC_ROWS: Source = source("topic", 1, &["name"]);
const LETTERS: Source = source(
    "dead_letter",
    1,
    &[
        "id", "kind", "key", "sequence", "at", "payload", "trace", "name", "topic", "reason", "put_at",
    ],
);
/// Events of a topic that are read at once when they are compared.
const BROWSED: usize = 5_000;
/// Dead letters of a topic that Kafka lists, and that can be compared so.
const MOST_LETTERS: usize = 10_000;

/// An event as the file has it.
struct Logged {
    position: u64,
    event: Event,
    again_for: Option<String>,
}

/// Up to where each group of a topic is done.
type Places = BTreeMap<String, u64>;

pub(super) struct Log<'c> {
    source: &'c sqlite::Store,
    kafka: &'c Kafka,
}

impl<'c> Log<'c> {
    pub(super) fn new(source: &'c sqlite::Store, kafka: &'c Kafka) -> Self {
        Self { source, kafka }
    }

    /// Events that others sent would be taken for ours: asked before the first copy. A service whose log was in Kafka
    /// already goes on there.
    pub(super) async fn refuse_others(&self) -> Result<(), Error> {
        let logged = self.source.page(TOPIC_ROWS, None, 1).await.map_err(of("topic"))?;
        if logged.is_empty() {
            return Ok(());
        }
        let letters = self.letters().await?;
        for topic in TOPICS {
            if letters.iter().filter(|letter| letter.topic == topic).count() > MOST_LETTERS {
                return Err(Taken::Letters(topic).into());
            }
            let found = insist(|| self.kafka.browse(topic, &[], 1))
                .await
                .map_err(of(topic))?;
            if !found.is_empty() {
                return Err(Taken::Log(topic).into());
            }
        }
        Ok(())
    }

    pub(super) async fn copy(&self, say: Say<'_>) -> Result<(), Error> {
        for topic in TOPICS {
            let places = self.places(topic).await?;
            let mut after = marks::place(self.source, topic).await?;
            let mut copied = 0;
            while let Some((events, last)) = self.page(topic, &places, after).await? {
                copied += events.len();
                self.send(topic, events).await.map_err(of(topic))?;
                marks::put_place(self.source, topic, &last[..EVENTS.key]).await?;
                after = Some(last);
            }
            say(format!("{topic}: {copied} events"));
        }
        let letters = self.letters().await?;
        let one = |letter: &DeadLetter| {
            let letter = letter.clone();
            insist(move || {
                let letter = letter.clone();
                async move { self.kafka.put(&letter).await }
            })
        };
        let put: Result<(), _> = stream::iter(letters.iter())
            .map(one)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await;
        put.map_err(of("dead_letter"))?;
        say(format!("dead_letter: {} letters", letters.len()));
        Ok(())
    }

    /// What is owed must be there; repeats are no difference, and more may be there only if the log was there before.
    pub(super) async fn verify(&self) -> Result<Vec<Line>, Error> {
        let mut lines = vec![];
        for topic in TOPICS {
            let (places, mut after, mut owed) = (self.places(topic).await?, None, HashSet::new());
            while let Some((events, last)) = self.page(topic, &places, after).await? {
                owed.extend(events.iter().map(|logged| event_hash(&logged.event)));
                after = Some(last);
            }
            let (all, mut missing) = (owed.len(), owed);
            let seen = |event: &Event| {
                missing.remove(&event_hash(event));
            };
            self.browse(topic, seen).await?;
            lines.push(found(topic, all, missing.len()));
        }
        let letters = self.letters().await?;
        let mut missing: BTreeSet<_> = letters.iter().map(|letter| letter.id().to_string()).collect();
        let all = missing.len();
        for topic in TOPICS {
            let there = insist(|| self.kafka.list(topic, MOST_LETTERS)).await;
            for letter in there.map_err(of("dead_letter"))? {
                missing.remove(&letter.id().to_string());
            }
        }
        lines.push(found("dead_letter", all, missing.len()));
        Ok(lines)
    }

    async fn browse(&self, topic: &'static str, mut take: impl FnMut(&Event)) -> Result<(), Error> {
        let mut after = BTreeMap::<u32, u64>::new();
        loop {
            let places: Vec<_> = after
                .iter()
                .map(|(partition, offset)| Place {
                    partition: *partition,
                    offset: *offset,
                })
                .collect();
            let page = insist(|| self.kafka.browse(topic, &places, BROWSED)).await;
            let page = page.map_err(of(topic))?;
            if page.is_empty() {
                return Ok(());
            }
            for delivered in page {
                after.insert(delivered.place.partition, delivered.place.offset);
                take(&delivered.event);
            }
        }
    }

    async fn places(&self, topic: &'static str) -> Result<Places, Error> {
        let failed = of("consumer");
        let groups = CONSUMED.iter().filter(|(_, consumed)| *consumed == topic);
        let mut places: Places = groups.map(|(group, _)| ((*group).to_owned(), 0)).collect();
        // A handful of rows.
        for row in self.source.page(PLACES, None, PAGE).await.map_err(&failed)? {
            let mut cells = Cells(row.into_iter());
            let (group, of_topic) = (cells.text().map_err(&failed)?, cells.text().map_err(&failed)?);
            if of_topic == topic
                && let Some(place) = places.get_mut(&group)
            {
                *place = cells.number().map_err(&failed)?;
            }
        }
        Ok(places)
    }

    /// The owed ones of the next page, and the page's last row.
    async fn page(
        &self,
        topic: &'static str,
        places: &Places,
        after: Option<Row>,
    ) -> Result<Option<(Vec<Logged>, Row)>, Error> {
        let first = places.values().copied().min().unwrap_or_default();
        let begin = || vec![Cell::Text(topic.to_owned()), Cell::Integer(first.cast_signed())];
        let page = self
            .source
            .page(EVENTS, Some(after.unwrap_or_else(begin)), PAGE)
            .await;
        let of_topic = page.map_err(of(topic))?.into_iter();
        let rows: Vec<Row> = of_topic
            .take_while(|row| row[0] == Cell::Text(topic.to_owned()))
            .collect();
        let Some(last) = rows.last().cloned() else {
            return Ok(None);
        };
        let logged: Result<Vec<_>, _> = rows.into_iter().map(logged).collect();
        let mut logged = logged.map_err(of(topic))?;
        logged.retain(|logged| is_owed(logged, places));
        Ok(Some((logged, last)))
    }

    async fn send(&self, topic: &str, events: Vec<Logged>) -> Result<(), StoreError> {
        let mut sources = BTreeMap::<EntityId, Vec<Logged>>::new();
        for logged in events {
            sources
                .entry(logged.event.source.clone())
                .or_default()
                .push(logged);
        }
        let one = |events: Vec<Logged>| async move {
            for Logged { event, again_for, .. } in &events {
                insist(|| self.kafka.append_for(topic, event, again_for.as_deref())).await?;
            }
            Ok(())
        };
        stream::iter(sources.into_values())
            .map(one)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let (mut letters, mut after) = (vec![], None);
        loop {
            let page = self
                .source
                .page(LETTERS, after, PAGE)
                .await
                .map_err(of("dead_letter"))?;
            let Some(last) = page.last().cloned() else {
                return Ok(letters);
            };
            for row in page {
                letters.push(letter(row).map_err(of("dead_letter"))?);
            }
            after = Some(last);
        }
    }
}

/// A dead letter that is tried again is for one group, whatever that has recorded.
fn is_owed(logged: &Logged, places: &Places) -> bool {
    let behind = |place: &u64| logged.position > *place;
    match &logged.again_for {
        Some(group) => places.get(group).is_none_or(behind),
        None => places.is_empty() || places.values().any(behind),
    }
}

fn event_hash(event: &Event) -> u128 {
    let at = Cell::Integer(event.at.0.cast_signed());
    hash(&[Cell::Text(event.id()), at, Cell::Blob(event.payload.clone())])
}

fn found(name: &str, all: usize, missing: usize) -> Line {
    Line {
        name: name.to_owned(),
        source: all as u64,
        target: (all - missing) as u64,
        same: missing == 0,
    }
}

fn logged(row: Row) -> Result<Logged, StoreError> {
    let mut cells = Cells(row.into_iter());
    cells.text()?;
    Ok(Logged {
        position: cells.number()?,
        event: event(&mut cells)?,
        again_for: match cells.next()? {
            Cell::Text(group) => Some(group),
            _ => None,
        },
    })
}

fn letter(row: Row) -> Result<DeadLetter, StoreError> {
    let mut cells = Cells(row.into_iter());
    cells.text()?;
    Ok(DeadLetter {
        event: event(&mut cells)?,
        group: cells.text()?,
        topic: cells.text()?,
        reason: cells.text()?,
        at: Timestamp(cells.number()?),
    })
}

fn event(cells: &mut Cells) -> Result<Event, StoreError> {
    Ok(Event {
        source: cells.entity()?,
        sequence: cells.number()?,
        at: Timestamp(cells.number()?),
        payload: cells.blob()?,
        trace: Trace::new(&cells.text()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_group_has_not_passed_is_owed() {
        let at = |position, again_for: Option<&str>| Logged {
            position,
            event: Event {
                source: EntityId::new("user", "x"),
                sequence: 1,
                at: Timestamp(0),
                payload: vec![],
                trace: Trace::default(),
            },
            again_for: again_for.map(str::to_owned),
        };
        let places = Places::from([("inviter".to_owned(), 5), ("notifier".to_owned(), 9)]);
        assert!(!is_owed(&at(5, None), &places));
        assert!(is_owed(&at(6, None), &places));
        assert!(!is_owed(
            &at(10, None),
            &Places::from([("inviter".to_owned(), 10)])
        ));
        assert!(is_owed(&at(6, Some("inviter")), &places));
        assert!(
            !is_owed(&at(6, Some("notifier")), &places),
            "that group is done with it"
        );
        assert!(
            is_owed(&at(1, None), &Places::new()),
            "the audit is nobody's to pass"
        );
    }
}
