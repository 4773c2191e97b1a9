//! A home without cluster or store: it runs decisions as the cluster's shell does, and keeps a forwarder's replica beside
//! the home, which must never differ from it.

use crate::id::{Home as LogicalHome, RoomId, UserId};
use crate::room::*;
use mitalk_cluster::{BootInstant, Context, Entity, EntityId, NodeId, Target, Timestamp, Trace};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(in crate::room) fn user(n: u128) -> UserId {
    UserId::new(LogicalHome::default(), n)
}

pub(in crate::room) fn room() -> RoomId {
    RoomId::new(LogicalHome::default(), 7)
}

pub(in crate::room) fn node(name: &str) -> NodeId {
    NodeId::new(name)
}

/// Somebody's session on node `a` has ended.
pub(in crate::room) fn gone(who: u128, session: u64) -> Command {
    let node = node("a");
    Command::Leave {
        user: user(who),
        presence: Presence { node, session },
    }
}

/// A home without cluster or store.
pub(in crate::room) struct Home {
    pub(in crate::room) state: State,
    pub(in crate::room) now: Timestamp,
    pub(in crate::room) effects: Vec<Effect>,
    pub(in crate::room) rows: usize,
    /// Where the newest decision's rows go.
    pub(in crate::room) targets: Vec<Target>,
    pub(in crate::room) commits: usize,
    /// Whose accounts were told that they were on stage with somebody.
    pub(in crate::room) credited: Vec<UserId>,
    /// What a forwarder that missed nothing has.
    pub(in crate::room) replica: Option<View>,
}

impl Home {
    pub(in crate::room) fn new() -> Self {
        Self {
            state: State::default(),
            now: Timestamp(1_000_000),
            effects: vec![],
            rows: 0,
            targets: vec![],
            commits: 0,
            credited: vec![],
            replica: None,
        }
    }

    /// A room opened by person 1, with the given limits, and a forwarder on node `a`.
    pub(in crate::room) fn opened(limits: Limits) -> Self {
        let mut home = Self::new();
        home.open(1, limits).unwrap();
        home.ask(Command::Register { node: node("a") }).unwrap();
        home
    }

    pub(in crate::room) fn open(&mut self, by: u128, limits: Limits) -> Result<Reply, Refusal> {
        let settings = Settings {
            title: "Rust at work".into(),
            ..Settings::default()
        };
        self.ask(Command::Open {
            room: room(),
            by: user(by),
            settings,
            limits,
        })
    }

    pub(in crate::room) fn ask(&mut self, command: Command) -> Result<Reply, Refusal> {
        let mut cx = Context {
            id: EntityId::of::<Room>(&room().to_string()),
            now: self.now,
            rng: StdRng::seed_from_u64(1),
            request: None,
            source: None,
            deadline: BootInstant::default(),
            trace: Trace::default(),
        };
        let decision = Room::decide(&self.state, command, &mut cx)?;
        for event in &decision.events {
            Room::fold(&mut self.state, event);
        }
        self.commits += usize::from(decision.events.iter().any(Room::durable) || !decision.outbox.is_empty());
        self.rows += decision.outbox.len();
        self.targets = decision.outbox.iter().map(|row| row.target.clone()).collect();
        let targets = decision.outbox.iter().map(|row| &row.target);
        self.credited.extend(targets.filter_map(|target| match target {
            Target::Entity(account) => account.key.parse::<UserId>().ok(),
            _ => None,
        }));
        for effect in &decision.effects {
            self.replicate(effect);
        }
        self.effects.extend(decision.effects);
        Ok(decision.reply)
    }

    fn replicate(&mut self, effect: &Effect) {
        let Effect::Tell { changes, .. } = effect else {
            return;
        };
        let Some(replica) = &mut self.replica else {
            self.replica = self.state.view();
            return;
        };
        for (version, change) in changes {
            if version.activation != replica.version.activation {
                *replica = self.state.view().expect("a room that tells changes was opened");
                return;
            }
            assert_eq!(*version, replica.version.next(), "changes are told without a gap");
            apply(&mut replica.scene, &mut replica.passing, *version, change);
            replica.version = *version;
        }
    }

    /// As a node that takes the room over finds it: the committed part only.
    pub(in crate::room) fn take_over(&mut self) {
        let stored = mitalk_cluster::wire::encode(&self.state);
        self.state = Room::upgrade(Room::VERSION, &stored).expect("what was encoded can be decoded");
    }

    pub(in crate::room) fn scene(&self) -> &Scene {
        self.state.scene().expect("the room was opened")
    }

    pub(in crate::room) fn changes(&mut self) -> Vec<Change> {
        let told = std::mem::take(&mut self.effects)
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Tell { changes, .. } => Some(changes),
                _ => None,
            });
        told.flatten().map(|(_, change)| change).collect()
    }

    /// Brings somebody on stage by the ordinary way.
    pub(in crate::room) fn stage(&mut self, who: u128) {
        self.ask(Command::InviteToStage {
            by: user(1),
            user: user(who),
        })
        .unwrap();
        self.ask(Command::AnswerInvitation {
            user: user(who),
            accept: true,
        })
        .unwrap();
    }

    pub(in crate::room) fn raise(&mut self, who: u128) -> Result<Reply, Refusal> {
        self.ask(Command::RaiseHand {
            user: user(who),
            followed: false,
        })
    }
}
