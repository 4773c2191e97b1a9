//! Claims and hand-overs on their way to the store (rules 3 and 4).

use std::time::Duration;

use super::{Output, Ownership, Slot};
use crate::id::{Epoch, ShardId};
use crate::store::{Cas, ShardRow, ShardWrite, StoreError};
use crate::time::BootInstant;

/// Claims and hand-overs under way at once.
pub(super) const CLAIMS_IN_FLIGHT: usize = 64;
/// Between two sends of a claim whose outcome is unknown.
const RETRY: Duration = Duration::from_millis(200);

impl Ownership {
    pub(super) fn claim(&mut self, shard: ShardId, row: Option<&ShardRow>) {
        let seen = row.map(|r| r.epoch);
        let write = ShardWrite {
            shard,
            seen,
            owner: Some(self.node.clone()),
            incarnation: self.incarnation,
            epoch: seen.unwrap_or_default().next(),
        };
        self.enqueue(write, self.generation);
    }

    /// Rule 4: the owner hands one shard over: stopped first, then `owner = null, epoch + 1`.
    pub(super) fn hand_over(&mut self, shard: ShardId, epoch: Epoch) {
        let incarnation = self.incarnation;
        let write = ShardWrite {
            shard,
            seen: Some(epoch),
            owner: None,
            incarnation,
            epoch: epoch.next(),
        };
        self.enqueue(write, self.generation);
    }

    fn enqueue(&mut self, write: ShardWrite, generation: u64) {
        let shard = write.shard;
        self.slots.insert(
            shard,
            Slot::Writing {
                write,
                generation,
                on_wire: false,
                unsettled: false,
                retry: None,
            },
        );
        self.waiting.push_back(shard);
    }

    /// Sends what waits, at most [`CLAIMS_IN_FLIGHT`] at once.
    pub(super) fn send(&mut self, now: BootInstant, out: &mut Vec<Output>) {
        let due = self.slots.iter_mut().filter_map(|(shard, slot)| match slot {
            Slot::Writing {
                on_wire: false,
                retry,
                ..
            } if retry.is_some_and(|at| at <= now) => {
                *retry = None;
                Some(*shard)
            }
            _ => None,
        });
        self.waiting.extend(due);
        while self.in_flight < CLAIMS_IN_FLIGHT {
            let Some(shard) = self.waiting.pop_front() else {
                return;
            };
            if let Some(Slot::Writing { write, on_wire, .. }) = self.slots.get_mut(&shard)
                && !*on_wire
            {
                *on_wire = true;
                self.in_flight += 1;
                out.push(Output::Write(write.clone()));
            }
        }
    }

    pub(super) fn written(
        &mut self,
        now: BootInstant,
        shard: ShardId,
        answer: Result<Cas<Option<ShardRow>>, StoreError>,
        out: &mut Vec<Output>,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(Slot::Writing {
            write,
            generation,
            on_wire,
            unsettled,
            retry,
        }) = self.slots.get_mut(&shard)
        else {
            return;
        };
        *on_wire = false;
        let won = match answer {
            Ok(Cas::Applied) => true,
            // The identical statement, applied before: nobody else writes this owner and incarnation. Without an
            // unknown outcome before it, it was another claim of this node that did so, and it may have been run.
            Ok(Cas::Refused(Some(row))) => {
                *unsettled
                    && (&row.owner, row.incarnation, row.epoch)
                        == (&write.owner, write.incarnation, write.epoch)
            }
            Ok(Cas::Refused(None)) => false,
            // Rule 2: what a lapsed generation wanted is not pursued; who stops hands over whatever became of it.
            Err(error)
                if *generation == self.generation || (write.owner.is_none() && self.draining.is_some()) =>
            {
                *unsettled |= error.is_unknown();
                *retry = Some(now + RETRY);
                return;
            }
            Err(_) => false,
        };
        let claimed = won && write.owner.is_some() && *generation == self.generation;
        let (epoch, generation) = (write.epoch, *generation);
        self.slots.remove(&shard);
        if let (true, Some(hand_over)) = (claimed, self.draining) {
            if hand_over {
                self.hand_over(shard, epoch);
            }
        } else if claimed {
            self.owners.insert(shard, self.node.clone());
            self.ran.insert(shard, epoch);
            self.slots.insert(shard, Slot::Running { epoch, generation });
            out.push(Output::Run {
                shard,
                epoch,
                generation,
            });
        }
    }

    /// Claims and hand-overs of a lapsed generation are not pursued. A claim that lands late names this node, and so
    /// does the row of what was not handed over: both are healed by rule 3.
    pub(super) fn drop_lapsed(&mut self) {
        let current = self.generation;
        let dropped = |slot: &Slot| match slot {
            Slot::Writing {
                write,
                generation,
                on_wire,
                ..
            } => (write.owner.is_some() || self.draining.is_none()) && !on_wire && *generation != current,
            _ => false,
        };
        self.slots.retain(|_, slot| !dropped(slot));
    }

    /// Who drains claims nothing more.
    pub(super) fn drop_claims(&mut self) {
        let dropped = |slot: &Slot| matches!(slot, Slot::Writing { write, on_wire: false, .. } if write.owner.is_some());
        self.slots.retain(|_, slot| !dropped(slot));
    }
}
