//! An entity without a cluster: decides, folds, checks what the shell relies on, and keeps what was sent.

use crate::events::Message;
use mitalk_cluster::{
    BootInstant, Context, Entity, EntityId, Outgoing, RequestId, STATE_BYTES, Source, Target, Timer,
    Timestamp, Trace, wire,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::Duration;

/// An entity, its clock and everything it ever sent.
pub struct Model<E: Entity> {
    /// As it is.
    pub state: E::State,
    /// All outbox rows, in order.
    pub sent: Vec<Outgoing>,
    /// All effects, in order.
    pub effects: Vec<E::Effect>,
    id: EntityId,
    now: Timestamp,
}

impl<E: Entity> Model<E> {
    /// A new one, at some time.
    pub fn new(key: &str) -> Self {
        Self {
            state: E::State::default(),
            sent: vec![],
            effects: vec![],
            id: EntityId::of::<E>(key),
            now: Timestamp(1_800_000_000_000),
        }
    }

    /// Its wall clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time go by; timers do not fire.
    pub fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Decides a command and folds what happened.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// If the decision breaks what a shell relies on: an outbox or effects of a batch that is not durable, a command or a
    /// state that does not survive its encoding, a state that is too large.
    pub fn ask(&mut self, command: E::Command) -> Result<E::Reply, E::Refusal> {
        self.decide(None, command)
    }

    /// The same as a row of another entity's outbox.
    ///
    /// # Errors
    /// The refusal.
    pub fn ask_from(&mut self, source: Source, command: E::Command) -> Result<E::Reply, E::Refusal> {
        self.decide(Some(source), command)
    }

    fn decide(&mut self, source: Option<Source>, command: E::Command) -> Result<E::Reply, E::Refusal> {
        let command: E::Command =
            wire::decode(&wire::encode(&command)).expect("a command survives its encoding");
        let mut cx = Context {
            source,
            ..self.context()
        };
        let decision = E::decide(&self.state, command, &mut cx)?;
        for event in &decision.events {
            E::fold(&mut self.state, event);
        }
        let bytes = wire::encode(&self.state);
        assert!(bytes.len() <= STATE_BYTES, "the state has {} bytes", bytes.len());
        let _: E::State = E::upgrade(E::VERSION, &bytes).expect("a state survives its encoding");
        self.sent.extend(decision.outbox);
        self.effects.extend(decision.effects);
        Ok(decision.reply)
    }

    /// Timers that it waits for.
    pub fn timers(&self) -> Vec<Timer> {
        E::timers(&self.state)
    }

    /// Delivers every timer that is due.
    pub fn fire_timers(&mut self) {
        let now = self.now;
        for timer in self.timers().into_iter().filter(|timer| timer.due <= now) {
            if let Some(command) = E::on_timer(&timer.name) {
                // A refused timer command is a timer that the state finds obsolete.
                let _ = self.ask(command);
            }
        }
    }

    /// The commands that it sent to entities of type `T`, with their keys.
    pub fn commands<T: Entity>(&self) -> Vec<(String, T::Command)> {
        let of = |row: &Outgoing| match &row.target {
            Target::Entity(id) if id.kind.as_str() == T::KIND => Some((
                id.key.to_string(),
                wire::decode(&row.payload).expect("a command survives its encoding"),
            )),
            _ => None,
        };
        self.sent.iter().filter_map(of).collect()
    }

    /// The messages that it published.
    pub fn messages<M: Message>(&self) -> Vec<M> {
        let of = |row: &Outgoing| match &row.target {
            Target::Topic(topic) if topic == M::TOPIC => {
                Some(M::read(&row.payload).expect("a message survives its encoding"))
            }
            _ => None,
        };
        self.sent.iter().filter_map(of).collect()
    }

    fn context(&self) -> Context {
        Context {
            id: self.id.clone(),
            now: self.now,
            rng: StdRng::seed_from_u64(self.sent.len() as u64),
            request: None::<RequestId>,
            source: None,
            deadline: BootInstant(u64::MAX),
            trace: Trace::default(),
        }
    }
}
