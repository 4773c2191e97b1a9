//! A store in memory: the reference for what the ports mean. A clone is the same store, so a test restarts a node
//! over what it left behind.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use crate::id::{EntityId, NodeId, ShardId};
use crate::store::{
    Cas, DuePage, DueQuery, EntityStore, EntityWrite, Event, EventLog, Head, LeaseStore, ListEntry,
    ListWrite, LowWater, NodeRow, NodeWrite, OutboxRow, Ports, ReadTables, Row, ShardRow, ShardWrite,
    StoreError, TimerKey, TimerRow, TimerStore,
};
use crate::time::Hour;

/// Buckets of timers that one call reads: few, so that tests see pages.
const HOURS: u64 = 4;

/// All ports over maps. Cheap to clone; all clones share the content.
#[derive(Clone, Default)]
pub struct Memory {
    content: Arc<Mutex<Content>>,
    exclusive: bool,
}

/// What is stored; the simulation drives it without a lock.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Node leases.
    pub nodes: BTreeMap<NodeId, NodeRow>,
    /// Shard rows.
    pub shards: BTreeMap<ShardId, ShardRow>,
    /// Open lists.
    pub lists: HashMap<ShardId, BTreeSet<ListEntry>>,
    /// Entity rows.
    pub rows: BTreeMap<EntityId, Row>,
    /// Outboxes.
    pub outboxes: HashMap<EntityId, BTreeMap<u64, OutboxRow>>,
    /// Timer rows with their epochs.
    pub timers: BTreeMap<TimerKey, crate::id::Epoch>,
    /// Low waters.
    pub low_waters: HashMap<ShardId, LowWater>,
    /// What arrived at each topic, repeats included.
    pub topics: HashMap<String, Vec<Event>>,
    /// What arrived at each read table, repeats included.
    pub tables: HashMap<String, Vec<Event>>,
}

impl Content {
    /// See [`LeaseStore::put_node`].
    pub fn put_node(&mut self, write: &NodeWrite) -> Cas<Option<NodeRow>> {
        let row = self.nodes.get(&write.node);
        if row.map(|r| (r.incarnation, r.beat)) != write.previous {
            return Cas::Refused(row.cloned());
        }
        self.nodes.insert(write.node.clone(), write.next.clone());
        Cas::Applied
    }

    /// See [`LeaseStore::put_shard`].
    pub fn put_shard(&mut self, write: &ShardWrite) -> Cas<Option<ShardRow>> {
        let row = self.shards.get(&write.shard);
        if row.map(|r| r.epoch) != write.seen {
            return Cas::Refused(row.cloned());
        }
        let list_id = row.and_then(|r| r.list_id);
        let (owner, incarnation, epoch) = (write.owner.clone(), write.incarnation, write.epoch);
        self.shards.insert(
            write.shard,
            ShardRow {
                owner,
                incarnation,
                epoch,
                list_id,
            },
        );
        Cas::Applied
    }

    /// See [`LeaseStore::list`].
    pub fn list(&self, shard: ShardId) -> (Option<ShardRow>, Vec<ListEntry>) {
        let entries = self
            .lists
            .get(&shard)
            .map(|l| l.iter().cloned().collect())
            .unwrap_or_default();
        (self.shards.get(&shard).cloned(), entries)
    }

    /// See [`LeaseStore::write_list`].
    pub fn write_list(&mut self, write: &ListWrite) -> Cas<Option<ShardRow>> {
        match self.shards.get_mut(&write.shard) {
            Some(row) if row.epoch == write.epoch && row.list_id == write.previous => {
                row.list_id = Some(write.list_id);
                let list = self.lists.entry(write.shard).or_default();
                list.extend(write.add.iter().cloned());
                for entry in &write.remove {
                    list.remove(entry);
                }
                Cas::Applied
            }
            row => Cas::Refused(row.cloned()),
        }
    }

    /// See [`EntityStore::write`].
    pub fn write(&mut self, write: &EntityWrite) -> Cas<Option<Head>> {
        let row = self.rows.get(&write.id);
        if row.map(|r| r.head) != write.previous {
            return Cas::Refused(row.map(|r| r.head));
        }
        let kept = row.map(|r| r.blob.clone()).unwrap_or_else(|| Arc::from([]));
        let blob = write.blob.clone().unwrap_or(kept);
        let (sequence, published) = (write.sequence, write.published);
        self.rows.insert(
            write.id.clone(),
            Row {
                head: write.next,
                blob,
                sequence,
                published,
            },
        );
        let outbox = self.outboxes.entry(write.id.clone()).or_default();
        outbox.extend(write.insert.iter().map(|r| (r.sequence, r.clone())));
        *outbox = outbox.split_off(&(published + 1));
        Cas::Applied
    }

    /// See [`EntityStore::outbox`].
    pub fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Vec<OutboxRow> {
        let Some(outbox) = self.outboxes.get(id) else {
            return vec![];
        };
        outbox
            .range(after + 1..)
            .take(limit)
            .map(|(_, r)| r.clone())
            .collect()
    }

    /// See [`TimerStore::due`].
    pub fn due(&self, query: &DueQuery) -> DuePage {
        let first = query
            .after
            .as_ref()
            .map_or(query.from, |after| after.hour.max(query.from));
        let last = query.to.min(Hour(first.0 + HOURS - 1));
        let wanted = |key: &TimerKey| {
            key.shard == query.shard
                && (first..=last).contains(&key.hour)
                && key.due <= query.until
                && query.after.as_ref().is_none_or(|after| key > after)
        };
        let rows = self.timers.iter().filter(|(key, _)| wanted(key));
        let rows = rows.take(query.limit).map(|(key, epoch)| TimerRow {
            key: key.clone(),
            epoch: *epoch,
        });
        let rows: Vec<_> = rows.collect();
        let next = match rows.last() {
            Some(row) if rows.len() == query.limit => Some(row.key.hour),
            _ => (last < query.to).then_some(Hour(last.0 + 1)),
        };
        DuePage { rows, next }
    }

    /// See [`TimerStore::put_low_water`].
    pub fn put_low_water(&mut self, shard: ShardId, previous: LowWater, next: LowWater) -> Cas<LowWater> {
        let stored = self.low_waters.entry(shard).or_default();
        if *stored != previous {
            return Cas::Refused(*stored);
        }
        *stored = next;
        Cas::Applied
    }
}

impl Memory {
    /// An empty store that several nodes may share.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that counts as locked by its process, like an embedded one.
    pub fn exclusive() -> Self {
        Self {
            exclusive: true,
            ..Self::default()
        }
    }

    /// All ports over this store.
    pub fn ports(&self) -> Ports {
        let shared = Arc::new(self.clone());
        Ports {
            lease: shared.clone(),
            entity: shared.clone(),
            timer: shared.clone(),
            events: shared.clone(),
            tables: shared,
        }
    }

    /// The content, locked: for assertions.
    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What arrived at a topic so far, repeats included.
    pub fn topic(&self, name: &str) -> Vec<Event> {
        self.content().topics.get(name).cloned().unwrap_or_default()
    }

    /// What arrived at a read table so far, repeats included.
    pub fn table(&self, name: &str) -> Vec<Event> {
        self.content().tables.get(name).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl LeaseStore for Memory {
    fn exclusive(&self) -> bool {
        self.exclusive
    }

    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError> {
        Ok(self.content().nodes.get(node).cloned())
    }

    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError> {
        Ok(self.content().put_node(write))
    }

    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError> {
        Ok(self
            .content()
            .shards
            .iter()
            .map(|(s, r)| (*s, r.clone()))
            .collect())
    }

    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        Ok(self.content().put_shard(write))
    }

    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<ListEntry>), StoreError> {
        Ok(self.content().list(shard))
    }

    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        Ok(self.content().write_list(write))
    }
}

#[async_trait]
impl EntityStore for Memory {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        Ok(self.content().rows.get(id).cloned())
    }

    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        Ok(self.content().write(&write))
    }

    async fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.content().outbox(id, after, limit))
    }
}

#[async_trait]
impl TimerStore for Memory {
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError> {
        self.content()
            .timers
            .extend(rows.iter().map(|r| (r.key.clone(), r.epoch)));
        Ok(())
    }

    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError> {
        Ok(self.content().due(query))
    }

    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError> {
        let mut content = self.content();
        for key in keys {
            content.timers.remove(key);
        }
        Ok(())
    }

    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError> {
        Ok(self.content().low_waters.get(&shard).copied().unwrap_or_default())
    }

    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError> {
        Ok(self.content().put_low_water(shard, previous, next))
    }
}

#[async_trait]
impl EventLog for Memory {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        self.content()
            .topics
            .entry(topic.to_owned())
            .or_default()
            .push(event.clone());
        Ok(())
    }
}

#[async_trait]
impl ReadTables for Memory {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        self.content()
            .tables
            .entry(table.to_owned())
            .or_default()
            .push(event.clone());
        Ok(())
    }
}
