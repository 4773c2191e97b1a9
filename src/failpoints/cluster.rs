//! The points around the ports of `mitalk-cluster`.
//!
//! Reads have none, with one exception: timers that are due, because reading them is what fires them.

use std::sync::Arc;

use async_trait::async_trait;
use mitalk_cluster::store::{
    Cas, DuePage, DueQuery, EntityStore, EntityWrite, Event, EventLog, Head, LeaseStore, ListEntry,
    ListWrite, LowWater, NodeRow, NodeWrite, OutboxRow, ReadTables, Row, ShardRow, ShardWrite, StoreError,
    TimerKey, TimerRow, TimerStore,
};
use mitalk_cluster::{EntityId, Inbound, NodeId, Request, Response, ShardId, Transport, TransportError};

use super::{
    ASK, Act, COMMIT, FENCE, LIST, LOW_WATER, NODE, PROJECT, PUBLISH, PUBLISHED, Pointed, SHARD, TIMERS,
    TIMERS_DONE, TIMERS_DUE,
};

#[async_trait]
impl<P: LeaseStore> LeaseStore for Pointed<P> {
    fn exclusive(&self) -> bool {
        self.0.exclusive()
    }

    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError> {
        self.0.node(node).await
    }

    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError> {
        NODE.around(self.0.put_node(write)).await
    }

    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError> {
        self.0.shards().await
    }

    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        SHARD.around(self.0.put_shard(write)).await
    }

    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<ListEntry>), StoreError> {
        self.0.list(shard).await
    }

    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        LIST.around(self.0.write_list(write)).await
    }
}

#[async_trait]
impl<P: EntityStore> EntityStore for Pointed<P> {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        self.0.read(id).await
    }

    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        act_of(&write).around(self.0.write(write)).await
    }

    async fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.0.outbox(id, after, limit).await
    }
}

/// A write without a blob is a fence if it raises the epoch (rule 5), else it moves `published` (rule 11).
fn act_of(write: &EntityWrite) -> &'static Act {
    match (&write.blob, write.previous) {
        (Some(_), _) => &COMMIT,
        (None, Some(previous)) if previous.epoch == write.next.epoch => &PUBLISHED,
        (None, _) => &FENCE,
    }
}

#[async_trait]
impl<P: TimerStore> TimerStore for Pointed<P> {
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError> {
        TIMERS.around(self.0.insert(rows)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError> {
        TIMERS_DUE.before();
        let page = self.0.due(query).await?;
        if !page.rows.is_empty() {
            TIMERS_DUE.after();
        }
        Ok(page)
    }

    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError> {
        TIMERS_DONE.around(self.0.delete(keys)).await
    }

    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError> {
        self.0.low_water(shard).await
    }

    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError> {
        LOW_WATER
            .around(self.0.put_low_water(shard, previous, next))
            .await
    }
}

#[async_trait]
impl<P: EventLog> EventLog for Pointed<P> {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        PUBLISH.around(self.0.append(topic, event)).await
    }
}

#[async_trait]
impl<P: ReadTables> ReadTables for Pointed<P> {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        PROJECT.around(self.0.apply(table, event)).await
    }
}

#[async_trait]
impl<P: Transport> Transport for Pointed<P> {
    fn bind(&self, node: NodeId, inbound: Arc<dyn Inbound>) {
        self.0.bind(node, inbound);
    }

    async fn call(&self, node: &NodeId, request: Request) -> Result<Response, TransportError> {
        ASK.around(self.0.call(node, request)).await
    }

    fn cast(&self, node: &NodeId, bytes: Vec<u8>) {
        self.0.cast(node, bytes);
    }
}
