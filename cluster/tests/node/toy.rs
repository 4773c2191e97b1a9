//! A small entity that uses everything an entity may use, and a node over a memory store.

use std::sync::{Arc, Mutex};

use mitalk_cluster::store::Ports;
use mitalk_cluster::testing::{Memory, TestClock};
use mitalk_cluster::{
    Builder, Cluster, Config, Context, Decision, Effects, Entity, EntityId, Metrics, Outgoing, Phase, Stamp,
    Timer, Timestamp, Urgent,
};
use prometheus::Registry;
use serde::{Deserialize, Serialize};

pub(crate) struct Toy;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) applied: Vec<u32>,
    pub(crate) muted: Vec<u32>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) fired: Vec<String>,
    pub(crate) pinned: bool,
    #[serde(skip)]
    pub(crate) visits: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Creates: remembered, and told to the topic `toys`.
    Add {
        id: u32,
    },
    /// From another entity, by source.
    Credit {
        id: u32,
    },
    /// Sends a credit to the entity of that key.
    Pay {
        id: u32,
        to: String,
    },
    /// Takes a right away.
    Mute {
        id: u32,
    },
    Remind {
        name: String,
        due: Timestamp,
    },
    Fire {
        name: String,
    },
    /// Volatile.
    Visit,
    Look,
    Pin {
        on: bool,
    },
    /// Makes the state that many bytes larger.
    Grow {
        bytes: usize,
    },
    /// Fails the actor.
    Panic,
}

#[derive(Debug)]
pub(crate) enum Event {
    Applied(u32),
    Muted(u32),
    Reminded(Timer),
    Fired(String),
    Visited,
    Pinned(bool),
    Grown(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) applied: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("no")]
pub(crate) struct No;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Mute(u32),
    Tell(u32),
}

impl Entity for Toy {
    const KIND: &'static str = "toy";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = No;
    type Effect = Effect;

    fn decide(state: &State, command: Command, _: &mut Context) -> Result<Decision<Self>, No> {
        let reply = Decision::reply(Reply {
            applied: state.applied.len(),
        });
        Ok(match command {
            Command::Add { id: 13 } => {
                let _unlucky = id_is_refused(13);
                return Err(No);
            }
            Command::Add { id } => Decision::reply(Reply {
                applied: state.applied.len() + 1,
            })
            .event(Event::Applied(id))
            .send(Outgoing::topic("toys", &id))
            .send(Outgoing::table("toys", &id))
            .effect(Effect::Tell(id)),
            Command::Credit { id } => reply.event(Event::Applied(id)),
            Command::Pay { id, to } => reply
                .event(Event::Applied(id))
                .send(Outgoing::to::<Self>(&to, &Command::Credit { id })),
            Command::Mute { id } => reply.event(Event::Muted(id)).effect(Effect::Mute(id)),
            Command::Remind { name, due } => reply.event(Event::Reminded(Timer { name, due })),
            Command::Fire { name } => reply.event(Event::Fired(name)),
            Command::Visit => Decision::reply(Reply {
                applied: state.visits as usize + 1,
            })
            .event(Event::Visited),
            Command::Look => reply,
            Command::Pin { on } => reply.event(Event::Pinned(on)),
            Command::Grow { bytes } => reply.event(Event::Grown(bytes)),
            Command::Panic => panic!("as asked"),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::Applied(id) => state.applied.push(*id),
            Event::Muted(id) => state.muted.push(*id),
            Event::Reminded(timer) => state.timers.push(timer.clone()),
            Event::Fired(name) => {
                state.timers.retain(|t| t.name != *name);
                state.fired.push(name.clone());
            }
            Event::Visited => state.visits += 1,
            Event::Pinned(on) => state.pinned = *on,
            Event::Grown(bytes) => state.fired.push("x".repeat(*bytes)),
        }
    }

    fn durable(event: &Event) -> bool {
        !matches!(event, Event::Visited)
    }

    fn timers(state: &State) -> Vec<Timer> {
        state.timers.clone()
    }

    fn on_timer(name: &str) -> Option<Command> {
        Some(Command::Fire {
            name: name.to_owned(),
        })
    }

    fn remembers(command: &Command) -> bool {
        matches!(command, Command::Add { .. })
    }

    fn by_source(command: &Command) -> bool {
        matches!(command, Command::Credit { .. })
    }

    fn urgent(state: &State, command: &Command) -> Option<Urgent<Self>> {
        match command {
            Command::Mute { id } => Some(Urgent {
                effects: vec![Effect::Mute(*id)],
                reply: Reply {
                    applied: state.applied.len(),
                },
            }),
            _ => None,
        }
    }

    fn phase(effect: &Effect) -> Phase {
        match effect {
            Effect::Mute(_) => Phase::Rights,
            Effect::Tell(_) => Phase::Live,
        }
    }

    fn pinned(state: &State) -> bool {
        state.pinned
    }
}

fn id_is_refused(id: u32) -> bool {
    id == 13
}

/// Keeps what ran.
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<(EntityId, Stamp, Effect)>>);

impl Effects<Toy> for Recorder {
    fn run(&self, id: &EntityId, stamp: Stamp, effects: Vec<Effect>) {
        self.0
            .lock()
            .unwrap()
            .extend(effects.into_iter().map(|e| (id.clone(), stamp, e)));
    }
}

impl Recorder {
    pub(crate) fn effects(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, _, e)| format!("{e:?}"))
            .collect()
    }
}

pub(crate) struct Node {
    pub(crate) cluster: Cluster,
    pub(crate) memory: Memory,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) metrics: Metrics,
}

pub(crate) const WALL: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) async fn start() -> Node {
    start_over(Memory::exclusive()).await
}

pub(crate) async fn start_over(memory: Memory) -> Node {
    let ports = memory.ports();
    start_with(memory, ports, Config::default()).await
}

pub(crate) async fn start_with(memory: Memory, ports: Ports, config: Config) -> Node {
    let recorder = Arc::new(Recorder::default());
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let clock = Arc::new(TestClock::new(WALL));
    let builder = Builder::new(config, ports, clock, metrics.clone()).entity::<Toy>(recorder.clone());
    let cluster = builder.start().await.unwrap();
    assert!(cluster.ready().await);
    Node {
        cluster,
        memory,
        recorder,
        metrics,
    }
}
