//! Which shards this node claims, runs, stops and hands over (rules 2, 3 and 4).
//!
//! Invariants:
//! * A shard is run only in the generation in which its claim was decided, and only while that generation holds.
//! * Every claim and every hand-over raises the epoch by compare-and-set; an unknown outcome is settled by the
//!   identical statement, or healed by the next round (rule 3).
//! * The owner's lease was asked about after the shard's row was read, so a claim's `seen` epoch is older than the
//!   verdict it rests on.
//!
//! It lacks: any opinion on load. Placement is by hash alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::placement::preferred;
use super::watch::Verdict;
use crate::id::{Epoch, NodeId, ShardId};
use crate::membership::Member;
use crate::store::{Cas, ShardRow, ShardWrite, StoreError};
use crate::time::BootInstant;

/// Claims and hand-overs under way at once.
pub(crate) const CLAIMS_IN_FLIGHT: usize = 64;
/// Shards moved to a better owner at once, by a node that stays.
const MOVES_AT_ONCE: usize = 8;

/// What one round of reads found: all shard rows first, then the leases of their owners.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) rows: Vec<(ShardId, ShardRow)>,
    /// Of every other node that owns a shard.
    pub(crate) verdicts: HashMap<NodeId, Verdict>,
    pub(crate) members: Vec<Member>,
}

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

/// Between two sends of a claim whose outcome is unknown.
const RETRY: Duration = Duration::from_millis(200);

impl Ownership {
    pub(crate) fn new(node: NodeId, ttl: Duration, shards: Vec<ShardId>) -> Self {
        Self {
            node,
            ttl,
            shards,
            incarnation: 0,
            generation: 0,
            slots: BTreeMap::new(),
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
        self.drop_claims(|of| of != generation);
    }

    /// Claims of a lapsed generation are not pursued. One that lands late names this node and is healed by rule 3.
    fn drop_claims(&mut self, lapsed: impl Fn(u64) -> bool) {
        let dropped = |slot: &Slot| match slot {
            Slot::Writing {
                write,
                generation,
                on_wire,
                ..
            } => write.owner.is_some() && !on_wire && lapsed(*generation),
            _ => false,
        };
        self.slots.retain(|_, slot| !dropped(slot));
    }

    fn round(&mut self, now: BootInstant, round: Round, out: &mut Vec<Output>) {
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

    fn claim(&mut self, shard: ShardId, row: Option<&ShardRow>) {
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

    fn enqueue(&mut self, write: ShardWrite, generation: u64) {
        let shard = write.shard;
        self.slots.insert(
            shard,
            Slot::Writing {
                write,
                generation,
                on_wire: false,
                retry: None,
            },
        );
        self.waiting.push_back(shard);
    }

    /// Sends what waits, at most [`CLAIMS_IN_FLIGHT`] at once.
    fn send(&mut self, now: BootInstant, out: &mut Vec<Output>) {
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

    fn written(
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
            retry,
        }) = self.slots.get_mut(&shard)
        else {
            return;
        };
        *on_wire = false;
        let won = match answer {
            Ok(Cas::Applied) => true,
            // The identical statement, applied before: nobody else writes this owner and incarnation.
            Ok(Cas::Refused(Some(row))) => {
                (&row.owner, row.incarnation, row.epoch) == (&write.owner, write.incarnation, write.epoch)
            }
            Ok(Cas::Refused(None)) => false,
            Err(_) if *generation == self.generation || write.owner.is_none() => {
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
            self.slots.insert(shard, Slot::Running { epoch, generation });
            out.push(Output::Run {
                shard,
                epoch,
                generation,
            });
        }
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

    /// Rule 4: the owner hands one shard over: stopped first, then `owner = null, epoch + 1`.
    fn hand_over(&mut self, shard: ShardId, epoch: Epoch) {
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

    fn drain(&mut self, hand_over: bool, out: &mut Vec<Output>) {
        self.draining = Some(hand_over);
        self.drop_claims(|_| true);
        for (shard, slot) in &mut self.slots {
            if let Slot::Running { epoch, .. } = *slot {
                *slot = Slot::Stopping { epoch, hand_over };
                out.push(Output::Stop { shard: *shard });
            }
        }
    }
}
