//! What a round of reads leads to: which shards are stopped, moved or claimed (rules 3 and 4).

use std::collections::HashMap;

use super::{Output, Ownership, Slot};
use crate::id::{NodeId, ShardId};
use crate::membership::Member;
use crate::protocol::placement::preferred;
use crate::protocol::watch::Verdict;
use crate::store::ShardRow;
use crate::time::BootInstant;

/// Shards moved to a better owner at once, by a node that stays.
const MOVES_AT_ONCE: usize = 8;

/// What one round of reads found: all shard rows first, then the leases of their owners.
#[derive(Debug)]
pub(crate) struct Round {
    /// In which it began: [`Ownership::generation`] before the first question was sent.
    pub(crate) generation: u64,
    pub(crate) rows: Vec<(ShardId, ShardRow)>,
    /// Of every other node that owns a shard.
    pub(crate) verdicts: HashMap<NodeId, Verdict>,
    pub(crate) members: Vec<Member>,
}

impl Ownership {
    pub(super) fn round(&mut self, now: BootInstant, round: Round, out: &mut Vec<Output>) {
        // Rule 2: it may show rows from before shards that were lost since; the next round takes those again.
        if round.generation != self.generation {
            return;
        }
        let rows: HashMap<ShardId, ShardRow> = round.rows.into_iter().collect();
        self.owners = rows
            .iter()
            .filter_map(|(s, r)| Some((*s, r.owner.clone()?)))
            .collect();
        let mut moving = self.moving();
        for shard in self.shards.clone() {
            let row = rows.get(&shard);
            let best = preferred(shard, &round.members);
            match self.slots.get(&shard) {
                Some(Slot::Running { epoch, .. }) => {
                    let epoch = *epoch;
                    // Rule 3: a row of a higher epoch, whoever it names, means that this one is passed. Lower ones
                    // are old answers of a plain read.
                    let passed = row.is_some_and(|r| r.epoch > epoch);
                    let stays = self.draining.is_none();
                    let elsewhere = stays && best.is_some_and(|n| *n != self.node) && moving < MOVES_AT_ONCE;
                    if passed || elsewhere {
                        moving += usize::from(!passed);
                        self.slots.insert(
                            shard,
                            Slot::Stopping {
                                epoch,
                                hand_over: !passed,
                            },
                        );
                        out.push(Output::Stop { shard });
                    }
                }
                Some(_) => {}
                None if self.draining.is_some() || self.generation == 0 => {}
                None => {
                    let best = best == Some(&self.node);
                    if self.may_claim(now, shard, row, best, &round.verdicts) {
                        self.claim(shard, row);
                    }
                }
            }
        }
    }

    fn moving(&self) -> usize {
        let handed = |slot: &&Slot| match slot {
            Slot::Stopping { hand_over, .. } => *hand_over,
            Slot::Writing { write, .. } => write.owner.is_none(),
            Slot::Running { .. } => false,
        };
        self.slots.values().filter(handed).count()
    }

    fn may_claim(
        &mut self,
        now: BootInstant,
        shard: ShardId,
        row: Option<&ShardRow>,
        best: bool,
        verdicts: &HashMap<NodeId, Verdict>,
    ) -> bool {
        // An answer from before what was run here: whatever it names, that epoch is over.
        if self
            .ran
            .get(&shard)
            .is_some_and(|ran| row.is_none_or(|r| r.epoch < *ran))
        {
            return false;
        }
        let owner = row.and_then(|r| r.owner.as_ref());
        // Rule 3: a row that names this node, of whichever incarnation, is claimed with a raised epoch.
        if owner == Some(&self.node) {
            return true;
        }
        // Rule 4: handed over, never owned, or its owner's lease is gone.
        if owner.is_some_and(|o| verdicts.get(o) != Some(&Verdict::Gone)) {
            self.free.remove(&shard);
            return false;
        }
        // The node that should own it goes first; somebody can always take it.
        let epoch = row.map(|r| r.epoch);
        let since = self.free.entry(shard).or_insert((epoch, now));
        if since.0 != epoch {
            *since = (epoch, now);
        }
        best || now.since(since.1) >= self.ttl
    }
}
