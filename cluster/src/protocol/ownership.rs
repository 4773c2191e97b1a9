//! Which shards this node claims, runs, stops and hands over (rules 2, 3 and 4).
//!
//! Invariants:
//! * A shard is run only in the generation in which its claim was decided, and only while that generation holds.
//! * Every claim and every hand-over raises the epoch by compare-and-set; an unknown outcome is settled by the
//!   identical statement, or healed by the next round (rule 3).
//! * The owner's lease was asked about after the shard's row was read, so a claim's `seen` epoch is older than the
//!   verdict it rests on.
//! * An epoch is run at most once. A round that began in another generation is dropped, a row older than what was run
//!   here is no row, and a claim refused by a row that looks like its own is won only if it was sent before: nothing
//!   else keeps a claim from being made a second time out of an old answer, and the two owners of that epoch, both this
//!   node, would have one open list and one set of fences between them (rules 2, 3 and 8).
//!
//! It lacks: any opinion on load. Placement is by hash alone.

mod claims;
mod round;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

pub(crate) use self::round::Round;
use crate::id::{Epoch, NodeId, ShardId};
use crate::store::{Cas, ShardRow, ShardWrite, StoreError};
use crate::time::BootInstant;

#[derive(Debug)]
pub(crate) enum Input {
    /// The node's lease started; claims carry this incarnation.
    Started {
        incarnation: u64,
    },
    /// The generation that holds now; older shards are lost.
    Held {
        generation: u64,
    },
    Round(Round),
    /// The answer to [`Output::Write`].
    Written {
        shard: ShardId,
        answer: Result<Cas<Option<ShardRow>>, StoreError>,
    },
    /// The shard's machines are gone: passed, crashed, lapsed, or stopped as wished.
    Stopped {
        shard: ShardId,
        epoch: Epoch,
    },
    /// Stop everything and take nothing; with somebody else there, hand it over.
    Drain {
        hand_over: bool,
    },
    /// [`Ownership::wake`] has come.
    Tick,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Write(ShardWrite),
    /// The claim is won: run the shard.
    Run {
        shard: ShardId,
        epoch: Epoch,
        generation: u64,
    },
    /// Stop running it and report [`Input::Stopped`].
    Stop {
        shard: ShardId,
    },
    /// Nothing is owned or under way any more.
    Drained,
}

/// The shards of a home, as this node sees them.
#[derive(Debug)]
pub(crate) struct Ownership {
    node: NodeId,
    ttl: Duration,
    shards: Vec<ShardId>,
    incarnation: u64,
    generation: u64,
    slots: BTreeMap<ShardId, Slot>,
    /// The last epoch of each shard that was run here.
    ran: HashMap<ShardId, Epoch>,
    /// Since when a shard could be taken by anybody, and at which epoch.
    free: HashMap<ShardId, (Option<Epoch>, BootInstant)>,
    waiting: VecDeque<ShardId>,
    in_flight: usize,
    /// Whether shards are handed over.
    draining: Option<bool>,
    drained: bool,
    /// Who owns what, as the last round showed it; for hints.
    owners: HashMap<ShardId, NodeId>,
}

#[derive(Debug)]
enum Slot {
    /// A claim or a hand-over, waiting for its turn, on the wire, or to be sent again.
    Writing {
        write: ShardWrite,
        generation: u64,
        on_wire: bool,
        /// An earlier send of it had an unknown outcome.
        unsettled: bool,
        retry: Option<BootInstant>,
    },
    Running {
        epoch: Epoch,
        generation: u64,
    },
    /// Told to stop; afterwards handed over if `hand_over`.
    Stopping {
        epoch: Epoch,
        hand_over: bool,
    },
}

impl Ownership {
    pub(crate) fn new(node: NodeId, ttl: Duration, shards: Vec<ShardId>) -> Self {
        Self {
            node,
            ttl,
            shards,
            incarnation: 0,
            generation: 0,
            slots: BTreeMap::new(),
            ran: HashMap::new(),
            free: HashMap::new(),
            waiting: VecDeque::new(),
            in_flight: 0,
            draining: None,
            drained: false,
            owners: HashMap::new(),
        }
    }

    /// Who owns what, as far as this node knows.
    pub(crate) fn owners(&self) -> HashMap<ShardId, NodeId> {
        self.owners.clone()
    }

    /// The generation that claims are made in.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// When it wants a [`Input::Tick`].
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        let retries = self.slots.values().filter_map(|slot| match slot {
            Slot::Writing {
                on_wire: false,
                retry,
                ..
            } => *retry,
            _ => None,
        });
        retries.min()
    }

    pub(crate) fn handle(&mut self, now: BootInstant, input: Input) -> Vec<Output> {
        let mut out = vec![];
        match input {
            Input::Started { incarnation } => self.incarnation = incarnation,
            Input::Held { generation } => self.held(generation, &mut out),
            Input::Round(round) => self.round(now, round, &mut out),
            Input::Written { shard, answer } => self.written(now, shard, answer, &mut out),
            Input::Stopped { shard, epoch } => self.stopped(shard, epoch),
            Input::Drain { hand_over } => self.drain(hand_over, &mut out),
            Input::Tick => {}
        }
        self.send(now, &mut out);
        if self.draining.is_some() && !self.drained && self.slots.is_empty() {
            self.drained = true;
            out.push(Output::Drained);
        }
        out
    }

    /// Rule 2: the shards of an older generation are lost, all of them; the next round takes them again.
    fn held(&mut self, generation: u64, out: &mut Vec<Output>) {
        self.generation = generation;
        for (shard, slot) in &mut self.slots {
            if let Slot::Running {
                epoch,
                generation: of,
            } = *slot
                && of != generation
            {
                *slot = Slot::Stopping {
                    epoch,
                    hand_over: false,
                };
                out.push(Output::Stop { shard: *shard });
            }
        }
        self.drop_lapsed();
    }

    fn stopped(&mut self, shard: ShardId, of: Epoch) {
        match self.slots.get(&shard) {
            Some(Slot::Running { epoch, .. }) if *epoch == of => {
                self.slots.remove(&shard);
            }
            Some(Slot::Stopping { epoch, hand_over }) if *epoch == of => {
                let hand_over = *hand_over;
                self.slots.remove(&shard);
                if hand_over {
                    self.hand_over(shard, of);
                }
            }
            _ => {}
        }
    }

    /// The shortcut "an old round is as good as a new one", for the simulation that must catch it.
    #[cfg(test)]
    pub(crate) fn forget_what_ran(&mut self) {
        self.ran.clear();
    }

    /// Epoch and incarnation of the claim under way, for the same shortcut.
    #[cfg(test)]
    pub(crate) fn claims(&self, shard: ShardId) -> Option<(Epoch, u64)> {
        match self.slots.get(&shard) {
            Some(Slot::Writing { write, .. }) if write.owner.is_some() => {
                Some((write.epoch, write.incarnation))
            }
            _ => None,
        }
    }

    fn drain(&mut self, hand_over: bool, out: &mut Vec<Output>) {
        self.draining = Some(hand_over);
        self.drop_claims();
        for (shard, slot) in &mut self.slots {
            if let Slot::Running { epoch, .. } = *slot {
                *slot = Slot::Stopping { epoch, hand_over };
                out.push(Output::Stop { shard: *shard });
            }
        }
    }
}
