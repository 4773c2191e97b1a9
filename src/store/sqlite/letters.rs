//! Dead letters: a table beside the topics. A retry appends the event once more and removes the letter in one transaction.

use async_trait::async_trait;
use mitalk_actors::ports::{DeadLetter, DeadLetters, LetterId};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::StoreError;
use rusqlite::{Connection, Row, params};

use super::fault::Fault;
use super::value::{collect, first, integer, limit, unsigned};
use super::{Store, events};

const COLUMNS: &str = "kind, key, sequence, at, payload, trace, name, topic, reason, put_at";

#[async_trait]
impl DeadLetters for Store {
    async fn put(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let letter = letter.clone();
        self.write(move |connection| put(connection, &letter)).await
    }

    async fn list(&self, topic: &str, max: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |connection| list(connection, &topic, max)).await
    }

    async fn find(&self, id: &LetterId) -> Result<Option<DeadLetter>, StoreError> {
        let id = id.to_string();
        self.read(move |connection| find(connection, &id)).await
    }

    async fn retry(&self, id: &LetterId) -> Result<bool, StoreError> {
        let id = id.to_string();
        let retried = self.write(move |connection| retry(connection, &id)).await?;
        self.inner.appended.notify_waiters();
        Ok(retried)
    }

    async fn discard(&self, id: &LetterId) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.write(move |connection| discard(connection, &id)).await
    }
}

fn put(connection: &Connection, letter: &DeadLetter) -> Result<(), Fault> {
    let event = &letter.event;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO dead_letter
                (id, kind, key, sequence, at, payload, trace, name, topic, reason, put_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            letter.id().to_string(),
            event.source.kind.as_str(),
            &*event.source.key,
            integer(event.sequence),
            integer(event.at.0),
            event.payload,
            event.trace.as_str(),
            letter.group,
            letter.topic,
            letter.reason,
            integer(letter.at.0)
        ])?;
    Ok(())
}

fn list(connection: &Connection, topic: &str, max: usize) -> Result<Vec<DeadLetter>, Fault> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM dead_letter WHERE topic = ?1 ORDER BY put_at, id LIMIT ?2"
    ))?;
    collect(query.query(params![topic, limit(max)])?, letter)
}

fn find(connection: &Connection, id: &str) -> Result<Option<DeadLetter>, Fault> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM dead_letter WHERE id = ?1"))?;
    first(query.query([id])?, letter)
}

fn retry(connection: &Connection, id: &str) -> Result<bool, Fault> {
    let Some(letter) = find(connection, id)? else {
        return Ok(false);
    };
    events::append(connection, &letter.topic, &letter.event, Some(&letter.group))?;
    discard(connection, id)
}

fn discard(connection: &Connection, id: &str) -> Result<bool, Fault> {
    let removed = connection
        .prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?
        .execute([id])?;
    Ok(removed > 0)
}

fn letter(row: &Row) -> Result<DeadLetter, Fault> {
    Ok(DeadLetter {
        event: events::event(row)?,
        group: row.get(6)?,
        topic: row.get(7)?,
        reason: row.get(8)?,
        at: Timestamp(unsigned(row, 9)?),
    })
}
