//! What consumer groups dealt with, for the event log here and for one elsewhere.

use async_trait::async_trait;
use mitalk_actors::ports::Ledger;
use mitalk_cluster::EntityId;
use mitalk_cluster::store::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::fault::Fault;
use super::value::{integer, unsigned};

#[async_trait]
impl Ledger for Store {
    async fn recorded(&self, group: &str, topic: &str, sources: &[EntityId]) -> Result<Vec<u64>, StoreError> {
        let (group, topic, sources) = (group.to_owned(), topic.to_owned(), sources.to_vec());
        self.read(move |connection| {
            let recorded = sources
                .iter()
                .map(|source| recorded(connection, &group, &topic, source));
            recorded.collect()
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
        let (group, topic, source) = (group.to_owned(), topic.to_owned(), source.clone());
        self.write(move |connection| record(connection, &group, &topic, &source, sequence))
            .await
    }
}

fn recorded(connection: &Connection, group: &str, topic: &str, source: &EntityId) -> Result<u64, Fault> {
    let mut query = connection.prepare_cached(
        "SELECT sequence FROM consumed WHERE name = ?1 AND topic = ?2 AND kind = ?3 AND key = ?4",
    )?;
    let found = query.query_row(params![group, topic, source.kind.as_str(), &*source.key], |row| {
        Ok(unsigned(row, 0))
    });
    found.optional()?.transpose().map(Option::unwrap_or_default)
}

pub(super) fn record(
    connection: &Connection,
    group: &str,
    topic: &str,
    source: &EntityId,
    sequence: u64,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO consumed (name, topic, kind, key, sequence) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name, topic, kind, key) DO UPDATE SET sequence = max(sequence, excluded.sequence)",
        )?
        .execute(params![
            group,
            topic,
            source.kind.as_str(),
            &*source.key,
            integer(sequence)
        ])?;
    Ok(())
}
