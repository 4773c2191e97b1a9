//! A world: virtual time, its events, and what connects nodes, store, broker and clients.

mod profile;
mod report;
mod traffic;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(super) use self::profile::Profile;
use self::profile::{entities, usual};
pub(super) use self::report::{Report, Run};
use self::traffic::Asker;
use super::broker::Consumer;
use super::check::Violation;
use super::client::{self, Client};
use super::network::{self, Fate, Heard, Line, Ms, TIMEOUT};
use super::node::{Node, Reply, Task, Tick};
use super::shortcut::Shortcut;
use super::store::{Op, Store};
use crate::id::{EntityId, NodeId, ShardId};
use crate::membership::Member;
use crate::store::{OutboxRow, StoreError};

/// Nanoseconds of the world's own clock.
pub(super) type Time = u64;
pub(super) const MS: Time = 1_000_000;
/// Faults happen until then.
const FAULTS: Ms = 60_000;
/// Late writes may land until then; afterwards the world is calm.
const CALM: Ms = FAULTS + 25_000;
/// All that is owed has arrived by then: a lease runs out, a scan comes round, deliveries are tried again.
const END: Ms = CALM + 200_000;
/// A world that needs more steps than that goes round in circles.
const STEPS: u64 = 400_000;
/// A world of leases has nothing to deliver afterwards.
const LEASE_END: Ms = CALM + 30_000;
/// How long a client waits for an answer.
const PATIENCE: Ms = 2_500;

pub(super) enum Event {
    /// A node does the next thing.
    Step(usize, u64),
    Tick(usize, u64, Tick, Time),
    /// The store carries out a call; the caller hears of it, or not.
    Store(Op, Option<(usize, u64, Reply, Ms)>),
    /// Something reaches a node.
    Arrive(usize, u64, Task),
    ClientTry(usize, u64),
    /// An answer reaches a client or a relay.
    Answer(u64, bool),
    Consume(EntityId, u64),
    /// A relay gives a row away.
    Send(usize, u64, super::node::EntityKey, OutboxRow),
    Crash(usize),
    /// A node is told to stop: it hands over what it owns and gives its lease up.
    Drain(usize),
    /// That took too long.
    GiveUp(usize, u64),
    Restart(usize),
    /// An owner falls asleep at one of its next steps.
    Doze,
    /// The broker leaves, or comes back.
    Broker {
        away: bool,
    },
    /// A node's line is that from now on.
    Line(usize, Line),
    Calm,
}

pub(super) struct World {
    pub(super) rng: StdRng,
    pub(super) now: Time,
    pub(super) store: Store,
    pub(super) shortcut: Option<Shortcut>,
    pub(super) report: Report,
    /// Pauses are not seen by a node's own boot clock.
    pub(super) frozen: bool,
    pub(super) faults: bool,
    pub(super) broker_away: bool,
    pub(super) profile: Profile,
    pub(super) shards: Vec<ShardId>,
    events: BinaryHeap<Reverse<(Time, u64)>>,
    pending: HashMap<u64, Event>,
    next: u64,
    nodes: Vec<Node>,
    lines: Vec<Line>,
    clients: Vec<Client>,
    consumer: Consumer,
    asks: HashMap<u64, Asker>,
    next_ask: u64,
    trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(seed: u64, profile: Profile, shortcut: Option<Shortcut>, trace: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let entities = entities(profile);
        let mut shards: Vec<ShardId> = entities.iter().map(EntityId::shard).collect();
        shards.dedup();
        let count = match profile {
            Profile::Mixed | Profile::Outages => rng.random_range(2..=3),
            Profile::Leases | Profile::Claims | Profile::Zombies => 2,
        };
        let frozen = match profile {
            Profile::Mixed | Profile::Outages => rng.random_bool(0.4),
            Profile::Leases | Profile::Claims => false,
            Profile::Zombies => true,
        };
        let clients = match profile {
            Profile::Leases | Profile::Claims => vec![],
            Profile::Mixed => client::draw(&mut rng, &entities, FAULTS),
            Profile::Outages => client::draw_for_outages(&mut rng, &entities, FAULTS),
            Profile::Zombies => client::draw_for_zombies(&mut rng, &entities, FAULTS),
        };
        let nodes: Vec<Node> = (0..count)
            .map(|i| Node::new(i, profile, &shards, &mut rng))
            .collect();
        let mut world = Self {
            rng,
            now: 0,
            store: Store {
                shortcut,
                ..Store::default()
            },
            shortcut,
            report: Report::default(),
            frozen,
            faults: true,
            broker_away: false,
            profile,
            shards,
            events: BinaryHeap::new(),
            pending: HashMap::new(),
            next: 0,
            lines: vec![usual(profile); nodes.len()],
            nodes,
            clients,
            consumer: Consumer::default(),
            asks: HashMap::new(),
            next_ask: 0,
            trace: trace.then(Vec::new),
        };
        world.plan();
        world
    }

    /// Runs to the end or to the first violation.
    pub(super) fn run(mut self) -> Run {
        let end = if matches!(self.profile, Profile::Leases | Profile::Claims) {
            LEASE_END
        } else {
            END
        };
        while self.store.history.violation.is_none()
            && let Some(Reverse((at, number))) = self.events.pop()
        {
            self.report.steps += 1;
            if at > end * MS || self.report.steps > STEPS {
                break;
            }
            self.now = at;
            self.faults = at < FAULTS * MS;
            if let Some(event) = self.pending.remove(&number) {
                self.happen(event);
            }
        }
        if self.store.history.violation.is_none() {
            self.settle();
        }
        Run {
            report: self.report,
            violation: self.store.history.violation.take(),
            trace: self.trace.unwrap_or_default(),
        }
    }

    /// What must be true once faults are over.
    fn settle(&mut self) {
        for client in &self.clients {
            if !client.acknowledged {
                let waiting = format!("client {} of {}", client.id, client.entity);
                self.store.history.violated(Violation::NobodyServes(waiting));
            }
        }
        let content = std::mem::take(&mut self.store.content);
        self.store.history.settled(&content, &self.consumer.processed);
        self.report.overtook = self.consumer.overtook;
        self.report.rows = self.store.history.rows.len() as u64;
    }

    pub(super) fn at(&mut self, at: Time, event: Event) {
        self.next += 1;
        self.pending.insert(self.next, event);
        self.events.push(Reverse((at, self.next)));
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10.3} {}", self.now as f64 / 1e6, line()));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step(node, life) => self.with(node, |node, world| node.step(life, world)),
            Event::Tick(node, life, tick, at) => {
                self.with(node, |node, world| node.tick(life, tick, at, world))
            }
            Event::Arrive(node, life, task) => self.with(node, |node, world| node.arrive(life, task, world)),
            Event::Store(op, reply) => self.carry_out(&op, reply),
            Event::ClientTry(client, attempt) => self.client_try(client, attempt),
            Event::Answer(ask, good) => self.answered(ask, good),
            Event::Send(node, life, key, row) => self.send(node, life, &key, row),
            Event::Consume(id, sequence) => {
                self.note(|| format!("consumer gets row {sequence} of {id}"));
                self.consumer.arrive(&id, sequence, &mut self.store.history);
            }
            Event::Crash(node) => {
                self.report.crashes += 1;
                self.note(|| format!("n{node} crashes"));
                self.with(node, |node, _| node.crash());
                let after = self.rng.random_range(0..15_000) * MS;
                self.at(self.now + after, Event::Restart(node));
            }
            Event::Drain(node) => {
                let others = (0..self.nodes.len()).any(|n| n != node && self.nodes[n].runs(self.now));
                self.with(node, |node, world| node.drain(others, world));
            }
            Event::GiveUp(node, life) => self.with(node, |node, world| node.give_up(life, world)),
            Event::Restart(node) => self.with(node, Node::start),
            Event::Doze => {
                let owner = (0..self.nodes.len()).find(|n| self.serves_awake(*n, self.shards[0]));
                self.with(owner.unwrap_or(0), |node, world| node.tire(world));
            }
            Event::Broker { away } => {
                self.note(|| format!("the broker is away: {away}"));
                self.broker_away = away;
            }
            Event::Line(node, line) => self.lines[node] = line,
            Event::Calm => self.note(|| "calm".to_owned()),
        }
        self.two_holders();
    }

    /// Lets a node act on the world that it is a part of.
    fn with(&mut self, node: usize, act: impl FnOnce(&mut Node, &mut Self)) {
        let mut taken = std::mem::replace(&mut self.nodes[node], Node::absent());
        act(&mut taken, self);
        self.nodes[node] = taken;
    }

    /// Members as gossip shows them: those that run and are heard.
    pub(super) fn members(&self, asking: usize) -> Vec<Member> {
        let heard = |i: usize| {
            self.nodes[i].runs(self.now) && matches!(self.lines[i], Line::Fair | Line::Slow | Line::Tardy)
        };
        let running = |i: &usize| *i == asking || heard(*i);
        let member = |i: usize| Member {
            node: name(i),
            region: String::new(),
            load: 0,
            draining: self.nodes[i].is_draining(),
        };
        (0..self.nodes.len()).filter(running).map(member).collect()
    }

    /// Sends a call to the store, whatever becomes of it.
    pub(super) fn call(&mut self, node: usize, life: u64, op: Op, reply: Reply) {
        // Sleepers are fault enough: who takes over from them must get to work before they wake.
        let calm = self.profile == Profile::Zombies && self.rng.random_bool(0.8);
        let fate = match self.faults && !calm {
            true => network::draw(&mut self.rng, self.lines[node]),
            false => network::calm(&mut self.rng),
        };
        // The whole world is asked to calm down before the end: nothing lands later.
        let Fate {
            applied,
            repeated,
            heard,
        } = fate;
        let kind = op.kind();
        self.note(|| format!("n{node} calls {op:?}: {fate:?}"));
        if repeated.is_some() || applied.is_some_and(|at| at >= TIMEOUT) {
            self.report.late += 1;
        }
        if let Some(again) = repeated.filter(|_| !op.is_read()) {
            self.at(self.now + again * MS, Event::Store(op.clone(), None));
        }
        let unknown = || StoreError::Unknown("no answer".to_owned());
        match (applied, heard) {
            (Some(at), Heard::Answer(after)) => {
                self.at(
                    self.now + at * MS,
                    Event::Store(op, Some((node, life, reply, after))),
                );
                return;
            }
            (Some(at), _) => self.at(self.now + at * MS, Event::Store(op, None)),
            (None, _) => {}
        }
        let (after, error) = match heard {
            Heard::Unavailable(after) => (after, StoreError::Unavailable("no".to_owned())),
            Heard::Answer(_) | Heard::Nothing => (TIMEOUT, unknown()),
        };
        self.at(
            self.now + after * MS,
            Event::Arrive(node, life, reply.task(kind, Err(error))),
        );
    }

    fn carry_out(&mut self, op: &Op, reply: Option<(usize, u64, Reply, Ms)>) {
        let answer = self.store.apply(op);
        self.note(|| format!("store carries out {op:?}: {answer:?}"));
        if let Some((node, life, reply, after)) = reply {
            self.at(
                self.now + after * MS,
                Event::Arrive(node, life, reply.task(op.kind(), Ok(answer))),
            );
        }
    }

    /// Two nodes never hold a shard at once, as long as their clocks see their pauses (rules 1, 2 and 4).
    fn two_holders(&mut self) {
        if self.frozen {
            return;
        }
        for shard in &self.shards {
            let holders: Vec<usize> = (0..self.nodes.len())
                .filter(|n| self.nodes[*n].holds(*shard, self.now))
                .collect();
            if holders.len() > 1 {
                let what = format!("nodes {holders:?} hold shard {shard} at {} ms", self.now / MS);
                self.store.history.violated(Violation::TwoHolders(what));
            }
        }
    }
}

pub(super) fn name(node: usize) -> NodeId {
    NodeId::new(&format!("n{node}"))
}
