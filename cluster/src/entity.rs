//! What an entity type is: a pure decision, a pure fold, and a few questions that the shell asks.
//!
//! Invariants: nothing here does I/O or reads a clock; `decide` sees the time and its randomness in [`Context`]
//! and may be run again on the same state (a batch that is too large is cut in half and decided once more), so it
//! keeps nothing between calls.

use std::fmt::Debug;

use rand::rngs::StdRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::call::Trace;
use crate::id::{EntityId, Epoch, RequestId};
use crate::time::{BootInstant, Timestamp};
use crate::wire;

/// The largest encoded state, in bytes.
pub const STATE_BYTES: usize = 64 * 1024;
/// The largest encoded command or reply, in bytes.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// The largest payload of an outbox row, in bytes: it is a part of a commit.
pub const PAYLOAD_BYTES: usize = 256 * 1024;
/// The outbox rows of one decision, together, in bytes.
pub const DECISION_BYTES: usize = 768 * 1024;
/// Outbox rows that one decision may send.
pub const ROWS_PER_DECISION: usize = 256;
/// Timers that one state may wait for.
pub const TIMERS_PER_STATE: usize = 256;

/// An entity type. Its commands arrive as MessagePack, its state is stored as MessagePack with named fields.
pub trait Entity: Sized + Send + Sync + 'static {
    /// Names the type in ids and rows; never reused for another type.
    const KIND: &'static str;
    /// The version of the stored state.
    const VERSION: u16;
    /// Kinds of entities to which rows of this type's outbox need no order between them: neighbours in the outbox for
    /// different ones of these leave together. Rows for one target keep their order, and rows for any other kind or a table
    /// keep their place before and behind; topics have a lane of their own.
    const SIDE_BY_SIDE: &'static [&'static str] = &[];
    /// At most [`STATE_BYTES`] encoded. Fields with `#[serde(skip)]` are volatile: they live as long as the
    /// activation.
    type State: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// An intent, such as `RaiseHand`.
    type Command: Serialize + DeserializeOwned + Send + Sync + Clone + Debug + 'static;
    /// What a decision did; folded, never stored.
    type Event: Send + 'static;
    /// The answer to a command that was accepted.
    type Reply: Serialize + DeserializeOwned + Send + Clone + 'static;
    /// The domain's no.
    type Refusal: Serialize + DeserializeOwned + Send + Clone + std::error::Error + 'static;
    /// What the shell does after the commit, through [`Effects`].
    type Effect: Send + 'static;

    /// Decides one command.
    ///
    /// # Errors
    /// The domain's refusal; the state is then unchanged.
    fn decide(
        state: &Self::State,
        command: Self::Command,
        cx: &mut Context,
    ) -> Result<Decision<Self>, Self::Refusal>;

    /// Applies one event.
    fn fold(state: &mut Self::State, event: &Self::Event);

    /// False for events that touch only `#[serde(skip)]` fields: a decision of such events needs no commit.
    fn durable(_event: &Self::Event) -> bool {
        true
    }

    /// All timers that this state waits for, at most [`TIMERS_PER_STATE`]. The shell compares them before and after
    /// a batch and keeps the durable rows (rules 13 and 14).
    fn timers(_state: &Self::State) -> Vec<Timer> {
        vec![]
    }

    /// The idempotent command that a due timer delivers.
    fn on_timer(_name: &str) -> Option<Self::Command> {
        None
    }

    /// Commands that create or spend: the answer is remembered under the request id for 10 minutes, in the row.
    /// When the memory is full such commands get `Overloaded` (rule 12).
    fn remembers(_command: &Self::Command) -> bool {
        false
    }

    /// Commands from another entity's outbox that are not idempotent by state: the highest sequence per source is
    /// kept in the row, for good (rule 12). Only for entities that at most 256 others ever send to: a further one gets
    /// `TooLarge`, and its outbox stands still. Where sources come and go, the state keeps of [`Context::source`] what
    /// it needs, and drops it when it knows better.
    fn by_source(_command: &Self::Command) -> bool {
        false
    }

    /// Commands that only take rights away: the effects given here run at once, before and without the commit.
    fn urgent(_state: &Self::State, _command: &Self::Command) -> Option<Urgent<Self>> {
        None
    }

    /// Which step of the order an effect belongs to.
    fn phase(_effect: &Self::Effect) -> Phase {
        Phase::Live
    }

    /// Keeps this entity activated (a live room); others passivate when idle.
    fn pinned(_state: &Self::State) -> bool {
        false
    }

    /// Reads a stored state of any version; the default knows the current one only.
    ///
    /// # Errors
    /// The bytes or the version are not readable.
    fn upgrade(version: u16, bytes: &[u8]) -> Result<Self::State, DecodeError> {
        if version != Self::VERSION {
            return Err(DecodeError(format!("state version {version} of {}", Self::KIND)));
        }
        wire::decode(bytes)
    }
}

/// Bytes that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode: {0}")]
pub struct DecodeError(pub String);

/// What a command does, if the batch's commit succeeds.
#[derive(Debug)]
pub struct Decision<E: Entity> {
    /// The answer.
    pub reply: E::Reply,
    /// Folded in order. None at all: nothing changed ("hand is already up").
    pub events: Vec<E::Event>,
    /// Rows of the outbox, in order.
    pub outbox: Vec<Outgoing>,
    /// Run after the commit, by phase.
    pub effects: Vec<E::Effect>,
}

impl<E: Entity> Decision<E> {
    /// Answers and changes nothing.
    pub fn reply(reply: E::Reply) -> Self {
        Self {
            reply,
            events: vec![],
            outbox: vec![],
            effects: vec![],
        }
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: E::Event) -> Self {
        self.events.push(event);
        self
    }

    /// Adds an outbox row.
    #[must_use]
    pub fn send(mut self, row: Outgoing) -> Self {
        self.outbox.push(row);
        self
    }

    /// Adds an effect.
    #[must_use]
    pub fn effect(mut self, effect: E::Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

/// What an urgent command does at once.
#[derive(Debug)]
pub struct Urgent<E: Entity> {
    /// Run before the commit, and without it.
    pub effects: Vec<E::Effect>,
    /// Given when the store does not answer in time; the command stays queued in memory and is committed when the
    /// store is back.
    pub reply: E::Reply,
}

/// Where an outbox row goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The event log.
    Topic(String),
    /// A command to another entity, at least once and in order.
    Entity(EntityId),
    /// A projection.
    Table(String),
}

/// Rows of one lane leave in their order, one at a time (rule 10), but for those of [`Entity::SIDE_BY_SIDE`]; a lane
/// does not wait for the other: the event log may be away while the domain goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What the event log gets.
    Topics,
    /// What entities and read tables get.
    Inside,
}

impl Lane {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 2] = [Self::Topics, Self::Inside];

    /// Its label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Inside => "inside",
        }
    }
}

impl Target {
    /// Which way rows for it take; all rows for one target take the same.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Topic(_) => Lane::Topics,
            Self::Entity(_) | Self::Table(_) => Lane::Inside,
        }
    }

    /// The name of its topic or table, or the kind of the entity: never whose it is.
    pub fn name(&self) -> &str {
        match self {
            Self::Topic(name) | Self::Table(name) => name,
            Self::Entity(id) => id.kind.as_str(),
        }
    }
}

/// A row for the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub target: Target,
    /// MessagePack, at most [`PAYLOAD_BYTES`].
    pub payload: Vec<u8>,
    /// See [`Outgoing::covering`].
    pub covers: bool,
}

impl Outgoing {
    /// A command to the entity of type `E` with that key.
    pub fn to<E: Entity>(key: &str, command: &E::Command) -> Self {
        Self {
            target: Target::Entity(EntityId::of::<E>(key)),
            payload: wire::encode(command),
            covers: false,
        }
    }

    /// A message for a topic of the event log.
    pub fn topic<T: Serialize>(name: &str, message: &T) -> Self {
        Self {
            target: Target::Topic(name.to_owned()),
            payload: wire::encode(message),
            covers: false,
        }
    }

    /// A change of a read table.
    pub fn table<T: Serialize>(name: &str, change: &T) -> Self {
        Self {
            target: Target::Table(name.to_owned()),
            payload: wire::encode(change),
            covers: false,
        }
    }

    /// The same, saying all that those before it said that are for this target and marked so, too: of those in one commit
    /// the last one's payload leaves, at the first one's place. So it comes before what the commit sends in between, to this
    /// target as well. The target of a change of a read table is the table: only for entities that have one row in it.
    #[must_use]
    pub fn covering(self) -> Self {
        Self { covers: true, ..self }
    }
}

/// What a decision may know besides the state.
#[derive(Debug)]
pub struct Context {
    /// The entity itself.
    pub id: EntityId,
    /// The owner's wall clock, once per batch.
    pub now: Timestamp,
    /// Seeded for this command.
    pub rng: StdRng,
    /// Recognises a repeat; created ids derive from it.
    pub request: Option<RequestId>,
    /// The outbox row that delivers the command, if it comes from another entity.
    pub source: Option<Source>,
    /// Until when the caller waits, on the owner's boot clock.
    pub deadline: BootInstant,
    /// W3C traceparent.
    pub trace: Trace,
}

/// An outbox row of another entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Whose outbox.
    pub entity: EntityId,
    /// Which row.
    pub sequence: u64,
}

/// Something a state waits for. Names are at most [`NAME_BYTES`](crate::id::NAME_BYTES) long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timer {
    /// Given to [`Entity::on_timer`].
    pub name: String,
    /// When, by the wall clock of whoever owns the entity then.
    pub due: Timestamp,
}

/// When an effect runs: commit, `Rights`, replies, `Live`, wake the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Before the replies: who may be heard.
    Rights,
    /// After the replies: what others see.
    Live,
}

/// Orders what an entity tells the world; receivers refuse what is older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Of the shard.
    pub epoch: Epoch,
    /// A counter of the node's memory: which activation in this epoch.
    pub activation: u64,
    /// A counter of the activation's memory, raised for every run of effects.
    pub sequence: u64,
}

/// Runs an entity type's effects. It must not block: it casts into bounded queues.
pub trait Effects<E: Entity>: Send + Sync + 'static {
    /// Runs `effects`, all of one phase, in order.
    fn run(&self, id: &EntityId, stamp: Stamp, effects: Vec<E::Effect>);
}
