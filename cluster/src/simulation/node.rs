//! One node: the machines, driven as the shells drive them, with a pause possible at every step.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngCore};

use super::network::Ms;
use super::shortcut::Shortcut;
use super::store::{Answer, Kind, Op};
use super::toy::{Command, Toy};
use super::world::{Event, MS, Profile, Time, World, name};
use crate::call::Trace;
use crate::entity::Source;
use crate::id::{EntityId, Epoch, NodeId, RequestId, ShardId};
use crate::protocol::Now;
use crate::protocol::activation::{self, Activation, Ask, Identity, Limits};
use crate::protocol::lease::{self, Hold, Lease};
use crate::protocol::outcome::Outcome;
use crate::protocol::ownership::{self, Ownership, Round};
use crate::protocol::shard::{self, Shard};
use crate::protocol::watch::Watch;
use crate::store::{NodeRow, ShardRow, StoreError};
use crate::time::{BootInstant, Timestamp};

const TTL: Duration = Duration::from_secs(12);
const BEAT: Duration = Duration::from_secs(2);
const LIMITS: Limits = Limits {
    queue: 64,
    urgent: Duration::from_millis(300),
    passivate: Duration::from_secs(5),
};
/// How long an owner has to decide an ask.
const DEADLINE: Duration = Duration::from_secs(2);
/// Steps within which a tired node falls asleep.
const DOZE_WITHIN: u32 = 40;
/// The wall clock of the world's beginning: close before the end of an hour.
const WALL_MS: Ms = 1_800_000_000_000 / 3_600_000 * 3_600_000 + 3_580_000;

/// A shard in one ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ShardKey {
    shard: ShardId,
    epoch: Epoch,
}

/// An entity in one activation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EntityKey {
    shard: ShardKey,
    pub(super) id: EntityId,
    activation: u64,
}

/// Which machine wants a tick.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tick {
    Lease,
    Ownership,
    Round,
    Shard(ShardKey),
    Entity(EntityKey),
}

/// Who waits for the store's answer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Lease,
    Shards,
    Owner { node: NodeId, asked: BootInstant },
    Claim(ShardId),
    Shard(ShardKey),
    Entity(EntityKey),
    Nobody,
}

/// Something that a node does next.
#[derive(Clone)]
pub(super) enum Task {
    Answer(Reply, Kind, Result<Answer, StoreError>),
    Ask {
        ask: u64,
        entity: EntityId,
        command: Command,
        request: Option<RequestId>,
        source: Option<Source>,
    },
    Sent {
        key: EntityKey,
        sequence: u64,
        delivered: bool,
    },
    Tick(Tick),
}

/// What a machine wants to be done, before the hold is asked and after.
enum Todo {
    Task(Task),
    Lease(lease::Output),
    Own(ownership::Output),
    Shard {
        key: ShardKey,
        output: shard::Output,
        asked: bool,
    },
    Entity {
        key: EntityKey,
        output: Box<activation::Output<Toy>>,
        asked: bool,
    },
}

/// A node's clocks: the boot clock runs at its own rate, and stands still in pauses that it cannot see.
struct Clock {
    rate: f64,
    boot_offset: u64,
    /// Of pauses that were invisible.
    missed: Time,
    skew_ms: i64,
}

impl Clock {
    fn now(&self, now: Time) -> Now {
        let boot = (now.saturating_sub(self.missed) as f64 * self.rate) as u64 + self.boot_offset;
        let wall = (WALL_MS + now / MS).saturating_add_signed(self.skew_ms);
        Now {
            boot: BootInstant(boot),
            wall: Timestamp(wall),
        }
    }

    /// When the boot clock will show `at`, at the earliest.
    fn when(&self, at: BootInstant) -> Time {
        let local = at.0.saturating_sub(self.boot_offset) as f64;
        (local / self.rate) as u64 + self.missed + 1_000
    }
}

pub(super) struct Node {
    index: usize,
    clock: Clock,
    alive: bool,
    life: u64,
    todo: VecDeque<Todo>,
    /// A step is planned.
    stepping: bool,
    paused_until: Time,
    /// Steps until it falls asleep.
    tired: Option<u32>,
    parts: Option<Parts>,
    shards: Vec<ShardId>,
    rng: u64,
}

/// What a crash takes away.
struct Parts {
    lease: Lease,
    hold: Hold,
    watch: Watch,
    ownership: Ownership,
    round: Option<Reads>,
    owned: BTreeMap<ShardId, Owned>,
    activations: u64,
    sent_before: Option<crate::store::NodeWrite>,
    /// When each machine's next tick comes; later ones than that are void.
    planned: HashMap<Tick, Time>,
}

/// A round under way.
struct Reads {
    rows: Vec<(ShardId, ShardRow)>,
    waiting: usize,
    leases: Vec<(NodeId, BootInstant, BootInstant, Option<NodeRow>)>,
}

struct Owned {
    epoch: Epoch,
    generation: u64,
    machine: Shard,
    open: bool,
    entities: BTreeMap<EntityId, (u64, Activation<Toy>)>,
    /// For the shortcut that fences only what was inherited, once.
    inherited: HashSet<EntityId>,
}

impl Node {
    pub(super) fn new(index: usize, profile: Profile, shards: &[ShardId], rng: &mut StdRng) -> Self {
        // The slowest is at 0.675 of the fastest: the rules hold down to two thirds.
        let rate = match profile {
            Profile::Leases => [0.81, 1.2][index % 2],
            _ => [0.85, 0.9, 1.0, 1.0, 1.1, 1.2][rng.random_range(0..6)],
        };
        let boot_offset = rng.random_range(0..1_000_000) * MS;
        let skew_ms = rng.random_range(-60_000..60_000);
        let clock = Clock {
            rate,
            boot_offset,
            missed: 0,
            skew_ms,
        };
        Self {
            index,
            clock,
            shards: shards.to_vec(),
            rng: rng.next_u64(),
            ..Self::absent()
        }
    }

    /// Stands in while a node acts on its world.
    pub(super) fn absent() -> Self {
        Self {
            index: usize::MAX,
            clock: Clock {
                rate: 1.0,
                boot_offset: 0,
                missed: 0,
                skew_ms: 0,
            },
            alive: false,
            life: 0,
            todo: VecDeque::new(),
            stepping: false,
            paused_until: 0,
            tired: None,
            parts: None,
            shards: vec![],
            rng: 0,
        }
    }

    pub(super) fn runs(&self, now: Time) -> bool {
        self.alive && self.paused_until <= now
    }

    pub(super) fn life(&self) -> u64 {
        self.life
    }

    pub(super) fn serves(&self, shard: ShardId) -> bool {
        self.parts
            .as_ref()
            .is_some_and(|p| p.owned.get(&shard).is_some_and(|o| o.open))
    }

    /// Whether this node would say now that it holds the shard.
    pub(super) fn holds(&self, shard: ShardId, now: Time) -> bool {
        let Some(parts) = &self.parts else { return false };
        let boot = self.clock.now(now).boot;
        parts
            .owned
            .get(&shard)
            .is_some_and(|o| parts.hold.holds(o.generation, boot))
    }

    pub(super) fn start(&mut self, world: &mut World) {
        if self.alive {
            return;
        }
        self.alive = true;
        self.life += 1;
        let (lease, first) = Lease::new(name(self.index), TTL, BEAT, false, 0);
        let ownership = Ownership::new(name(self.index), TTL, self.shards.clone());
        self.parts = Some(Parts {
            lease,
            hold: Hold::default(),
            watch: Watch::new(TTL),
            ownership,
            round: None,
            owned: BTreeMap::new(),
            activations: 0,
            sent_before: None,
            planned: HashMap::new(),
        });
        self.todo.push_back(Todo::Lease(first));
        self.wake(world);
    }

    pub(super) fn crash(&mut self) {
        self.alive = false;
        self.life += 1;
        self.todo.clear();
        self.parts = None;
        self.stepping = false;
    }

    pub(super) fn arrive(&mut self, life: u64, task: Task, world: &mut World) {
        if self.alive && self.life == life {
            self.todo.push_back(Todo::Task(task));
            self.wake(world);
        }
    }

    pub(super) fn tick(&mut self, life: u64, tick: Tick, at: Time, world: &mut World) {
        if let Some(parts) = self
            .parts
            .as_mut()
            .filter(|_| self.life == life && tick != Tick::Round)
        {
            if parts.planned.get(&tick) != Some(&at) {
                return;
            }
            parts.planned.remove(&tick);
        }
        self.arrive(life, Task::Tick(tick), world);
    }

    /// Plans the next step, unless one is planned.
    fn wake(&mut self, world: &mut World) {
        if !self.stepping && !self.todo.is_empty() {
            self.stepping = true;
            let at = world.now.max(self.paused_until) + world.rng.random_range(0..200_000);
            world.at(at, Event::Step(self.index, self.life));
        }
    }

    /// It falls asleep at one of its next steps, whatever that is in the middle of.
    pub(super) fn tire(&mut self, world: &mut World) {
        self.tired = Some(world.rng.random_range(0..DOZE_WITHIN));
    }

    /// Stops for a while: shortly, or beyond every time-out; perhaps without noticing it.
    fn maybe_pause(&mut self, world: &mut World) -> bool {
        let Some((pause, unseen)) = self.falls_asleep(world).or_else(|| stumbles(world)) else {
            return false;
        };
        world.report.pauses += 1;
        self.paused_until = world.now + pause * MS;
        if unseen {
            self.clock.missed += pause * MS;
        }
        let node = self.index;
        world.note(|| format!("n{node} pauses for {pause} ms, unseen: {unseen}"));
        true
    }

    /// A doze outlasts the lease, and its own clock does not see it.
    fn falls_asleep(&mut self, world: &mut World) -> Option<(Ms, bool)> {
        let steps = self.tired?;
        self.tired = steps.checked_sub(1);
        (self.tired.is_none() && world.faults).then(|| (world.rng.random_range(18_000..26_000), true))
    }

    pub(super) fn step(&mut self, life: u64, world: &mut World) {
        if !self.alive || self.life != life {
            return;
        }
        self.stepping = false;
        if !self.maybe_pause(world)
            && let Some(todo) = self.todo.pop_front()
        {
            self.run(todo, world);
        }
        self.wake(world);
    }

    fn now(&self, world: &World) -> Now {
        self.clock.now(world.now)
    }

    fn seed(&mut self) -> [u8; 32] {
        self.rng = self
            .rng
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.rng.to_be_bytes());
        seed
    }

    /// What a machine wants comes before whatever else waits, in its order.
    fn first(&mut self, todo: Vec<Todo>) {
        for todo in todo.into_iter().rev() {
            self.todo.push_front(todo);
        }
    }

    fn run(&mut self, todo: Todo, world: &mut World) {
        match todo {
            Todo::Task(task) => self.task(task, world),
            Todo::Lease(output) => self.lease_wants(output, world),
            Todo::Own(output) => self.ownership_wants(output, world),
            Todo::Shard { key, output, asked } => {
                if !asked && !self.may(key, world) {
                    return;
                }
                // Between asking the hold and acting on the answer there may be any pause.
                if !asked && self.maybe_pause(world) {
                    return self.todo.push_front(Todo::Shard {
                        key,
                        output,
                        asked: true,
                    });
                }
                self.shard_wants(key, output, world);
            }
            Todo::Entity { key, output, asked } => {
                if !asked && !self.may(key.shard, world) {
                    return;
                }
                if !asked && self.maybe_pause(world) {
                    return self.todo.push_front(Todo::Entity {
                        key,
                        output,
                        asked: true,
                    });
                }
                self.entity_wants(key, *output, world);
            }
        }
    }

    /// Rule 2: the hold is asked; if it is over, the shard is lost at once.
    fn may(&mut self, key: ShardKey, world: &mut World) -> bool {
        let now = self.now(world);
        let Some(parts) = &self.parts else { return false };
        match parts.owned.get(&key.shard) {
            Some(owned) if owned.epoch == key.epoch => {
                let holds = parts.hold.holds(owned.generation, now.boot);
                if !holds {
                    self.lose(key, world);
                }
                holds
            }
            _ => false,
        }
    }

    fn lose(&mut self, key: ShardKey, world: &mut World) {
        let now = self.now(world);
        let Some(parts) = &mut self.parts else { return };
        if parts.owned.get(&key.shard).is_some_and(|o| o.epoch == key.epoch) {
            world.report.lost_shards += 1;
            parts.owned.remove(&key.shard);
            let node = self.index;
            world.note(|| format!("n{node} loses shard {} of epoch {}", key.shard, key.epoch.0));
            let input = ownership::Input::Stopped {
                shard: key.shard,
                epoch: key.epoch,
            };
            let wants = parts.ownership.handle(now.boot, input);
            self.first(wants.into_iter().map(Todo::Own).collect());
        }
    }

    fn task(&mut self, task: Task, world: &mut World) {
        match task {
            Task::Answer(reply, kind, answer) => self.answer(reply, kind, answer, world),
            Task::Ask {
                ask,
                entity,
                command,
                request,
                source,
            } => {
                self.ask(ask, &entity, command, request, source, world);
            }
            Task::Sent {
                key,
                sequence,
                delivered,
            } => {
                self.feed_entity(key, activation::Input::Sent { sequence, delivered }, world);
            }
            Task::Tick(Tick::Lease) => self.feed_lease(lease::Input::Tick, world),
            Task::Tick(Tick::Ownership) => self.feed_ownership(ownership::Input::Tick, world),
            Task::Tick(Tick::Round) => self.round(world),
            Task::Tick(Tick::Shard(key)) => self.feed_shard(key, shard::Input::Tick, world),
            Task::Tick(Tick::Entity(key)) => self.feed_entity(key, activation::Input::Tick, world),
        }
    }

    fn answer(&mut self, reply: Reply, kind: Kind, answer: Result<Answer, StoreError>, world: &mut World) {
        match reply {
            Reply::Nobody => {}
            Reply::Lease => match answer {
                Ok(Answer::Node(row)) => self.feed_lease(lease::Input::Read(Ok(row)), world),
                Ok(Answer::NodePut(cas)) => self.feed_lease(lease::Input::Written(Ok(cas)), world),
                Ok(_) => {}
                Err(error) if kind == Kind::PutNode => {
                    self.feed_lease(lease::Input::Written(Err(error)), world);
                }
                Err(error) => self.feed_lease(lease::Input::Read(Err(error)), world),
            },
            Reply::Shards => self.round_rows(answer, world),
            Reply::Owner { node, asked } => self.round_owner(node, asked, answer, world),
            Reply::Claim(shard) => {
                let answer = answer.map(|a| match a {
                    Answer::ShardPut(cas) => cas,
                    other => unreachable!("{other:?} to a claim"),
                });
                self.feed_ownership(ownership::Input::Written { shard, answer }, world);
            }
            Reply::Shard(key) => {
                if let Some(input) = shard_input(kind, answer, world.shortcut, key) {
                    if let shard::Input::List(Ok((_, entries))) = &input
                        && let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard))
                    {
                        owned.inherited = entries.iter().cloned().collect();
                    }
                    self.feed_shard(key, input, world);
                }
            }
            Reply::Entity(key) => {
                if let Some(input) = entity_input(kind, answer) {
                    self.feed_entity(key, input, world);
                }
            }
        }
    }

    fn feed_lease(&mut self, input: lease::Input, world: &mut World) {
        let now = self.now(world).boot;
        let Some(parts) = &mut self.parts else { return };
        let wants = parts.lease.handle(now, input);
        self.first(wants.into_iter().map(Todo::Lease).collect());
        self.plan(world, Tick::Lease);
    }

    fn lease_wants(&mut self, output: lease::Output, world: &mut World) {
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
                // Rule 1: the process ends; somebody starts it again.
                self.crash();
                world.at(world.now + 1_000 * MS, Event::Restart(self.index));
            }
        }
    }

    fn feed_ownership(&mut self, input: ownership::Input, world: &mut World) {
        let now = self.now(world).boot;
        let Some(parts) = &mut self.parts else { return };
        let wants = parts.ownership.handle(now, input);
        self.first(wants.into_iter().map(Todo::Own).collect());
        self.plan(world, Tick::Ownership);
    }

    fn ownership_wants(&mut self, output: ownership::Output, world: &mut World) {
        match output {
            ownership::Output::Write(write) => {
                world.report.claims += 1;
                let reply = Reply::Claim(write.shard);
                world.call(self.index, self.life, Op::PutShard(write), reply);
            }
            ownership::Output::Run {
                shard,
                epoch,
                generation,
            } => {
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
            ownership::Output::Drained => {}
        }
    }

    /// Shard rows first, then the leases of their owners (rule 4).
    fn round(&mut self, world: &mut World) {
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
            });
            world.call(self.index, self.life, Op::Shards, Reply::Shards);
        }
    }

    /// As if a timer due now had been armed: scanners, those of zombies above all, look more often than they would.
    fn scan_now(&mut self, world: &mut World) {
        let due = self.now(world).wall;
        let Some(parts) = &self.parts else { return };
        let open = parts.owned.iter().filter(|(_, o)| o.open);
        let keys: Vec<ShardKey> = open
            .map(|(shard, o)| ShardKey {
                shard: *shard,
                epoch: o.epoch,
            })
            .collect();
        for key in keys {
            self.feed_shard(key, shard::Input::Armed(due), world);
        }
    }

    fn round_rows(&mut self, answer: Result<Answer, StoreError>, world: &mut World) {
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

    fn round_owner(
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
            reads.leases.push((node, asked, arrived, row));
        }
        self.end_round(world);
    }

    fn end_round(&mut self, world: &mut World) {
        let Some(parts) = &mut self.parts else { return };
        if parts.round.as_ref().is_none_or(|r| r.waiting > 0) {
            return;
        }
        let Some(Reads { mut rows, leases, .. }) = parts.round.take() else {
            return;
        };
        let watch = &mut parts.watch;
        let verdicts: HashMap<_, _> = leases
            .into_iter()
            .map(|(node, asked, arrived, row)| {
                let verdict = watch.answered(&node, asked, arrived, row.as_ref());
                (node, verdict)
            })
            .collect();
        if world.shortcut == Some(Shortcut::GoesOnAfterLateRenewal) {
            rows.retain(|(shard, _)| !parts.owned.contains_key(shard));
        }
        let members = world.members(self.index);
        self.feed_ownership(
            ownership::Input::Round(Round {
                rows,
                verdicts,
                members,
            }),
            world,
        );
    }

    fn feed_shard(&mut self, key: ShardKey, input: shard::Input, world: &mut World) {
        if !self.may(key, world) {
            return;
        }
        let now = self.now(world);
        let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard)) else {
            return;
        };
        let wants = owned.machine.handle(now, input);
        self.shard_todo(key, wants);
        self.plan(world, Tick::Shard(key));
    }

    fn shard_todo(&mut self, key: ShardKey, wants: Vec<shard::Output>) {
        self.first(
            wants
                .into_iter()
                .map(|output| Todo::Shard {
                    key,
                    output,
                    asked: false,
                })
                .collect(),
        );
    }

    fn shard_wants(&mut self, key: ShardKey, output: shard::Output, world: &mut World) {
        let op = match output {
            shard::Output::ReadList => Op::List(key.shard),
            shard::Output::WriteList(write) => Op::WriteList(write),
            shard::Output::ReadLowWater => Op::LowWater(key.shard),
            shard::Output::PutLowWater { previous, next } => Op::PutLowWater {
                shard: key.shard,
                previous,
                next,
            },
            shard::Output::Query(query) => Op::Due(query),
            shard::Output::Opened => {
                if let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard)) {
                    owned.open = true;
                }
                return;
            }
            shard::Output::Noted(id) => {
                if let Some(entity) = self.current(key, &id) {
                    self.feed_entity(entity, activation::Input::Noted, world);
                }
                return;
            }
            shard::Output::Deliver(row) => {
                if let Some(entity) = self.activate(key, &row.key.entity.clone(), world) {
                    self.feed_entity(entity, activation::Input::Timer(row), world);
                }
                return;
            }
            shard::Output::Revive(id) => {
                let lives = self.current(key, &id).is_some();
                if lives || self.activate(key, &id, world).is_none() {
                    self.feed_shard(key, shard::Input::Activated(id), world);
                }
                return;
            }
            shard::Output::Passed => return self.lose(key, world),
        };
        world.call(self.index, self.life, op, Reply::Shard(key));
    }

    fn current(&self, key: ShardKey, id: &EntityId) -> Option<EntityKey> {
        let owned = self
            .parts
            .as_ref()?
            .owned
            .get(&key.shard)
            .filter(|o| o.epoch == key.epoch)?;
        let (activation, _) = owned.entities.get(id)?;
        Some(EntityKey {
            shard: key,
            id: id.clone(),
            activation: *activation,
        })
    }

    /// The entity's activation, begun if need be.
    fn activate(&mut self, key: ShardKey, id: &EntityId, world: &mut World) -> Option<EntityKey> {
        if let Some(entity) = self.current(key, id) {
            return Some(entity);
        }
        let (now, seed) = (self.now(world), self.seed());
        let parts = self.parts.as_mut()?;
        let owned = parts.owned.get_mut(&key.shard).filter(|o| o.epoch == key.epoch)?;
        parts.activations += 1;
        let activation = parts.activations;
        let fence = match world.shortcut {
            Some(Shortcut::EpochFence) => owned.inherited.remove(id),
            Some(Shortcut::NoFenceWithoutRow) => {
                owned.machine.must_fence(id) && world.store.content.rows.contains_key(id)
            }
            _ => owned.machine.must_fence(id),
        };
        world.report.fences += u64::from(fence);
        let node = self.index;
        world.note(|| {
            format!(
                "n{node} activates {id} ({activation}) in epoch {}, fence {fence}",
                key.epoch.0
            )
        });
        let who = Identity {
            id: id.clone(),
            epoch: key.epoch,
            activation,
            fence,
        };
        let (machine, first) = Activation::new(who, LIMITS, seed, now);
        owned.entities.insert(id.clone(), (activation, machine));
        let entity = EntityKey {
            shard: key,
            id: id.clone(),
            activation,
        };
        self.entity_todo(&entity, vec![first]);
        Some(entity)
    }

    fn ask(
        &mut self,
        ask: u64,
        id: &EntityId,
        command: Command,
        request: Option<RequestId>,
        source: Option<Source>,
        world: &mut World,
    ) {
        let shard = id.shard();
        let epoch = self
            .parts
            .as_ref()
            .and_then(|p| p.owned.get(&shard))
            .filter(|o| o.open)
            .map(|o| o.epoch);
        let Some(epoch) = epoch else {
            return world.answer(ask, &Outcome::NotOwner { hint: None });
        };
        let key = ShardKey { shard, epoch };
        if !self.may(key, world) {
            return;
        }
        let Some(entity) = self.activate(key, id, world) else {
            return;
        };
        let deadline = self.now(world).boot + DEADLINE;
        let ask = Ask {
            ticket: ask,
            command,
            request,
            source,
            deadline,
            trace: Trace::default(),
        };
        self.feed_entity(entity, activation::Input::Ask(ask), world);
    }

    fn feed_entity(&mut self, key: EntityKey, input: activation::Input<Toy>, world: &mut World) {
        if self.current(key.shard, &key.id).as_ref() != Some(&key) || !self.may(key.shard, world) {
            return;
        }
        // An actor may fail at any message (rule 6).
        if world.faults && world.rng.random_bool(0.006) {
            let node = self.index;
            world.note(|| format!("n{node}: the actor of {} fails", key.id));
            return self.entity_gone(&key, world);
        }
        let now = self.now(world);
        let Some(owned) = self
            .parts
            .as_mut()
            .and_then(|p| p.owned.get_mut(&key.shard.shard))
        else {
            return;
        };
        let low_water = owned.machine.low_water();
        let Some((_, machine)) = owned.entities.get_mut(&key.id) else {
            return;
        };
        let wants = machine.handle(now, low_water, input);
        self.entity_todo(&key, wants);
        self.plan(world, Tick::Entity(key));
    }

    fn entity_todo(&mut self, key: &EntityKey, wants: Vec<activation::Output<Toy>>) {
        let todo = |output| Todo::Entity {
            key: key.clone(),
            output: Box::new(output),
            asked: false,
        };
        self.first(wants.into_iter().map(todo).collect());
    }

    fn entity_gone(&mut self, key: &EntityKey, world: &mut World) {
        if let Some(owned) = self
            .parts
            .as_mut()
            .and_then(|p| p.owned.get_mut(&key.shard.shard))
        {
            owned.entities.remove(&key.id);
        }
        self.feed_shard(key.shard, shard::Input::Crashed(key.id.clone()), world);
    }

    fn entity_wants(&mut self, key: EntityKey, output: activation::Output<Toy>, world: &mut World) {
        use activation::Output as Wants;
        if self.current(key.shard, &key.id).as_ref() != Some(&key) {
            return;
        }
        let op = match output {
            Wants::Read => Op::Row(key.id.clone()),
            Wants::ReadOutbox { after, limit } => Op::Outbox {
                id: key.id.clone(),
                after,
                limit,
            },
            Wants::Write(write) => {
                let again = world
                    .store
                    .history
                    .authors
                    .insert(write.next.write_id, key.activation);
                world.report.settled += u64::from(again.is_some());
                Op::Write(write)
            }
            Wants::InsertTimers(rows) => Op::InsertTimers(rows),
            Wants::DeleteTimers(keys) => {
                return world.call(self.index, self.life, Op::DeleteTimers(keys), Reply::Nobody);
            }
            Wants::Note => return self.feed_shard(key.shard, shard::Input::Note(key.id), world),
            Wants::Unnote => return self.feed_shard(key.shard, shard::Input::Unnote(key.id), world),
            Wants::Armed(due) => return self.feed_shard(key.shard, shard::Input::Armed(due), world),
            Wants::Activated => {
                world
                    .store
                    .history
                    .activated(&key.id, key.shard.epoch, key.activation);
                return self.feed_shard(key.shard, shard::Input::Activated(key.id), world);
            }
            Wants::Reply { ticket, outcome } => return world.answer(ticket, &outcome),
            Wants::Send(row) => return world.at(world.now, Event::Send(self.index, self.life, key, row)),
            Wants::Idle => {
                if let Some(owned) = self
                    .parts
                    .as_mut()
                    .and_then(|p| p.owned.get_mut(&key.shard.shard))
                {
                    owned.entities.remove(&key.id);
                }
                return;
            }
            Wants::Effects { .. } | Wants::Committed { .. } => return,
            Wants::Passed => return self.lose(key.shard, world),
            Wants::Conflict => return self.entity_gone(&key, world),
        };
        world.call(self.index, self.life, op, Reply::Entity(key));
    }

    /// Plans the tick that a machine wants now.
    fn plan(&mut self, world: &mut World, tick: Tick) {
        let now = self.now(world);
        let Some(parts) = &mut self.parts else { return };
        let owned = |key: &ShardKey| parts.owned.get(&key.shard).filter(|o| o.epoch == key.epoch);
        let wake = match &tick {
            Tick::Lease => parts.lease.wake(),
            Tick::Ownership => parts.ownership.wake(),
            Tick::Round => None,
            Tick::Shard(key) => owned(key).and_then(|o| o.machine.wake()),
            Tick::Entity(key) => {
                let entity = owned(&key.shard).and_then(|o| o.entities.get(&key.id));
                entity
                    .filter(|(n, _)| *n == key.activation)
                    .and_then(|(_, machine)| machine.wake(now))
            }
        };
        if let Some(wake) = wake {
            let at = self.clock.when(wake).max(world.now + 1_000);
            if parts.planned.get(&tick).is_none_or(|planned| at < *planned) {
                parts.planned.insert(tick.clone(), at);
                world.at(at, Event::Tick(self.index, self.life, tick, at));
            }
        }
    }
}

/// A pause out of nowhere, and whether it is invisible to the node.
fn stumbles(world: &mut World) -> Option<(Ms, bool)> {
    if !world.faults || !world.rng.random_bool(0.004) {
        return None;
    }
    // Whoever could take a zombie's shards over is awake.
    let often_long = if world.profile == Profile::Zombies {
        0.0
    } else {
        0.3
    };
    let long = if world.rng.random_bool(often_long) {
        25_000
    } else {
        2_000
    };
    let pause = world.rng.random_range(1..long);
    Some((pause, world.frozen && world.rng.random_bool(0.7)))
}

impl Reply {
    pub(super) fn task(self, kind: Kind, answer: Result<Answer, StoreError>) -> Task {
        Task::Answer(self, kind, answer)
    }
}

fn shard_input(
    kind: Kind,
    answer: Result<Answer, StoreError>,
    shortcut: Option<Shortcut>,
    key: ShardKey,
) -> Option<shard::Input> {
    Some(match answer {
        Ok(Answer::List(row, entries)) => shard::Input::List(Ok((row, entries))),
        Ok(Answer::ListWritten(cas)) => shard::Input::ListWritten(Ok(cas)),
        Ok(Answer::LowWater(low)) => shard::Input::LowWater(Ok(low)),
        Ok(Answer::LowWaterPut(cas)) => shard::Input::LowWaterPut(Ok(cas)),
        Ok(Answer::Due(mut rows)) => {
            if shortcut == Some(Shortcut::DeletesUnknownTimers) {
                for row in &mut rows {
                    row.epoch = row.epoch.min(key.epoch);
                }
            }
            shard::Input::Page(Ok(rows))
        }
        Ok(_) => return None,
        Err(error) => match kind {
            Kind::List => shard::Input::List(Err(error)),
            Kind::WriteList => shard::Input::ListWritten(Err(error)),
            Kind::LowWater => shard::Input::LowWater(Err(error)),
            Kind::PutLowWater => shard::Input::LowWaterPut(Err(error)),
            Kind::Due => shard::Input::Page(Err(error)),
            _ => return None,
        },
    })
}

fn entity_input(kind: Kind, answer: Result<Answer, StoreError>) -> Option<activation::Input<Toy>> {
    Some(match answer {
        Ok(Answer::Row(row)) => activation::Input::Row(Ok(row)),
        Ok(Answer::Outbox(rows)) => activation::Input::Outbox(Ok(rows)),
        Ok(Answer::Written(cas)) => activation::Input::Written(Ok(cas)),
        Ok(Answer::Inserted) => activation::Input::TimersInserted(Ok(())),
        Ok(_) => return None,
        Err(error) => match kind {
            Kind::Row => activation::Input::Row(Err(error)),
            Kind::Outbox => activation::Input::Outbox(Err(error)),
            Kind::Write => activation::Input::Written(Err(error)),
            Kind::InsertTimers => activation::Input::TimersInserted(Err(error)),
            _ => return None,
        },
    })
}
