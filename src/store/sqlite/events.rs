//! The durable event log: topics, consumer groups and dead letters.
//!
//! Events of a topic have rising offsets without an order between topics. A group's offset and the highest sequence per
//! source (rule 11) move in one transaction. A repeated append is a second event with the same source and sequence;
//! consumers recognise it by what is recorded.
//!
//! Deliberately missing: partitions, and several consumers of a group at a time. One process needs neither.

use std::time::Duration;

use async_trait::async_trait;
use mitalk_actors::events::DEAD_LETTERS;
use mitalk_actors::ports::{Batch, Delivered, EventSource, Mark};
use mitalk_cluster::store::{Event, EventLog, StoreError};
use mitalk_cluster::{Timestamp, Trace};
use rusqlite::{Connection, Row, params};

use super::Store;
use super::fault::Fault;
use super::value::{collect, entity, integer, limit, unsigned};

/// Events kept per topic. A consumer that is further behind has lost what is gone; a million events are weeks of a busy
/// node and about a quarter of a GiB.
const RETAINED_EVENTS: i64 = 1_000_000;
/// An append between a consumer's empty poll and its waiting is noticed after so long.
const MISSED_WAKE_UP: Duration = Duration::from_millis(250);

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
    async fn poll(&self, group: &str, topic: &str, max: usize) -> Result<Batch, StoreError> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.read(move |connection| poll(connection, &group, &topic, max))
            .await
    }

    async fn commit(&self, group: &str, topic: &str, mark: &Mark) -> Result<(), StoreError> {
        let (group, topic, mark) = (group.to_owned(), topic.to_owned(), mark.clone());
        self.write(move |connection| commit(connection, &group, &topic, &mark))
            .await
    }

    async fn dead_letter(&self, topic: &str, event: &Event, reason: &str) -> Result<(), StoreError> {
        let (topic, event, reason) = (format!("{topic}{DEAD_LETTERS}"), event.clone(), reason.to_owned());
        self.write(move |connection| append(connection, &topic, &event, Some(&reason)))
            .await
    }

    async fn changed(&self) {
        // Running into the time-out is an answer like any other: the consumer polls again.
        let _ = tokio::time::timeout(MISSED_WAKE_UP, self.inner.appended.notified()).await;
    }
}

fn append(connection: &Connection, topic: &str, event: &Event, reason: Option<&str>) -> Result<(), Fault> {
    let position: i64 = connection
        .prepare_cached(
            "INSERT INTO topic (name, next) VALUES (?1, 2)
             ON CONFLICT (name) DO UPDATE SET next = next + 1 RETURNING next - 1",
        )?
        .query_row([topic], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO event (topic, position, kind, key, sequence, at, payload, trace, reason)
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
            reason
        ])?;
    connection
        .prepare_cached("DELETE FROM event WHERE topic = ?1 AND position <= ?2")?
        .execute(params![topic, position - RETAINED_EVENTS])?;
    Ok(())
}

fn poll(connection: &Connection, group: &str, topic: &str, max: usize) -> Result<Batch, Fault> {
    let mut query = connection.prepare_cached(
        "SELECT e.position, e.kind, e.key, e.sequence, e.at, e.payload, e.trace, coalesce(c.sequence, 0)
         FROM event e
         LEFT JOIN consumed c ON c.name = ?1 AND c.topic = ?2 AND c.kind = e.kind AND c.key = e.key
         WHERE e.topic = ?2 AND e.position >
             coalesce((SELECT position FROM consumer WHERE name = ?1 AND topic = ?2), 0)
         ORDER BY e.position LIMIT ?3",
    )?;
    collect(query.query(params![group, topic, limit(max)])?, delivered)
}

fn delivered(row: &Row) -> Result<Delivered, Fault> {
    let event = Event {
        source: entity(row, 1)?,
        sequence: unsigned(row, 3)?,
        at: Timestamp(unsigned(row, 4)?),
        payload: row.get(5)?,
        trace: Trace::new(&row.get::<_, String>(6)?),
    };
    Ok(Delivered {
        offset: unsigned(row, 0)?,
        event,
        recorded: unsigned(row, 7)?,
    })
}

fn commit(connection: &Connection, group: &str, topic: &str, mark: &Mark) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO consumer (name, topic, position) VALUES (?1, ?2, ?3)
             ON CONFLICT (name, topic) DO UPDATE SET position = max(position, excluded.position)",
        )?
        .execute(params![group, topic, integer(mark.offset)])?;
    connection
        .prepare_cached(
            "INSERT INTO consumed (name, topic, kind, key, sequence) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name, topic, kind, key) DO UPDATE SET sequence = max(sequence, excluded.sequence)",
        )?
        .execute(params![
            group,
            topic,
            mark.source.kind.as_str(),
            &*mark.source.key,
            integer(mark.sequence)
        ])?;
    Ok(())
}
