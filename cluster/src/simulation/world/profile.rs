//! Kinds of worlds: what is in them and which faults are planned.

use std::sync::OnceLock;

use rand::Rng;

use super::{CALM, Event, FAULTS, MS, World};
use crate::id::EntityId;
use crate::simulation::network::{Line, Ms};
use crate::simulation::toy::Toy;

/// In a world of leases some node is cut off once in that time.
const OUTAGE_EVERY: usize = 30_000;

/// In a world of zombies some node dozes once in that time.
const DOZE_EVERY: usize = 30_000;

/// What a world is mostly about; the seed says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) enum Profile {
    /// A bit of everything.
    Mixed,
    /// Two nodes whose clocks run as unequally as the rules allow, few commands, many cuts and slow answers.
    Leases,
    /// Shards that fail again and again, and are claimed anew over lines on which every second answer comes late.
    Claims,
    /// Owners that doze without noticing, long enough to be passed, and go on as if nothing had happened; few entities
    /// used by all, some only looked at, short timers, and walls that disagree.
    Zombies,
    /// A broker that is away for longer than everything else, while entities pay each other, die and move.
    Outages,
}

impl Profile {
    /// About half of all seeds are mixed, every second of those with an outage.
    pub(in crate::simulation) fn of(seed: u64) -> Self {
        match seed % 8 {
            1 => Self::Claims,
            4 => Self::Outages,
            2 | 6 => Self::Leases,
            3 | 7 => Self::Zombies,
            _ => Self::Mixed,
        }
    }
}

impl World {
    /// Starts, faults of nodes and commands, as the seed has it.
    pub(super) fn plan(&mut self) {
        for node in 0..self.nodes.len() {
            self.at(self.now, Event::Restart(node));
        }
        match self.profile {
            Profile::Mixed => {
                self.plan_crashes();
                self.plan_drains();
                self.plan_cuts();
            }
            Profile::Outages => {
                self.plan_crashes();
                self.plan_drains();
                self.plan_broker();
            }
            Profile::Leases => {
                self.plan_crashes();
                self.plan_outages();
            }
            Profile::Claims => self.plan_drains(),
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

    /// Some are stopped in order, now and then two at a time.
    fn plan_drains(&mut self) {
        for node in 0..self.nodes.len() {
            if self.rng.random_bool(0.4) {
                let when = self.rng.random_range(1_000..FAULTS) * MS;
                self.at(when, Event::Drain(node));
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

    /// Away early, and back long after everything else is calm.
    fn plan_broker(&mut self) {
        let away = self.rng.random_range(1_000..20_000);
        let back = self.rng.random_range(away + 30_000..CALM + 60_000);
        self.at(away * MS, Event::Broker { away: true });
        self.at(back * MS, Event::Broker { away: false });
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
}

pub(super) fn usual(profile: Profile) -> Line {
    match profile {
        Profile::Mixed | Profile::Zombies | Profile::Outages => Line::Fair,
        Profile::Leases => Line::Slow,
        Profile::Claims => Line::Tardy,
    }
}

/// Two entities in one shard and one in another; for zombies, a few in one shard.
pub(super) fn entities(profile: Profile) -> Vec<EntityId> {
    static TOGETHER: OnceLock<Vec<EntityId>> = OnceLock::new();
    let id = |n: u32| EntityId::of::<Toy>(&format!("k{n}"));
    let shard = id(0).shard();
    let together = TOGETHER.get_or_init(|| (0..).map(id).filter(|e| e.shard() == shard).take(10).collect());
    match profile {
        Profile::Zombies => together.clone(),
        Profile::Mixed | Profile::Leases | Profile::Claims | Profile::Outages => {
            together[..2].iter().cloned().chain([id(1)]).collect()
        }
    }
}
