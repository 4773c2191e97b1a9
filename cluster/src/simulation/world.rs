//! A world: virtual time, its events, and what connects nodes, store, broker and clients.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::OnceLock;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::broker::Consumer;
use super::check::Violation;
use super::client::{self, Client};
use super::network::{self, Fate, Heard, Line, Ms, TIMEOUT};
use super::node::{Node, Reply, Task, Tick};
use super::shortcut::Shortcut;
use super::store::{Op, Store};
use super::toy::{Command, Toy};
use crate::entity::{Source, Target};
use crate::id::{EntityId, NodeId, ShardId};
use crate::membership::Member;
use crate::protocol::outcome::Outcome;
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
/// In a world of leases some node is cut off once in that time.
const OUTAGE_EVERY: usize = 30_000;
/// In a world of zombies some node dozes once in that time.
const DOZE_EVERY: usize = 30_000;
/// How long a client waits for an answer.
const PATIENCE: Ms = 2_500;

/// What a world is mostly about; the seed says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// A bit of everything.
    Mixed,
    /// Two nodes whose clocks run as unequally as the rules allow, few commands, many cuts and slow answers.
    Leases,
    /// Owners that doze without noticing, long enough to be passed, and go on as if nothing had happened; few entities
    /// used by all, some only looked at, short timers, and walls that disagree.
    Zombies,
}

impl Profile {
    /// Half of all seeds are mixed.
    pub(super) fn of(seed: u64) -> Self {
        match seed % 4 {
            2 => Self::Leases,
            3 => Self::Zombies,
            _ => Self::Mixed,
        }
    }
}

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
    Restart(usize),
    /// An owner falls asleep at one of its next steps.
    Doze,
    /// A node's line is that from now on.
    Line(usize, Line),
    Calm,
}

/// What a seed did, to know that the seeds are not idle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) steps: u64,
    pub(super) acknowledged: u64,
    pub(super) rows: u64,
    pub(super) claims: u64,
    pub(super) fences: u64,
    pub(super) settled: u64,
    pub(super) crashes: u64,
    pub(super) pauses: u64,
    pub(super) late: u64,
    pub(super) lost_shards: u64,
}

impl Report {
    pub(super) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.acknowledged += other.acknowledged;
        self.rows += other.rows;
        self.claims += other.claims;
        self.fences += other.fences;
        self.settled += other.settled;
        self.crashes += other.crashes;
        self.pauses += other.pauses;
        self.late += other.late;
        self.lost_shards += other.lost_shards;
    }

    /// A simulation in which nothing goes wrong proves nothing.
    pub(super) fn assert_interesting(&self, seeds: u64) {
        assert!(self.acknowledged >= seeds * 4, "{self:?}");
        assert!(self.fences >= seeds / 2, "{self:?}");
        assert!(self.settled >= seeds / 2, "{self:?}");
        assert!(self.claims >= seeds * 3, "{self:?}");
        assert!(self.late >= seeds, "{self:?}");
    }
}

/// What became of a seed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) report: Report,
    pub(super) violation: Option<Violation>,
    /// Empty unless it was asked for.
    pub(super) trace: Vec<String>,
}

/// Who waits for the answer to an ask.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    Client {
        client: usize,
        attempt: u64,
    },
    /// The relay of an entity on a node, in that node's life.
    Relay {
        node: usize,
        life: u64,
        task: super::node::EntityKey,
        sequence: u64,
    },
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
        let count = if profile == Profile::Mixed {
            rng.random_range(2..=3)
        } else {
            2
        };
        let frozen = match profile {
            Profile::Mixed => rng.random_bool(0.4),
            Profile::Leases => false,
            Profile::Zombies => true,
        };
        let clients = match profile {
            Profile::Leases => vec![],
            Profile::Mixed => client::draw(&mut rng, &entities, FAULTS),
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

    /// Starts, faults of nodes and commands, as the seed has it.
    fn plan(&mut self) {
        for node in 0..self.nodes.len() {
            self.at(self.now, Event::Restart(node));
        }
        match self.profile {
            Profile::Mixed => {
                self.plan_crashes();
                self.plan_cuts();
            }
            Profile::Leases => {
                self.plan_crashes();
                self.plan_outages();
            }
            Profile::Zombies => self.plan_dozes(),
        }
        for client in 0..self.clients.len() {
            let start = self.clients[client].start;
            self.at(start * MS, Event::ClientTry(client, 0));
        }
        self.at(CALM * MS, Event::Calm);
    }

    fn plan_crashes(&mut self) {
        for node in 0..self.nodes.len() {
            for _ in 0..self.rng.random_range(0..3) {
                let when = self.rng.random_range(1_000..FAULTS) * MS;
                self.at(when, Event::Crash(node));
            }
        }
    }

    fn plan_cuts(&mut self) {
        for node in 0..self.nodes.len() {
            for _ in 0..self.rng.random_range(0..=2) {
                let when = self.rng.random_range(1_000..FAULTS);
                let long = self.rng.random_range(500..20_000);
                self.plan_line(node, when, Line::Cut);
                self.plan_line(node, when + long, Line::Fair);
            }
        }
    }

    /// A line that goes deaf, comes back for a moment and breaks: a beat that was applied and not answered is
    /// confirmed by a resend, the last for about as long as a lease.
    fn plan_outages(&mut self) {
        for begin in (0..FAULTS).step_by(OUTAGE_EVERY) {
            let node = self.rng.random_range(0..self.nodes.len());
            let deaf = begin + self.rng.random_range(3_000..6_000);
            let back = deaf + self.rng.random_range(0..5_000);
            let cut = back + self.rng.random_range(0..2_000);
            let end = cut + self.rng.random_range(8_000..14_000);
            self.plan_line(node, deaf, Line::Deaf);
            self.plan_line(node, back, Line::Slow);
            self.plan_line(node, cut, Line::Cut);
            self.plan_line(node, end, Line::Slow);
        }
    }

    fn plan_line(&mut self, node: usize, when: Ms, line: Line) {
        self.at(when.min(FAULTS) * MS, Event::Line(node, line));
    }

    /// One sleeps at a time: somebody must be awake to take over.
    fn plan_dozes(&mut self) {
        for begin in (0..FAULTS).step_by(DOZE_EVERY) {
            let when = begin + self.rng.random_range(3_000..6_000);
            self.at(when * MS, Event::Doze);
        }
    }

    /// Runs to the end or to the first violation.
    pub(super) fn run(mut self) -> Run {
        let end = if self.profile == Profile::Leases {
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
            Event::Restart(node) => self.with(node, Node::start),
            Event::Doze => {
                let owner = (0..self.nodes.len()).find(|n| self.serves_awake(*n, self.shards[0]));
                self.with(owner.unwrap_or(0), |node, world| node.tire(world));
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
        let heard =
            |i: usize| self.nodes[i].runs(self.now) && matches!(self.lines[i], Line::Fair | Line::Slow);
        let running = |i: &usize| *i == asking || heard(*i);
        let names = (0..self.nodes.len()).filter(running).map(name);
        names
            .map(|node| Member {
                node,
                region: String::new(),
                load: 0,
                draining: false,
            })
            .collect()
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

    fn client_try(&mut self, client: usize, attempt: u64) {
        let me = &mut self.clients[client];
        if me.acknowledged || me.attempt != attempt {
            return;
        }
        me.attempt += 1;
        let (next, entity, command, request) = (
            me.attempt,
            me.entity.clone(),
            me.command.clone(),
            Some(me.request()),
        );
        self.ask(
            Asker::Client {
                client,
                attempt: next,
            },
            entity,
            command,
            request,
            None,
        );
        self.at(self.now + PATIENCE * MS, Event::ClientTry(client, next));
    }

    fn serves_awake(&self, node: usize, shard: ShardId) -> bool {
        self.nodes[node].serves(shard) && self.nodes[node].runs(self.now)
    }

    /// A node that serves the shard, or now and then any.
    fn addressee(&mut self, shard: ShardId) -> usize {
        // In a world of zombies commands do not wait for a sleeper: what it has in memory stays old.
        let asleep = |n: &usize| self.profile == Profile::Zombies && !self.nodes[*n].runs(self.now);
        let mut able: Vec<usize> = (0..self.nodes.len()).filter(|n| !asleep(n)).collect();
        if able.is_empty() || self.rng.random_bool(0.1) {
            return self.rng.random_range(0..self.nodes.len());
        }
        if able.iter().any(|n| self.nodes[*n].serves(shard)) {
            able.retain(|n| self.nodes[*n].serves(shard));
        }
        able[self.rng.random_range(0..able.len())]
    }

    /// Sends a command to a node that serves its shard, or to any; it may be late, lost, or arrive twice.
    fn ask(
        &mut self,
        asker: Asker,
        entity: EntityId,
        command: Command,
        request: Option<crate::id::RequestId>,
        source: Option<Source>,
    ) {
        let node = self.addressee(entity.shard());
        let life = self.nodes[node].life();
        let copies = if self.faults && self.rng.random_bool(0.05) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.faults && self.rng.random_bool(0.05) {
                continue;
            }
            self.next_ask += 1;
            let ask = self.next_ask;
            self.asks.insert(ask, asker.clone());
            let (entity, command, source) = (entity.clone(), command.clone(), source.clone());
            let task = Task::Ask {
                ask,
                entity,
                command,
                request,
                source,
            };
            let slow = self.faults && self.rng.random_bool(0.1);
            let after = self.rng.random_range(0..if slow { 10_000 } else { 10 }) * MS;
            self.at(self.now + after, Event::Arrive(node, life, task));
        }
    }

    /// A node answers an ask.
    pub(super) fn answer(&mut self, ask: u64, outcome: &Outcome) {
        self.note(|| format!("ask {ask}: {outcome:?}"));
        let good = outcome.is_decided();
        if good && let Some(Asker::Client { client, .. }) = self.asks.get(&ask) {
            let client = &self.clients[*client];
            let applied = match client.command {
                Command::Add { id, .. } => self.store.history.applied.contains_key(&id),
                _ => true,
            };
            if !applied {
                let lost = format!("client {} of {}", client.id, client.entity);
                self.store.history.violated(Violation::AcknowledgedAndLost(lost));
            }
        }
        if self.faults && self.rng.random_bool(0.05) {
            return;
        }
        let after = self.rng.random_range(0..10) * MS;
        self.at(self.now + after, Event::Answer(ask, good));
    }

    fn answered(&mut self, ask: u64, good: bool) {
        match self.asks.get(&ask).cloned() {
            Some(Asker::Client { client, attempt }) => {
                let me = &mut self.clients[client];
                if good && !me.acknowledged {
                    me.acknowledged = true;
                    self.report.acknowledged += 1;
                } else if !good && me.attempt == attempt {
                    self.at(self.now + 200 * MS, Event::ClientTry(client, attempt));
                }
            }
            Some(Asker::Relay {
                node,
                life,
                task,
                sequence,
            }) => {
                let task = Task::Sent {
                    key: task,
                    sequence,
                    delivered: good,
                };
                self.at(self.now, Event::Arrive(node, life, task));
            }
            None => {}
        }
    }

    /// Gives an outbox row to its target (rule 10: the machine gives one at a time).
    fn send(&mut self, node: usize, life: u64, key: &super::node::EntityKey, row: OutboxRow) {
        let sequence = row.sequence;
        self.note(|| format!("n{node} sends row {sequence} of {}", key.id));
        match row.target {
            Target::Topic(_) | Target::Table(_) => self.produce(node, life, key, sequence),
            Target::Entity(target) => {
                let Ok(command) = crate::wire::decode(&row.payload) else {
                    return;
                };
                let asker = Asker::Relay {
                    node,
                    life,
                    task: key.clone(),
                    sequence,
                };
                let source = Some(Source {
                    entity: key.id.clone(),
                    sequence,
                });
                self.ask(asker, target, command, None, source);
                let late = Task::Sent {
                    key: key.clone(),
                    sequence,
                    delivered: false,
                };
                self.at(self.now + PATIENCE * MS, Event::Arrive(node, life, late));
            }
        }
    }

    fn produce(&mut self, node: usize, life: u64, key: &super::node::EntityKey, sequence: u64) {
        let fate = match self.faults {
            true => network::draw(&mut self.rng, Line::Fair),
            false => network::calm(&mut self.rng),
        };
        for after in [fate.applied, fate.repeated].into_iter().flatten() {
            self.at(self.now + after * MS, Event::Consume(key.id.clone(), sequence));
        }
        let (after, delivered) = match (fate.heard, fate.applied) {
            (Heard::Answer(after), Some(applied)) => (applied + after, true),
            (Heard::Unavailable(after), _) => (after, false),
            _ => (TIMEOUT, false),
        };
        let task = Task::Sent {
            key: key.clone(),
            sequence,
            delivered,
        };
        self.at(self.now + after * MS, Event::Arrive(node, life, task));
        if self.shortcut == Some(Shortcut::TwoOnTheWire) {
            let next = self
                .store
                .content
                .outboxes
                .get(&key.id)
                .and_then(|o| o.get(&(sequence + 1)));
            if next.is_some_and(|row| matches!(row.target, Target::Topic(_))) {
                let after = self.rng.random_range(0..20) * MS;
                self.at(self.now + after, Event::Consume(key.id.clone(), sequence + 1));
            }
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

fn usual(profile: Profile) -> Line {
    match profile {
        Profile::Mixed | Profile::Zombies => Line::Fair,
        Profile::Leases => Line::Slow,
    }
}

pub(super) fn name(node: usize) -> NodeId {
    NodeId::new(&format!("n{node}"))
}

/// Two entities in one shard and one in another; for zombies, a few in one shard.
fn entities(profile: Profile) -> Vec<EntityId> {
    static TOGETHER: OnceLock<Vec<EntityId>> = OnceLock::new();
    let id = |n: u32| EntityId::of::<Toy>(&format!("k{n}"));
    let shard = id(0).shard();
    let together = TOGETHER.get_or_init(|| (0..).map(id).filter(|e| e.shard() == shard).take(10).collect());
    match profile {
        Profile::Zombies => together.clone(),
        Profile::Mixed | Profile::Leases => together[..2].iter().cloned().chain([id(1)]).collect(),
    }
}
