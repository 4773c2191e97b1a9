//! What must never happen, and what must have happened in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::store::decode;
use super::toy::{CREDIT, Toy};
use crate::entity::{Entity, Target};
use crate::id::{EntityId, Epoch, ShardId, WriteId};
use crate::store::{EntityWrite, OutboxRow, Row};
use crate::testing::Content;

/// An invariant that was broken, with what broke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A commit landed whose epoch was passed, after the new owner had activated the entity.
    CommitOfPassedOwner(String),
    /// A commit landed that the activation which serves the entity does not know of.
    CommitBehindActivation(String),
    /// A command is in the chain twice.
    AppliedTwice(String),
    /// A commit dropped what an earlier one had written.
    LostUpdate(String),
    /// A command was acknowledged and is not in the chain.
    AcknowledgedAndLost(String),
    /// A consumer dropped a row that it had never processed.
    Skipped(String),
    /// An epoch of a shard was run a second time: one open list for two owners.
    EpochTwice(String),
    /// Two nodes held a shard at the same time.
    TwoHolders(String),
    /// After the faults: an outbox row did not arrive.
    Undelivered(String),
    /// A commit needs a timer whose row is gone; or, after the faults, a state waits for one that never comes.
    TimerLost(String),
    /// After the faults: a client still waits.
    NobodyServes(String),
}

/// Everything that was ever true, beside the store that only knows what is.
#[derive(Debug, Default)]
pub(super) struct History {
    /// How often a command entered a chain.
    pub(super) applied: HashMap<u32, u32>,
    /// The newest activation that answers, by entity: epoch, and the node's count.
    activated: HashMap<EntityId, (Epoch, u64)>,
    /// Which activation sent a write.
    pub(super) authors: HashMap<WriteId, u64>,
    /// All outbox rows that were ever committed.
    pub(super) rows: BTreeMap<(EntityId, u64), OutboxRow>,
    /// What was ever run, by whichever node.
    run: HashSet<(ShardId, Epoch)>,
    pub(super) violation: Option<Violation>,
}

impl History {
    /// The first one counts: the others may follow from it.
    pub(super) fn violated(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// Rules 2 and 3: every ownership has an epoch of its own.
    pub(super) fn run(&mut self, shard: ShardId, epoch: Epoch) {
        if !self.run.insert((shard, epoch)) {
            self.violated(Violation::EpochTwice(format!("{shard} in epoch {}", epoch.0)));
        }
    }

    pub(super) fn activated(&mut self, id: &EntityId, epoch: Epoch, activation: u64) {
        let newest = self.activated.entry(id.clone()).or_default();
        *newest = (*newest).max((epoch, activation));
    }

    /// A conditional write was applied; `old` is the row before it.
    pub(super) fn written(&mut self, write: &EntityWrite, old: Option<&Row>) {
        let author = (
            write.next.epoch,
            self.authors
                .get(&write.next.write_id)
                .copied()
                .unwrap_or_default(),
        );
        if let Some(newest) = self.activated.get(&write.id).copied()
            && author < newest
        {
            let what = format!("{} by {author:?} after {newest:?}", write.id);
            let same = author.0 == newest.0;
            let violation = if same {
                Violation::CommitBehindActivation
            } else {
                Violation::CommitOfPassedOwner
            };
            self.violated(violation(what));
        }
        for row in &write.insert {
            self.rows.insert((write.id.clone(), row.sequence), row.clone());
        }
        let Some(blob) = &write.blob else { return };
        let before = old.map(|r| decode(&r.blob)).unwrap_or_default();
        let after = decode(blob);
        if !after.log.starts_with(&before.log) {
            self.violated(Violation::LostUpdate(format!(
                "{}: {before:?} became {after:?}",
                write.id
            )));
        }
        for id in after.log.iter().skip(before.log.len()) {
            let count = self.applied.entry(*id).or_default();
            *count += 1;
            if *count > 1 {
                self.violated(Violation::AppliedTwice(format!("{id} in {}", write.id)));
            }
        }
    }

    /// All that was owed has arrived.
    pub(super) fn settled(&mut self, content: &Content, processed: &BTreeSet<(EntityId, u64)>) {
        for (id, row) in &content.rows {
            let waits = Toy::timers(&decode(&row.blob));
            if let Some(timer) = waits.first() {
                self.violated(Violation::TimerLost(format!("{id} waits for {timer:?}")));
            }
            if row.published != row.sequence {
                let missing = format!("{id}: {} of {} published", row.published, row.sequence);
                self.violated(Violation::Undelivered(missing));
            }
        }
        let rows = std::mem::take(&mut self.rows);
        for ((id, sequence), row) in &rows {
            let arrived = match &row.target {
                Target::Entity(_) => {
                    let paid: Result<super::toy::Command, _> = crate::wire::decode(&row.payload);
                    matches!(paid, Ok(super::toy::Command::Credit { id }) if id >= CREDIT && self.applied.contains_key(&id))
                }
                Target::Topic(_) | Target::Table(_) => processed.contains(&(id.clone(), *sequence)),
            };
            if !arrived {
                self.violated(Violation::Undelivered(format!("row {sequence} of {id}")));
            }
        }
        self.rows = rows;
    }
}
