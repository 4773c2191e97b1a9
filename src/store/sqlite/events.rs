//! The durable event log: topics and consumer groups. Dead letters are in [`letters`](super::letters).
//!
//! Events of a topic have rising offsets without an order between topics; a topic is one partition. A group's place and the
//! highest sequences per source (rule 11) move in one transaction. A repeated append is a second event with the same source
//! and sequence; consumers recognise it by what is recorded.
//!
//! Deliberately missing: partitions, and several members of a group at a time. One process needs neither.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mitalk_actors::events::AUDIT;
use mitalk_actors::ports::{Batch, Delivered, EventSource, Mark, Place, Subscription};
use mitalk_cluster::store::{Event, EventLog, StoreError};
use mitalk_cluster::{Timestamp, Trace};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::Fault;
use super::value::{collect, entity, integer, limit, unsigned};
use super::{Store, ledger};

/// Events kept per topic but the audit, which is kept for ever. A consumer that is further behind has lost what is gone; a
/// million events are weeks of a busy node and about a quarter of a GiB.
const RETAINED_EVENTS: i64 = 1_000_000;
/// A poll waits so long for the first event.
const WAIT: Duration = Duration::from_millis(250);
/// The only partition of each topic.
const PARTITION: u32 = 0;

#[async_trait]
impl EventLog for Store {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        let (topic, event) = (topic.to_owned(), event.clone());
        self.write(move |connection| append(connection, &topic, &event, None))
            .await?;
        self.inner.appended.notify_waiters();
        Ok(())
    }
}

#[async_trait]
impl EventSource for Store {
    async fn subscribe(&self, group: &str, topic: &str) -> Result<Box<dyn Subscription>, StoreError> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        let asked = (group.clone(), topic.clone());
        let given = self
            .read(move |connection| committed(connection, &asked.0, &asked.1))
            .await?;
        Ok(Box::new(Member {
            store: self.clone(),
            group,
            topic,
            given: Mutex::new(given),
        }))
    }

    async fn browse(&self, topic: &str, after: &[Place], max: usize) -> Result<Batch, StoreError> {
        let topic = topic.to_owned();
        let after = after.iter().map(|place| place.offset).max().unwrap_or(0);
        // Nobody's group has an empty name, so nothing is recorded for it.
        self.read(move |connection| events_after(connection, "", &topic, after, max))
            .await
    }
}

/// The only member of a group.
struct Member {
    store: Store,
    group: String,
    topic: String,
    /// The offset up to which events were handed out.
    given: Mutex<u64>,
}

impl Member {
    async fn next(&self, max: usize) -> Result<Batch, StoreError> {
        let (group, topic) = (self.group.clone(), self.topic.clone());
        let after = *self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = self
            .store
            .read(move |connection| events_after(connection, &group, &topic, after, max))
            .await?;
        // Nothing is awaited from here on: a call that was dropped has handed out nothing.
        if let Some(last) = batch.last() {
            *self.given.lock().unwrap_or_else(PoisonError::into_inner) = last.place.offset;
        }
        Ok(batch)
    }
}

#[async_trait]
impl Subscription for Member {
    async fn poll(&self, max: usize, full: &[u32]) -> Result<Batch, StoreError> {
        let max = if full.contains(&PARTITION) { 0 } else { max };
        let appended = self.store.inner.appended.notified();
        let batch = self.next(max).await?;
        if !batch.is_empty() {
            return Ok(batch);
        }
        // Running into the time-out is an answer like any other. An append between the read and the waiting is seen then.
        let _ = tokio::time::timeout(WAIT, appended).await;
        self.next(max).await
    }

    async fn commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError> {
        let (group, topic) = (self.group.clone(), self.topic.clone());
        let (dealt, places) = (dealt.to_vec(), places.to_vec());
        self.store
            .write(move |connection| commit(connection, &group, &topic, &dealt, &places))
            .await
    }
}

/// `again_for`: the only group that it is for.
pub(super) fn append(
    connection: &Connection,
    topic: &str,
    event: &Event,
    again_for: Option<&str>,
) -> Result<(), Fault> {
    let position: i64 = connection
        .prepare_cached(
            "INSERT INTO topic (name, next) VALUES (?1, 2)
             ON CONFLICT (name) DO UPDATE SET next = next + 1 RETURNING next - 1",
        )?
        .query_row([topic], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO event (topic, position, kind, key, sequence, at, payload, trace, again_for)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            topic,
            position,
            event.source.kind.as_str(),
            &*event.source.key,
            integer(event.sequence),
            integer(event.at.0),
            event.payload,
            event.trace.as_str(),
            again_for
        ])?;
    if topic == AUDIT {
        return Ok(());
    }
    connection
        .prepare_cached("DELETE FROM event WHERE topic = ?1 AND position <= ?2")?
        .execute(params![topic, position - RETAINED_EVENTS])?;
    Ok(())
}

fn committed(connection: &Connection, group: &str, topic: &str) -> Result<u64, Fault> {
    let mut query =
        connection.prepare_cached("SELECT position FROM consumer WHERE name = ?1 AND topic = ?2")?;
    let position = query.query_row([group, topic], |row| Ok(unsigned(row, 0)));
    position.optional()?.transpose().map(Option::unwrap_or_default)
}

fn events_after(
    connection: &Connection,
    group: &str,
    topic: &str,
    after: u64,
    max: usize,
) -> Result<Batch, Fault> {
    let mut query = connection.prepare_cached(
        "SELECT e.kind, e.key, e.sequence, e.at, e.payload, e.trace, e.position, coalesce(c.sequence, 0), e.again_for
         FROM event e
         LEFT JOIN consumed c ON c.name = ?1 AND c.topic = ?2 AND c.kind = e.kind AND c.key = e.key
         WHERE e.topic = ?2 AND e.position > ?3
         ORDER BY e.position LIMIT ?4",
    )?;
    collect(
        query.query(params![group, topic, integer(after), limit(max)])?,
        delivered,
    )
}

/// The six columns of an event, from the first on.
pub(super) fn event(row: &Row) -> Result<Event, Fault> {
    Ok(Event {
        source: entity(row, 0)?,
        sequence: unsigned(row, 2)?,
        at: Timestamp(unsigned(row, 3)?),
        payload: row.get(4)?,
        trace: Trace::new(&row.get::<_, String>(5)?),
    })
}

fn delivered(row: &Row) -> Result<Delivered, Fault> {
    Ok(Delivered {
        event: event(row)?,
        place: Place {
            partition: PARTITION,
            offset: unsigned(row, 6)?,
        },
        recorded: unsigned(row, 7)?,
        again_for: row.get(8)?,
        unreadable: None,
    })
}

fn commit(
    connection: &Connection,
    group: &str,
    topic: &str,
    dealt: &[Mark],
    places: &[Place],
) -> Result<(), Fault> {
    for mark in dealt {
        ledger::record(connection, group, topic, &mark.source, mark.sequence)?;
    }
    for place in places {
        connection
            .prepare_cached(
                "INSERT INTO consumer (name, topic, position) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name, topic) DO UPDATE SET position = max(position, excluded.position)",
            )?
            .execute(params![group, topic, integer(place.offset)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_actors::events::NOTICES;
    use mitalk_cluster::EntityId;
    use std::path::Path;

    #[test]
    fn old_events_go_but_never_the_audit() {
        let mut connection = Connection::open_in_memory().unwrap();
        let migrate = super::super::Migrate::Apply;
        super::super::schema::bring_up(Path::new(""), &mut connection, migrate).unwrap();
        let event = Event {
            source: EntityId::new("user", "a"),
            sequence: 1,
            at: Timestamp(1),
            payload: vec![1],
            trace: Trace::default(),
        };
        let both = |connection: &Connection| {
            for topic in [AUDIT, NOTICES] {
                append(connection, topic, &event, None).unwrap();
            }
        };
        both(&connection);
        connection
            .execute("UPDATE topic SET next = ?1", [1 + RETAINED_EVENTS])
            .unwrap();
        both(&connection);
        let kept = |topic| {
            let count = "SELECT count(*) FROM event WHERE topic = ?1";
            connection
                .query_row(count, [topic], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!((kept(AUDIT), kept(NOTICES)), (2, 1));
    }
}
