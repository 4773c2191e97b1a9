//! A memory store with a switch: up, down, silent, or carrying out what it does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use async_trait::async_trait;
use mitalk_cluster::store::{
    DuePage, DueQuery, EntityStore, EntityWrite, Event, EventLog, Head, LeaseStore, ListEntry, ListWrite,
    LowWater, NodeRow, NodeWrite, OutboxRow, ReadTables, Row, ShardRow, ShardWrite, TimerKey, TimerRow,
    TimerStore,
};
use mitalk_cluster::testing::Memory;
use mitalk_cluster::{Cas, EntityId, NodeId, Ports, ShardId, StoreError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    Up,
    /// Says so at once.
    Down,
    /// Never answers and does nothing.
    Silent,
    /// Does what it is asked, and says that it does not know.
    Mute,
    /// Panics, as an adapter with a bug does.
    Panicking,
    /// Writes to entities never answer and do nothing; everything else is up.
    Stuck,
    /// Reads of entities never answer; everything else is up.
    Blind,
    /// The event log does not take what comes from `rejected`.
    Picky,
}

#[derive(Clone)]
pub(crate) struct Gate {
    memory: Memory,
    mode: Arc<AtomicU8>,
    /// Of the event log, beside the other.
    events: Arc<AtomicU8>,
    writes: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            memory,
            mode: Arc::default(),
            events: Arc::default(),
            writes: Arc::default(),
            reads: Arc::default(),
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// The event log alone.
    pub(crate) fn set_events(&self, mode: Mode) {
        self.events.store(mode as u8, Ordering::SeqCst);
    }

    /// Conditional writes to entities so far, repeats included.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// Reads of entities so far, repeats included.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn ports(&self) -> Ports {
        let shared = Arc::new(self.clone());
        Ports {
            lease: shared.clone(),
            entity: shared.clone(),
            timer: shared.clone(),
            events: shared.clone(),
            tables: shared,
        }
    }

    async fn pass<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        through(&self.mode, call).await
    }
}

async fn through<T>(
    mode: &AtomicU8,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match mode.load(Ordering::SeqCst) {
        m if m == Mode::Down as u8 => Err(StoreError::Unavailable("the gate is shut".to_owned())),
        m if m == Mode::Silent as u8 => std::future::pending().await,
        m if m == Mode::Mute as u8 => {
            call.await?;
            Err(StoreError::Unknown("the gate is mute".to_owned()))
        }
        m if m == Mode::Panicking as u8 => panic!("as the gate was told"),
        _ => call.await,
    }
}

#[async_trait]
impl LeaseStore for Gate {
    fn exclusive(&self) -> bool {
        LeaseStore::exclusive(&self.memory)
    }

    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError> {
        self.pass(self.memory.node(node)).await
    }

    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError> {
        self.pass(self.memory.put_node(write)).await
    }

    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError> {
        self.pass(self.memory.shards()).await
    }

    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        self.pass(self.memory.put_shard(write)).await
    }

    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<ListEntry>), StoreError> {
        self.pass(self.memory.list(shard)).await
    }

    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        self.pass(self.memory.write_list(write)).await
    }
}

#[async_trait]
impl EntityStore for Gate {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.mode.load(Ordering::SeqCst) == Mode::Blind as u8 {
            return std::future::pending().await;
        }
        self.pass(self.memory.read(id)).await
    }

    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if self.mode.load(Ordering::SeqCst) == Mode::Stuck as u8 {
            return std::future::pending().await;
        }
        self.pass(self.memory.write(write)).await
    }

    async fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.pass(self.memory.outbox(id, after, limit)).await
    }
}

#[async_trait]
impl TimerStore for Gate {
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError> {
        self.pass(self.memory.insert(rows)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError> {
        self.pass(self.memory.due(query)).await
    }

    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError> {
        self.pass(self.memory.delete(keys)).await
    }

    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError> {
        self.pass(self.memory.low_water(shard)).await
    }

    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError> {
        self.pass(self.memory.put_low_water(shard, previous, next)).await
    }
}

#[async_trait]
impl EventLog for Gate {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        if self.events.load(Ordering::SeqCst) == Mode::Picky as u8 && *event.source.key == *"rejected" {
            return Err(StoreError::Rejected("the gate is picky".to_owned()));
        }
        let append = through(&self.events, self.memory.append(topic, event));
        self.pass(append).await
    }
}

#[async_trait]
impl ReadTables for Gate {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        self.pass(self.memory.apply(table, event)).await
    }
}
