//! One owned shard: its open list, its timers, and the entities that must be activated (rules 6, 8, 9 and 14).
//!
//! Invariants: nothing is activated before the list is inherited and the low water is this owner's; every inherited
//! entity and every crashed one of the list is activated in the background, at a bounded rate; so are those that left
//! memory owing rows, once these get through.
//!
//! It lacks: knowledge of which entities are in memory. The driver keeps those, spawns on demand with
//! [`Shard::must_fence`], and takes a wish to revive somebody who lives as done.

mod parked;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::parked::Parked;
use super::Now;
use super::backoff::Backoff;
use super::open_list::{OpenList, Step, Wish};
use super::scan::{self, Scan};
use crate::entity::Lane;
use crate::id::{EntityId, Epoch, ShardId};
use crate::store::{Cas, DuePage, DueQuery, ListEntry, ListWrite, LowWater, ShardRow, StoreError, TimerRow};
use crate::time::{BootInstant, Hour, Timestamp};

/// Background activations under way at once, per shard (rule 6: rate-limited).
const REVIVALS: usize = 8;

#[derive(Debug)]
pub(crate) enum Input {
    /// The answer to [`Output::ReadList`].
    List(Result<(Option<ShardRow>, Vec<ListEntry>), StoreError>),
    /// The answer to [`Output::WriteList`].
    ListWritten(Result<Cas<Option<ShardRow>>, StoreError>),
    /// The answer to [`Output::ReadLowWater`].
    LowWater(Result<LowWater, StoreError>),
    /// The answer to [`Output::PutLowWater`].
    LowWaterPut(Result<Cas<LowWater>, StoreError>),
    /// The answer to [`Output::Query`].
    Page(Result<DuePage, StoreError>),
    /// An entity is about to commit.
    Note(EntityId, Wish),
    /// An entity owes nothing any more.
    Unnote(EntityId),
    /// An entity inserted a timer row due then.
    Armed(Timestamp),
    /// An entity answers from now on.
    Activated(EntityId),
    /// An entity's actor is gone without having been told to.
    Crashed(EntityId),
    /// An entity left memory and stays in the list: this lane does not take its rows.
    Parked(EntityId, Lane),
    /// A row of this lane got through, of an entity that was revived.
    Through(EntityId, Lane),
    /// Another shard of the node said [`Output::Opens`].
    Opens(Lane),
    /// An entity that was to be revived lives already, or cannot; or it left memory owing nothing.
    NotRevived(EntityId),
    /// [`Shard::wake`] has come.
    Tick,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    ReadList,
    WriteList(ListWrite),
    ReadLowWater,
    PutLowWater {
        previous: LowWater,
        next: LowWater,
    },
    Query(DueQuery),
    /// Entities may be activated from now on.
    Opened,
    /// The entity may commit.
    Noted(EntityId, Wish),
    /// The entity may not commit now: the store does not take its note.
    NoteFailed(EntityId, Wish, StoreError),
    /// Give the row to its entity, activating it if need be.
    Deliver(TimerRow),
    /// Activate this entity, unless it is.
    Revive(EntityId),
    /// This lane, which kept entities of this shard, takes rows again.
    Opens(Lane),
    /// Another owner has the shard.
    Passed,
}

/// The machine of one owned shard.
#[derive(Debug)]
pub(crate) struct Shard {
    shard: ShardId,
    epoch: Epoch,
    rng: StdRng,
    list: Option<OpenList>,
    scan: Scan,
    scan_ready: bool,
    backoff: Backoff,
    reread: Option<BootInstant>,
    waiting: VecDeque<EntityId>,
    reviving: HashSet<EntityId>,
    /// Crashed entities wait a little before they are activated again.
    crashed: VecDeque<(BootInstant, EntityId)>,
    crash_backoff: Backoff,
    parked: Parked,
}

impl Shard {
    /// A shard whose claim was just won.
    pub(crate) fn new(shard: ShardId, epoch: Epoch, seed: [u8; 32]) -> (Self, Vec<Output>) {
        let (scan, first) = Scan::new(shard, epoch);
        let machine = Self {
            shard,
            epoch,
            rng: StdRng::from_seed(seed),
            list: None,
            scan,
            scan_ready: false,
            backoff: Backoff::store().apart(shard),
            reread: None,
            waiting: VecDeque::new(),
            reviving: HashSet::new(),
            crashed: VecDeque::new(),
            crash_backoff: Backoff::store(),
            parked: Parked::default(),
        };
        let mut out = vec![Output::ReadList];
        machine.scanned(vec![first], &mut out);
        (machine, out)
    }

    /// Whether entities may be activated.
    pub(crate) fn is_open(&self) -> bool {
        self.list.is_some() && self.scan_ready
    }

    /// Rule 5: an entity of the open list, as this owner knows it, fences its row before anything else.
    pub(crate) fn must_fence(&self, entity: &EntityId) -> bool {
        self.list.as_ref().is_some_and(|l| l.contains(entity))
    }

    /// The earliest bucket for new timer rows.
    pub(crate) fn low_water(&self) -> Hour {
        self.scan.low_water()
    }

    /// When it wants a [`Input::Tick`].
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        let list = self.list.as_ref().and_then(OpenList::wake);
        let crashed = self.crashed.front().map(|(at, _)| *at);
        let scan = self.scan.wake().filter(|_| self.may_scan());
        let parked = self.parked.wake().filter(|_| self.is_open());
        let fixed = [self.reread, list, scan, crashed, parked];
        fixed.into_iter().flatten().min()
    }

    /// Timers are delivered to activations, and nothing is activated before the list says what must be fenced.
    fn may_scan(&self) -> bool {
        self.list.is_some() || !self.scan_ready
    }

    /// Somebody uses the entity: its driver activates it if need be, and it is background work no more.
    pub(crate) fn used(&mut self, entity: &EntityId) {
        self.parked.leave(entity);
    }

    pub(crate) fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        let was_open = self.is_open();
        let mut out = vec![];
        match input {
            Input::List(answer) => self.inherit(now, answer, &mut out),
            Input::ListWritten(answer) => {
                if let Some(list) = &mut self.list {
                    listed(list.written(now.boot, answer, &mut self.rng), &mut out);
                }
            }
            Input::Note(entity, wish) => {
                if let Some(list) = &mut self.list {
                    listed(list.note(entity, wish, &mut self.rng), &mut out);
                }
            }
            Input::Unnote(entity) => {
                self.parked.leave(&entity);
                if let Some(list) = &mut self.list {
                    listed(list.remove(entity, &mut self.rng), &mut out);
                }
            }
            Input::LowWater(answer) => self.scan(now, scan::Input::LowWater(answer), &mut out),
            Input::LowWaterPut(answer) => self.scan(now, scan::Input::Put(answer), &mut out),
            Input::Page(answer) => self.scan(now, scan::Input::Page(answer), &mut out),
            Input::Armed(due) => self.scan(now, scan::Input::Armed(due), &mut out),
            Input::Activated(entity) => {
                self.reviving.remove(&entity);
            }
            Input::Crashed(entity) => self.crashed(now, entity),
            Input::Parked(entity, lane) => {
                self.reviving.remove(&entity);
                if self.must_fence(&entity) {
                    self.parked.park(now.boot, entity, lane);
                }
            }
            Input::Through(entity, lane) => {
                if self.parked.through(&entity, lane) {
                    out.push(Output::Opens(lane));
                }
            }
            Input::Opens(lane) => self.parked.look(now.boot, lane),
            Input::NotRevived(entity) => {
                self.reviving.remove(&entity);
                self.parked.leave(&entity);
            }
            Input::Tick => self.tick(now, &mut out),
        }
        if self.is_open() {
            if !was_open {
                out.push(Output::Opened);
            }
            self.revive(now, &mut out);
        }
        out
    }

    fn inherit(
        &mut self,
        now: Now,
        answer: Result<(Option<ShardRow>, Vec<ListEntry>), StoreError>,
        out: &mut Vec<Output>,
    ) {
        // Rule 8: read once; a second answer would show what others wrote meanwhile.
        if self.list.is_some() {
            return;
        }
        match answer {
            Ok((Some(row), entries)) if row.epoch == self.epoch => {
                // Rule 6: every inherited entity is activated in the background.
                self.waiting.extend(entries.iter().cloned());
                self.list = Some(OpenList::inherited(self.shard, self.epoch, row.list_id, entries));
            }
            Ok(_) => out.push(Output::Passed),
            Err(_) => self.reread = Some(now.boot + self.backoff.fail()),
        }
    }

    /// Rule 6: a crashed actor in the list is activated again.
    fn crashed(&mut self, now: Now, entity: EntityId) {
        self.reviving.remove(&entity);
        self.parked.leave(&entity);
        if self.must_fence(&entity) {
            self.crashed
                .push_back((now.boot + self.crash_backoff.fail(), entity));
        }
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.reread.is_some_and(|at| at <= now.boot) {
            self.reread = None;
            out.push(Output::ReadList);
        }
        if let Some(list) = &mut self.list {
            listed(list.tick(now.boot), out);
        }
        while self.crashed.front().is_some_and(|(at, _)| *at <= now.boot) {
            self.waiting.extend(self.crashed.pop_front().map(|(_, e)| e));
        }
        // Not while one that crashed is on its way back: it may crash again.
        if self.crashed.is_empty() && self.waiting.is_empty() && self.reviving.is_empty() {
            self.crash_backoff.reset();
        }
        if self.may_scan() {
            self.scan(now, scan::Input::Tick, out);
        }
    }

    fn revive(&mut self, now: Now, out: &mut Vec<Output>) {
        while self.reviving.len() < REVIVALS
            && let Some(entity) = self.waiting.pop_front()
        {
            if self.must_fence(&entity) && self.reviving.insert(entity.clone()) {
                out.push(Output::Revive(entity));
            }
        }
        while let Some(entity) = self.parked.next(now.boot) {
            out.push(Output::Revive(entity));
        }
    }

    fn scan(&mut self, now: Now, input: scan::Input, out: &mut Vec<Output>) {
        let steps = self.scan.handle(now, input);
        self.scan_ready |= steps.contains(&scan::Output::Ready);
        self.scanned(steps, out);
    }

    fn scanned(&self, steps: Vec<scan::Output>, out: &mut Vec<Output>) {
        out.extend(steps.into_iter().filter_map(|step| match step {
            scan::Output::ReadLowWater => Some(Output::ReadLowWater),
            scan::Output::PutLowWater { previous, next } => Some(Output::PutLowWater { previous, next }),
            scan::Output::Query(query) => Some(Output::Query(query)),
            scan::Output::Deliver(row) => Some(Output::Deliver(row)),
            scan::Output::Ready => None,
            scan::Output::Passed => Some(Output::Passed),
        }));
    }
}

fn listed(steps: Vec<Step>, out: &mut Vec<Output>) {
    out.extend(steps.into_iter().map(|step| match step {
        Step::Write(write) => Output::WriteList(write),
        Step::Noted(entity, wish) => Output::Noted(entity, wish),
        Step::NoteFailed(entity, wish, error) => Output::NoteFailed(entity, wish, error),
        Step::Passed => Output::Passed,
    }));
}
