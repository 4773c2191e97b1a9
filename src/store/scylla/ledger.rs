//! What consumer groups dealt with. Each record is written with its sequence as its timestamp, so the highest one stays,
//! whatever comes late or again.

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use mitalk_actors::ports::Ledger;
use mitalk_cluster::EntityId;
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;

use super::Store;
use super::bind::bind;
use super::read::unsigned;
use super::statements::statements;

/// Reads under way at once for one call.
const AT_ONCE: usize = 16;

statements! {
    recorded: prepare_read
        "SELECT sequence FROM @consumed WHERE kind = ? AND key = ? AND consumer = ? AND topic = ?";
    record: prepare_write
        "INSERT INTO @consumed (kind, key, consumer, topic, sequence) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?";
}

#[derive(DeserializeRow)]
struct StoredSequence {
    sequence: i64,
}

#[async_trait]
impl Ledger for Store {
    async fn recorded(&self, group: &str, topic: &str, sources: &[EntityId]) -> Result<Vec<u64>, StoreError> {
        let reads: Vec<_> = sources
            .iter()
            .map(|source| self.consumed(group, topic, source))
            .collect();
        // In the order of the question.
        stream::iter(reads).buffered(AT_ONCE).try_collect().await
    }

    async fn record(
        &self,
        group: &str,
        topic: &str,
        source: &EntityId,
        sequence: u64,
    ) -> Result<(), StoreError> {
        let mut values = bind![source.kind.as_str(), &*source.key, group, topic, sequence];
        values.extend(bind![sequence]);
        self.client.write(&self.statements.ledger.record, values).await
    }
}

impl Store {
    async fn consumed(&self, group: &str, topic: &str, source: &EntityId) -> Result<u64, StoreError> {
        let values = bind![source.kind.as_str(), &*source.key, group, topic];
        let found: Option<StoredSequence> = self
            .client
            .first(&self.statements.ledger.recorded, values)
            .await?;
        unsigned(found.map_or(0, |found| found.sequence))
    }
}
