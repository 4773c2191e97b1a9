//! A small entity that uses everything an entity may use, and a node over a memory store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mitalk_cluster::testing::{Memory, TestClock};
use mitalk_cluster::{
    AskError, Builder, Call, Cluster, Config, Context, Decision, Effects, Entity, EntityId, Metrics, NodeId,
    Outgoing, Phase, Ports, RequestId, Service, ServiceError, Stamp, Timer, Timestamp, Urgent,
};
use prometheus::Registry;
use serde::{Deserialize, Serialize};

use crate::gate::Gate;

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
    /// How many timers fired.
    Fired,
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
            Command::Add { id: UNLUCKY } => return Err(No),
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
            Command::Fired => Decision::reply(Reply {
                applied: state.fired.len(),
            }),
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

/// The one that is refused.
pub(crate) const UNLUCKY: u32 = u32::MAX;

/// Keeps what ran.
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<(EntityId, Stamp, Effect)>>);

impl Effects<Toy> for Recorder {
    fn run(&self, id: &EntityId, stamp: Stamp, effects: Vec<Effect>) {
        self.ran()
            .extend(effects.into_iter().map(|e| (id.clone(), stamp, e)));
    }
}

impl Recorder {
    fn ran(&self) -> MutexGuard<'_, Vec<(EntityId, Stamp, Effect)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn effects(&self) -> Vec<String> {
        self.ran().iter().map(|(_, _, e)| format!("{e:?}")).collect()
    }
}

/// A node with what a test looks at.
pub(crate) struct Node {
    pub(crate) cluster: Cluster,
    pub(crate) memory: Memory,
    pub(crate) gate: Gate,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: TestClock,
    pub(crate) echo: Arc<Echo>,
}

/// The wall clock at the start of a test.
pub(crate) const WALL: Timestamp = Timestamp(1_800_000_000_000);

/// How long commands may take, in virtual time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// A node of its own store.
    pub(crate) async fn start() -> Self {
        Self::over(Memory::exclusive()).await
    }

    pub(crate) async fn over(memory: Memory) -> Self {
        Self::with(memory, Config::default()).await
    }

    pub(crate) async fn with(memory: Memory, config: Config) -> Self {
        let node = Self::unready(memory, config).await;
        assert!(node.cluster.ready().await);
        node
    }

    /// Started, and perhaps without any shard.
    pub(crate) async fn unready(memory: Memory, config: Config) -> Self {
        let gate = Gate::new(memory.clone());
        Self::on(gate.ports(), gate, memory, config).await
    }

    /// Another life on the same machine: its clocks go on.
    pub(crate) async fn over_at(memory: Memory, clock: TestClock) -> Self {
        let gate = Gate::new(memory.clone());
        let node = Self::build(gate.ports(), gate, memory, Config::default(), clock).await;
        assert!(node.cluster.ready().await);
        node
    }

    pub(crate) async fn on(ports: Ports, gate: Gate, memory: Memory, config: Config) -> Self {
        Self::build(ports, gate, memory, config, TestClock::new(WALL)).await
    }

    async fn build(ports: Ports, gate: Gate, memory: Memory, config: Config, clock: TestClock) -> Self {
        let (recorder, echo) = (Arc::new(Recorder::default()), Arc::new(Echo::default()));
        let metrics = Metrics::new(&Registry::new()).expect("a fresh registry has no such names");
        let builder = Builder::new(config, ports, Arc::new(clock), metrics.clone());
        let builder = builder
            .entity::<Toy>(recorder.clone())
            .service("echo", echo.clone());
        let cluster = builder.start().await.expect("a memory store answers");
        Self {
            cluster,
            memory,
            gate,
            recorder,
            metrics,
            clock,
            echo,
        }
    }

    pub(crate) async fn ask(&self, key: &str, command: Command) -> Result<Reply, AskError<No>> {
        self.cluster
            .ask::<Toy>(key, command, Call::within(PATIENCE))
            .await
    }

    /// Repeats until it is decided, as a client would, under one request id.
    pub(crate) async fn insist(&self, key: &str, command: Command, request: RequestId) -> Reply {
        loop {
            let call = Call::within(PATIENCE).request(request);
            match self.cluster.ask::<Toy>(key, command.clone(), call).await {
                Ok(reply) => return reply,
                Err(error) if error.retryable() => {
                    tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_millis(100))).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// What `key` has applied, as stored.
    pub(crate) async fn applied(&self, key: &str) -> usize {
        loop {
            match self.ask(key, Command::Look).await {
                Ok(reply) => return reply.applied,
                Err(error) => assert!(error.retryable(), "{error}"),
            }
        }
    }
}

/// Waits until something is true, in virtual time.
pub(crate) async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let mut step = Duration::from_millis(20);
    for _ in 0..4_000 {
        if is() {
            return;
        }
        tokio::time::sleep(step).await;
        step = (step * 2).min(Duration::from_secs(5));
    }
    panic!("never: {what}");
}

pub(crate) fn request(n: u8) -> RequestId {
    RequestId([n; 16])
}

/// Answers with what it was asked, or not at all, and remembers it.
#[derive(Default)]
pub(crate) struct Echo(Mutex<Vec<Vec<u8>>>);

impl Echo {
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Service for Echo {
    async fn handle(&self, _: NodeId, payload: Vec<u8>, _: Call) -> Result<Vec<u8>, ServiceError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(payload.clone());
        match payload.as_slice() {
            b"fail" => Err(ServiceError::Failed("as asked".to_owned())),
            b"hang" => std::future::pending().await,
            _ => Ok(payload),
        }
    }
}
