//! Lease, rounds of reads, and claims, as the node's root drives them.

use std::collections::{BTreeMap, HashSet};

use super::task::{ShardKey, Todo};
use super::{BEAT, Node, Owned, Reply, Tick};
use crate::id::{NodeId, ShardId};
use crate::protocol::lease;
use crate::protocol::ownership::{self, Round};
use crate::protocol::shard::Shard;
use crate::protocol::watch::Answered;
use crate::simulation::shortcut::Shortcut;
use crate::simulation::store::{Answer, Op};
use crate::simulation::world::{Event, MS, Profile, World, name};
use crate::store::{ShardRow, StoreError};
use crate::time::BootInstant;

/// A round under way.
pub(super) struct Reads {
    rows: Vec<(ShardId, ShardRow)>,
    waiting: usize,
    leases: Vec<Answered>,
    /// In which it began.
    generation: u64,
}

impl Node {
    pub(super) fn feed_lease(&mut self, input: lease::Input, world: &mut World) {
        let now = self.now(world).boot;
        let Some(parts) = &mut self.parts else { return };
        let wants = parts.lease.handle(now, input);
        self.first(wants.into_iter().map(Todo::Lease).collect());
        self.plan(world, Tick::Lease);
    }

    pub(super) fn lease_wants(&mut self, output: lease::Output, world: &mut World) {
        let now = self.now(world).boot;
        let Some(parts) = &mut self.parts else { return };
        match output {
            lease::Output::Read => {
                world.call(self.index, self.life, Op::Node(name(self.index)), Reply::Lease)
            }
            lease::Output::Write(write) => {
                let again = parts.sent_before.as_ref() == Some(&write);
                if again && world.shortcut == Some(Shortcut::HoldFromResend) {
                    parts.lease.count_from_resend(now);
                }
                parts.sent_before = Some(write.clone());
                world.call(self.index, self.life, Op::PutNode(write), Reply::Lease);
            }
            lease::Output::Started { incarnation } => {
                self.feed_ownership(ownership::Input::Started { incarnation }, world);
            }
            lease::Output::Held(mut hold) => {
                if world.shortcut == Some(Shortcut::GoesOnAfterLateRenewal) {
                    hold.generation = 1;
                }
                let first = parts.hold.generation == 0;
                parts.hold = hold;
                self.feed_ownership(
                    ownership::Input::Held {
                        generation: hold.generation,
                    },
                    world,
                );
                if first {
                    self.round(world);
                }
            }
            lease::Output::Ended { .. } => {
                // Rule 1: the process ends, refused or released; somebody starts it again.
                self.crash();
                world.at(world.now + 1_000 * MS, Event::Restart(self.index));
            }
        }
    }

    pub(super) fn feed_ownership(&mut self, input: ownership::Input, world: &mut World) {
        let now = self.now(world).boot;
        let Some(parts) = &mut self.parts else { return };
        let wants = parts.ownership.handle(now, input);
        self.first(wants.into_iter().map(Todo::Own).collect());
        self.plan(world, Tick::Ownership);
    }

    pub(super) fn ownership_wants(&mut self, output: ownership::Output, world: &mut World) {
        match output {
            ownership::Output::Write(write) => {
                let now = self.now(world).boot;
                let Some(parts) = &self.parts else { return };
                // Rule 2. Who stops hands over all the same.
                let parting = parts.draining && write.owner.is_none();
                if !parting && !parts.hold.holds(parts.ownership.generation(), now) {
                    let answer = Err(StoreError::Unavailable("the lease does not hold".to_owned()));
                    let shard = write.shard;
                    return self.feed_ownership(ownership::Input::Written { shard, answer }, world);
                }
                world.report.claims += 1;
                let reply = Reply::Claim(write.shard);
                world.call(self.index, self.life, Op::PutShard(write), reply);
            }
            ownership::Output::Run {
                shard,
                epoch,
                generation,
            } => {
                world.store.history.run(shard, epoch);
                let seed = self.seed();
                let (machine, first) = Shard::new(shard, epoch, seed);
                let (entities, inherited) = (BTreeMap::new(), HashSet::new());
                let owned = Owned {
                    epoch,
                    generation,
                    machine,
                    open: false,
                    entities,
                    inherited,
                };
                if let Some(parts) = &mut self.parts {
                    parts.owned.insert(shard, owned);
                }
                let key = ShardKey { shard, epoch };
                self.shard_todo(key, first);
            }
            ownership::Output::Stop { shard } => {
                let epoch = self
                    .parts
                    .as_ref()
                    .and_then(|p| p.owned.get(&shard))
                    .map(|o| o.epoch);
                if let Some(epoch) = epoch {
                    self.lose(ShardKey { shard, epoch }, world);
                }
            }
            ownership::Output::Drained => self.feed_lease(lease::Input::Release, world),
        }
    }

    /// Shard rows first, then the leases of their owners (rule 4).
    pub(super) fn round(&mut self, world: &mut World) {
        let next = world.now + u64::try_from(BEAT.as_nanos()).unwrap_or(u64::MAX);
        world.at(next, Event::Tick(self.index, self.life, Tick::Round, next));
        if world.profile == Profile::Zombies {
            self.scan_now(world);
        }
        let Some(parts) = &mut self.parts else { return };
        if parts.round.is_none() {
            parts.round = Some(Reads {
                rows: vec![],
                waiting: 1,
                leases: vec![],
                generation: parts.ownership.generation(),
            });
            world.call(self.index, self.life, Op::Shards, Reply::Shards);
        }
    }

    pub(super) fn round_rows(&mut self, answer: Result<Answer, StoreError>, world: &mut World) {
        let asked = self.now(world).boot;
        let me = name(self.index);
        let Some(parts) = &mut self.parts else { return };
        let Some(reads) = &mut parts.round else { return };
        let Ok(Answer::Shards(rows)) = answer else {
            parts.round = None;
            return;
        };
        let mut others: Vec<NodeId> = rows.iter().filter_map(|(_, r)| r.owner.clone()).collect();
        others.sort();
        others.dedup();
        others.retain(|n| *n != me);
        reads.rows = rows;
        reads.waiting = others.len();
        for node in others {
            let reply = Reply::Owner {
                node: node.clone(),
                asked,
            };
            world.call(self.index, self.life, Op::Node(node), reply);
        }
        self.end_round(world);
    }

    pub(super) fn round_owner(
        &mut self,
        node: NodeId,
        asked: BootInstant,
        answer: Result<Answer, StoreError>,
        world: &mut World,
    ) {
        let mut arrived = self.now(world).boot;
        if world.shortcut == Some(Shortcut::TtlFromQuestion) {
            arrived = asked;
        }
        let Some(reads) = self.parts.as_mut().and_then(|p| p.round.as_mut()) else {
            return;
        };
        reads.waiting -= 1;
        if let Ok(Answer::Node(row)) = answer {
            reads.leases.push(Answered {
                node,
                asked,
                arrived,
                row,
            });
        }
        self.end_round(world);
    }

    pub(super) fn end_round(&mut self, world: &mut World) {
        let Some(parts) = &mut self.parts else { return };
        if parts.round.as_ref().is_none_or(|r| r.waiting > 0) {
            return;
        }
        let Some(Reads {
            mut rows,
            leases,
            mut generation,
            ..
        }) = parts.round.take()
        else {
            return;
        };
        let verdicts = parts.watch.round(&rows, leases);
        if world.shortcut == Some(Shortcut::OldRounds) {
            generation = parts.ownership.generation();
            parts.ownership.forget_what_ran();
        }
        if world.shortcut == Some(Shortcut::GoesOnAfterLateRenewal) {
            rows.retain(|(shard, _)| !parts.owned.contains_key(shard));
        }
        let members = world.members(self.index);
        self.feed_ownership(
            ownership::Input::Round(Round {
                generation,
                rows,
                verdicts,
                members,
            }),
            world,
        );
    }
}
