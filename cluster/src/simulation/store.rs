//! The one store of a world: the memory store's content, its history, and the shortcuts that a store can take.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::{History, Violation};
use super::shortcut::Shortcut;
use super::toy::{State, Toy};
use crate::entity::Lane;
use crate::id::{EntityId, NodeId, ShardId};
use crate::protocol::stored::Memory;
use crate::store::{
    Cas, DuePage, DueQuery, EntityWrite, Head, ListEntry, ListWrite, LowWater, NodeRow, NodeWrite, OutboxRow,
    Row, ShardRow, ShardWrite, TimerKey, TimerRow,
};
use crate::testing::Content;

/// A call to the store.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Node(NodeId),
    PutNode(NodeWrite),
    Shards,
    PutShard(ShardWrite),
    List(ShardId),
    WriteList(ListWrite),
    Row(EntityId),
    Write(Arc<EntityWrite>),
    Outbox {
        id: EntityId,
        after: u64,
        limit: usize,
    },
    InsertTimers(Vec<TimerRow>),
    Due(DueQuery),
    DeleteTimers(Vec<TimerKey>),
    LowWater(ShardId),
    PutLowWater {
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    },
}

/// What the store answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Node(Option<NodeRow>),
    NodePut(Cas<Option<NodeRow>>),
    Shards(Vec<(ShardId, ShardRow)>),
    ShardPut(Cas<Option<ShardRow>>),
    List(Option<ShardRow>, Vec<ListEntry>),
    ListWritten(Cas<Option<ShardRow>>),
    Row(Option<Row>),
    Written(Cas<Option<Head>>),
    Outbox(Vec<OutboxRow>),
    Inserted,
    Due(DuePage),
    Deleted,
    LowWater(LowWater),
    LowWaterPut(Cas<LowWater>),
}

/// Which call was made: a failure has to reach the machine as the answer to that call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    PutNode,
    PutShard,
    List,
    WriteList,
    Row,
    Write,
    Outbox,
    InsertTimers,
    Due,
    DeleteTimers,
    LowWater,
    PutLowWater,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) content: Content,
    pub(super) history: History,
    pub(super) shortcut: Option<Shortcut>,
    /// The last row for an entity or a table that was delivered.
    pub(super) inside: HashMap<EntityId, u64>,
}

impl Op {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Node(_) | Self::Shards => Kind::Read,
            Self::PutNode(_) => Kind::PutNode,
            Self::PutShard(_) => Kind::PutShard,
            Self::List(_) => Kind::List,
            Self::WriteList(_) => Kind::WriteList,
            Self::Row(_) => Kind::Row,
            Self::Write(_) => Kind::Write,
            Self::Outbox { .. } => Kind::Outbox,
            Self::InsertTimers(_) => Kind::InsertTimers,
            Self::Due(_) => Kind::Due,
            Self::DeleteTimers(_) => Kind::DeleteTimers,
            Self::LowWater(_) => Kind::LowWater,
            Self::PutLowWater { .. } => Kind::PutLowWater,
        }
    }

    pub(super) fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Node(_)
                | Self::Shards
                | Self::List(_)
                | Self::Row(_)
                | Self::Outbox { .. }
                | Self::Due(_)
                | Self::LowWater(_)
        )
    }
}

impl Store {
    pub(super) fn apply(&mut self, op: &Op) -> Answer {
        let content = &mut self.content;
        match op {
            Op::Node(node) => Answer::Node(content.nodes.get(node).cloned()),
            Op::PutNode(write) => Answer::NodePut(content.put_node(write)),
            Op::Shards => Answer::Shards(content.shards.iter().map(|(s, r)| (*s, r.clone())).collect()),
            Op::PutShard(write) => Answer::ShardPut(content.put_shard(write)),
            Op::List(shard) => {
                let (row, entries) = content.list(*shard);
                Answer::List(row, entries)
            }
            Op::WriteList(write) if self.shortcut == Some(Shortcut::DirtyBuckets) => {
                let list = content.lists.entry(write.shard).or_default();
                list.extend(write.add.iter().cloned());
                list.retain(|e| !write.remove.contains(e));
                Answer::ListWritten(Cas::Applied)
            }
            Op::WriteList(write) => Answer::ListWritten(content.write_list(write)),
            Op::Row(id) => Answer::Row(content.rows.get(id).cloned()),
            Op::Write(write) => Answer::Written(self.write(write)),
            Op::Outbox { id, after, limit } => Answer::Outbox(content.outbox(id, *after, *limit)),
            Op::InsertTimers(rows) => {
                content
                    .timers
                    .extend(rows.iter().map(|r| (r.key.clone(), r.epoch)));
                Answer::Inserted
            }
            Op::Due(query) => Answer::Due(content.due(query)),
            Op::DeleteTimers(keys) => {
                self.delete_timers(keys);
                Answer::Deleted
            }
            Op::LowWater(shard) => {
                Answer::LowWater(content.low_waters.get(shard).copied().unwrap_or_default())
            }
            Op::PutLowWater {
                shard,
                previous,
                next,
            } => Answer::LowWaterPut(content.put_low_water(*shard, *previous, *next)),
        }
    }

    /// A row is known to be delivered.
    pub(super) fn delivered(&mut self, id: &EntityId, sequence: u64) {
        let row = self.history.rows.get(&(id.clone(), sequence));
        if row.is_some_and(|row| row.target.lane() == Lane::Inside) {
            let last = self.inside.entry(id.clone()).or_default();
            *last = (*last).max(sequence);
        }
    }

    fn write(&mut self, write: &EntityWrite) -> Cas<Option<Head>> {
        let mut write = write.clone();
        if self.shortcut == Some(Shortcut::PublishedByFasterLane) {
            let ahead = self.inside.get(&write.id).copied().unwrap_or_default();
            write.published = write.published.max(ahead.min(write.sequence));
        }
        let write = &write;
        let old = self.content.rows.get(&write.id).cloned();
        let answer = self.content.write(write);
        if answer == Cas::Applied {
            self.history.written(write, old.as_ref());
            self.check_timers(write, old.as_ref());
            if self.shortcut == Some(Shortcut::RemovedRows) {
                self.remove_if_deleted(write);
            }
        }
        answer
    }

    /// Rule 13: a commit that needs a timer finds its row there; nobody deleted it meanwhile (rule 14).
    fn check_timers(&mut self, write: &EntityWrite, old: Option<&Row>) {
        let Some(blob) = &write.blob else { return };
        let before = old.map(|r| decode(&r.blob).timers).unwrap_or_default();
        for timer in decode(blob).timers.iter().filter(|t| !before.contains(t)) {
            let row = |k: &TimerKey| {
                k.write_id == write.next.write_id && k.name == timer.name && k.due == timer.due
            };
            if !self.content.timers.keys().any(row) {
                let what = format!("{} was committed without the row of {timer:?}", write.id);
                self.history.violated(Violation::TimerLost(what));
            }
        }
    }

    /// Rule 14: a row is deleted only when it is done. What a committed state waits for keeps a row, without which
    /// nobody would fire it once the entity has left memory.
    fn delete_timers(&mut self, keys: &[TimerKey]) {
        for key in keys {
            if self.content.timers.remove(key).is_none() {
                continue;
            }
            let row = self.content.rows.get(&key.entity);
            let waits = row.is_some_and(|r| {
                let timers = decode(&r.blob).timers;
                timers.iter().any(|t| t.name == key.name && t.due == key.due)
            });
            let same = |k: &TimerKey| (&k.entity, &k.name, k.due) == (&key.entity, &key.name, key.due);
            if waits && !self.content.timers.keys().any(same) {
                let what = format!("{} waits for {}, whose row was deleted", key.entity, key.name);
                self.history.violated(Violation::TimerLost(what));
            }
        }
    }

    /// Whoever deletes rows does so once nothing is owed.
    fn remove_if_deleted(&mut self, write: &EntityWrite) {
        let deleted = write.blob.as_ref().is_some_and(|b| decode(b).alive == 0);
        if deleted && write.published == write.sequence {
            self.content.rows.remove(&write.id);
            self.content.outboxes.remove(&write.id);
        }
    }
}

/// The state in a blob.
pub(super) fn decode(blob: &[u8]) -> State {
    Memory::<Toy>::decode(blob).map(|m| m.state).unwrap_or_default()
}
