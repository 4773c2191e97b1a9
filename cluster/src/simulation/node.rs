//! One node: the machines, driven as the shells drive them, with a pause possible at every step.
//!
//! What it does next stands in one queue; each step takes one thing from it. What the machines want comes first, in
//! their order, and the hold is asked before each of it (rule 2).

mod clock;
mod entities;
mod pause;
mod root;
mod shards;
mod task;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngCore};

use self::clock::Clock;
use self::root::Reads;
pub(super) use self::task::{EntityKey, Reply, Task, Tick};
use self::task::{ShardKey, Todo};
use super::network::Ms;
use super::shortcut::Shortcut;
use super::store::{Answer, Kind};
use super::toy::Toy;
use super::world::{Event, MS, Profile, Time, World, name};
use crate::id::{EntityId, Epoch, ShardId};
use crate::protocol::Now;
use crate::protocol::activation::{self, Activation, Limits};
use crate::protocol::lanes::Told;
use crate::protocol::lease::{self, Hold, Lease};
use crate::protocol::ownership::{self, Ownership};
use crate::protocol::shard::{self, Shard};
use crate::protocol::watch::Watch;
use crate::store::{Cas, ShardRow, StoreError};

const TTL: Duration = Duration::from_secs(12);
const BEAT: Duration = Duration::from_secs(2);
const LIMITS: Limits = Limits {
    queue: 64,
    urgent: Duration::from_millis(300),
    passivate: Duration::from_secs(5),
    // Small, so that rows are read again and again.
    window: 3,
};
/// How long a drain may take.
const DRAIN: Ms = 20_000;
/// How long an owner has to decide an ask.
const DEADLINE: Duration = Duration::from_secs(2);

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
    draining: bool,
    owned: BTreeMap<ShardId, Owned>,
    told: Told,
    activations: u64,
    sent_before: Option<crate::store::NodeWrite>,
    /// When each machine's next tick comes; later ones than that are void.
    planned: HashMap<Tick, Time>,
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
            draining: false,
            owned: BTreeMap::new(),
            told: Told::default(),
            activations: 0,
            sent_before: None,
            planned: HashMap::new(),
        });
        self.todo.push_back(Todo::Lease(first));
        self.wake(world);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.parts.as_ref().is_some_and(|p| p.draining)
    }

    /// Stops in order; its end, a released lease, is followed by a new start.
    pub(super) fn drain(&mut self, hand_over: bool, world: &mut World) {
        let Some(parts) = &mut self.parts else { return };
        if !std::mem::replace(&mut parts.draining, true) {
            world.report.drains += 1;
            let node = self.index;
            world.note(|| format!("n{node} drains"));
            world.at(world.now + DRAIN * MS, Event::GiveUp(self.index, self.life));
            self.feed_ownership(ownership::Input::Drain { hand_over }, world);
            self.wake(world);
        }
    }

    /// Whatever still runs is dropped with the lease.
    pub(super) fn give_up(&mut self, life: u64, world: &mut World) {
        if self.life == life {
            self.feed_lease(lease::Input::Release, world);
            self.wake(world);
        }
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
                if delivered {
                    world.store.delivered(&key.id, sequence);
                }
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
                let answer = answer.map(|cas| self.as_if_won(shard, cas, world));
                self.feed_ownership(ownership::Input::Written { shard, answer }, world);
            }
            Reply::Shard(key) => self.shard_answered(key, kind, answer, world),
            Reply::Entity(key) => self.entity_answered(key, kind, answer, world),
        }
    }

    /// For the shortcut that takes every row of this node's for the claim that is under way.
    fn as_if_won(&self, shard: ShardId, cas: Cas<Option<ShardRow>>, world: &World) -> Cas<Option<ShardRow>> {
        let mine = |row: &ShardRow| row.owner == Some(name(self.index));
        match &cas {
            Cas::Refused(Some(row)) if world.shortcut == Some(Shortcut::OldRounds) && mine(row) => {
                let claims = self.parts.as_ref().and_then(|p| p.ownership.claims(shard));
                if claims == Some((row.epoch, row.incarnation)) {
                    Cas::Applied
                } else {
                    cas
                }
            }
            _ => cas,
        }
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
