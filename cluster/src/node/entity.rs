//! The shell of one entity: an actor that feeds the [`Activation`] machine and carries out what it wants.
//!
//! It keeps to two rules that the machine cannot: the hold is asked at every dequeue and before every output (rule 2),
//! and no handler awaits a store or another actor: calls run beside it, and their answers come back as messages, so
//! commands are received while a commit is under way.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::beside::beside;
use super::dispatch;
use super::hold::Guard;
use super::shard;
use super::shared::{Permit, Shared};
use crate::call::Trace;
use crate::entity::{Effects, Entity, Source};
use crate::id::{EntityId, Epoch, RequestId};
use crate::metrics::Account;
use crate::protocol::activation::{Activation, Ask, Identity, Input, Limits, Output, Ticket};
use crate::protocol::open_list::Wish;
use crate::protocol::outcome::Outcome;
use crate::protocol::relay::WINDOW;
use crate::store::{Cas, Head, OutboxRow, Row, StoreError, TimerKey, TimerRow};
use crate::time::{BootInstant, Hour};
use crate::wire;

/// A command on its way to its entity.
pub(super) struct Asked {
    pub(super) command: Vec<u8>,
    pub(super) request: Option<RequestId>,
    pub(super) source: Option<Source>,
    pub(super) trace: Trace,
    pub(super) deadline: BootInstant,
    pub(super) permit: Permit,
    pub(super) reply: oneshot::Sender<Outcome>,
}

pub(super) enum Msg {
    /// From the shard.
    Ask(Box<Asked>),
    Timer(Box<TimerRow>),
    Noted(Wish),
    NoteFailed(Wish, StoreError),
    /// Take nothing more, finish what is under way, and stop.
    Finish,
    /// From calls beside the actor.
    Row(Result<Option<Row>, StoreError>),
    Outbox(Result<Vec<OutboxRow>, StoreError>),
    Written(Result<Cas<Option<Head>>, StoreError>),
    TimersInserted(Result<(), StoreError>),
    Sent {
        sequence: u64,
        delivered: bool,
    },
    Tick,
}

/// What the shard gives a new activation.
pub(super) struct Arguments {
    pub(super) shared: Arc<Shared>,
    pub(super) id: EntityId,
    pub(super) epoch: Epoch,
    pub(super) generation: u64,
    pub(super) fence: bool,
    pub(super) background: bool,
    pub(super) low_water: Arc<AtomicU64>,
    pub(super) shard: ActorRef<shard::Msg>,
    /// What it owed when it left memory.
    pub(super) account: Account,
}

/// A registered entity type, its Rust type hidden.
#[async_trait]
pub(super) trait Type: Send + Sync {
    async fn spawn(&self, arguments: Arguments, supervisor: ActorCell) -> Result<ActorRef<Msg>, SpawnErr>;
}

/// A registered entity type.
pub(super) struct Registered<E: Entity>(pub(super) Arc<dyn Effects<E>>);

#[async_trait]
impl<E: Entity> Type for Registered<E> {
    async fn spawn(&self, arguments: Arguments, supervisor: ActorCell) -> Result<ActorRef<Msg>, SpawnErr> {
        let shell = Shell {
            effects: self.0.clone(),
        };
        let (actor, _task) = Actor::spawn_linked(None, shell, arguments, supervisor).await?;
        Ok(actor)
    }
}

struct Shell<E: Entity> {
    effects: Arc<dyn Effects<E>>,
}

struct State<E: Entity> {
    shared: Arc<Shared>,
    id: EntityId,
    /// Which of the entity's actors this is.
    actor: ActorId,
    guard: Guard,
    low_water: Arc<AtomicU64>,
    shard: ActorRef<shard::Msg>,
    machine: Activation<E>,
    callers: HashMap<Ticket, (oneshot::Sender<Outcome>, Permit)>,
    next_ticket: Ticket,
    /// Messages of the shard taken, so that it knows whether one is still on its way.
    received: u64,
    finishing: bool,
    alarm: Alarm,
    account: Account,
    _counted: Counted,
}

/// Counts the activation while it lives, however it ends.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        shared.entities.fetch_add(1, Ordering::Relaxed);
        shared.metrics.entities.inc();
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.entities.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.entities.dec();
    }
}

impl<E: Entity> Actor for Shell<E> {
    type Msg = Msg;
    type State = State<E>;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        arguments: Arguments,
    ) -> Result<State<E>, ActorProcessingErr> {
        let Arguments {
            shared,
            id,
            epoch,
            generation,
            fence,
            background,
            low_water,
            shard,
            account,
        } = arguments;
        let activation = shared.activations.fetch_add(1, Ordering::Relaxed) + 1;
        let who = Identity {
            id: id.clone(),
            epoch,
            activation,
            fence,
            background,
        };
        let limits = Limits {
            queue: shared.config.entity_in_flight,
            urgent: Duration::from_millis(shared.config.urgent_ms),
            passivate: Duration::from_millis(shared.config.passivate_ms),
            window: WINDOW,
        };
        let (machine, first) = Activation::new(who, limits, rand::random(), shared.now());
        let mut state = State {
            guard: shared.guard(generation),
            _counted: Counted::new(shared.clone()),
            shared,
            id,
            actor: myself.get_id(),
            low_water,
            shard,
            machine,
            callers: HashMap::new(),
            next_ticket: 0,
            received: 0,
            finishing: false,
            alarm: Alarm::default(),
            account,
        };
        self.execute(&myself, &mut state, first);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        state: &mut State<E>,
    ) -> Result<(), ActorProcessingErr> {
        if !state.guard.holds() {
            if let Msg::Ask(asked) = message {
                let _gone = asked.reply.send(Outcome::NotOwner { hint: None });
            }
            state.lost();
            return Ok(());
        }
        if let Some(input) = state.input(message) {
            let now = state.shared.now();
            let low_water = Hour(state.low_water.load(Ordering::Acquire));
            for output in state.machine.handle(now, low_water, input) {
                if !state.guard.holds() {
                    state.lost();
                    return Ok(());
                }
                self.execute(&myself, state, output);
            }
            if let Some(owed) = state.machine.owed() {
                state.account.owes(owed);
            }
        }
        let now = state.shared.now();
        state
            .alarm
            .set(state.machine.wake(now), now.boot, &myself, Msg::Tick);
        if state.finishing && state.callers.is_empty() && state.machine.is_settled() {
            myself.stop(None);
        }
        Ok(())
    }
}

impl<E: Entity> State<E> {
    /// Rule 2: this node does not own the shard any more; nobody hears anything else from here.
    fn lost(&mut self) {
        for (_, (reply, _)) in self.callers.drain() {
            let _gone = reply.send(Outcome::NotOwner { hint: None });
        }
        let _gone = self.shard.cast(shard::Msg::Lost);
    }

    fn input(&mut self, message: Msg) -> Option<Input<E>> {
        match message {
            Msg::Ask(asked) => {
                self.received += 1;
                self.asked(*asked)
            }
            Msg::Timer(row) => {
                self.received += 1;
                Some(Input::Timer(*row))
            }
            Msg::Noted(wish) => {
                self.received += 1;
                Some(Input::Noted(wish))
            }
            Msg::NoteFailed(wish, error) => {
                self.received += 1;
                Some(Input::NoteFailed(wish, error))
            }
            Msg::Finish => {
                self.finishing = true;
                None
            }
            Msg::Row(answer) => Some(Input::Row(answer)),
            Msg::Outbox(answer) => Some(Input::Outbox(answer)),
            Msg::Written(answer) => Some(Input::Written(answer)),
            Msg::TimersInserted(answer) => Some(Input::TimersInserted(answer)),
            Msg::Sent { sequence, delivered } => Some(Input::Sent { sequence, delivered }),
            Msg::Tick => {
                self.alarm.rang();
                Some(Input::Tick)
            }
        }
    }

    fn asked(&mut self, asked: Asked) -> Option<Input<E>> {
        if self.finishing {
            let _gone = asked.reply.send(Outcome::Stopping);
            return None;
        }
        let Ok(command) = wire::decode(&asked.command) else {
            let _gone = asked.reply.send(Outcome::Corrupt);
            return None;
        };
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let urgent_only = asked.permit.is_urgent_only();
        self.callers.insert(ticket, (asked.reply, asked.permit));
        let (request, source, deadline, trace) = (asked.request, asked.source, asked.deadline, asked.trace);
        Some(Input::Ask(Ask {
            ticket,
            command,
            request,
            source,
            deadline,
            trace,
            urgent_only,
        }))
    }

    fn tell_shard(&self, notice: shard::Notice) {
        let _gone = self.shard.cast(shard::Msg::FromEntity {
            id: self.id.clone(),
            actor: self.actor,
            notice,
        });
    }
}

impl<E: Entity> Shell<E> {
    fn execute(&self, myself: &ActorRef<Msg>, state: &mut State<E>, output: Output<E>) {
        match output {
            Output::Read => call(myself, state, |shared, id| async move {
                Msg::Row(shared.store("read_entity", shared.ports.entity.read(&id)).await)
            }),
            Output::ReadOutbox { after, limit } => call(myself, state, move |shared, id| async move {
                let rows = shared.ports.entity.outbox(&id, after, limit);
                Msg::Outbox(shared.store("read_outbox", rows).await)
            }),
            Output::Write(write) => call(myself, state, |shared, _| async move {
                Msg::Written(
                    shared
                        .store("write_entity", shared.ports.entity.write(write))
                        .await,
                )
            }),
            Output::InsertTimers(rows) => call(myself, state, |shared, _| async move {
                let insert = shared.ports.timer.insert(&rows);
                Msg::TimersInserted(shared.store("insert_timers", insert).await)
            }),
            Output::DeleteTimers(keys) => delete_timers(state.shared.clone(), keys),
            Output::Send(row) => send(myself, state, row),
            Output::Effects { stamp, effects } => self.effects.run(&state.id, stamp, effects),
            Output::Reply { ticket, outcome } => {
                if let Some((reply, _permit)) = state.callers.remove(&ticket) {
                    let _gone = reply.send(outcome);
                }
            }
            Output::Note(wish) => state.tell_shard(shard::Notice::Note(wish)),
            Output::Unnote => state.tell_shard(shard::Notice::Unnote),
            Output::Armed(due) => state.tell_shard(shard::Notice::Armed(due)),
            Output::Activated => state.tell_shard(shard::Notice::Activated),
            Output::Idle => state.tell_shard(shard::Notice::Idle {
                received: state.received,
            }),
            Output::Park(lane) => {
                let fresh = state.shared.metrics.backlog.account();
                let account = std::mem::replace(&mut state.account, fresh);
                let received = state.received;
                state.tell_shard(shard::Notice::Park {
                    received,
                    lane,
                    account,
                });
            }
            Output::Through(lane) => state.tell_shard(shard::Notice::Through(lane)),
            Output::Conflict => state.tell_shard(shard::Notice::Conflict),
            Output::Passed => state.lost(),
            Output::Committed { commands, took } => {
                state.shared.metrics.batch_commands.observe(commands as f64);
                state.shared.metrics.commit_seconds.observe(took.as_secs_f64());
            }
        }
    }
}

/// Runs a store call beside the actor.
fn call<E: Entity, F>(myself: &ActorRef<Msg>, state: &State<E>, call: impl FnOnce(Arc<Shared>, EntityId) -> F)
where
    F: Future<Output = Msg> + Send + 'static,
{
    beside(myself, call(state.shared.clone(), state.id.clone()));
}

/// Nobody waits for the outcome: a row that stays is delivered once more and found done.
fn delete_timers(shared: Arc<Shared>, keys: Vec<TimerKey>) {
    tokio::spawn(async move {
        shared
            .store("delete_timers", shared.ports.timer.delete(&keys))
            .await
    });
}

/// Rule 10: the machine gives what may be on the wire together. Rule 2: nothing is published by who does not hold.
fn send<E: Entity>(myself: &ActorRef<Msg>, state: &State<E>, row: OutboxRow) {
    let (guard, sequence) = (state.guard.clone(), row.sequence);
    call(myself, state, |shared, id| async move {
        let permit = shared.relay(row.target.lane()).acquire().await;
        let delivered = permit.is_ok() && guard.holds() && dispatch::deliver(&shared, &id, row).await;
        let metrics = &shared.metrics;
        if delivered {
            metrics.relayed.inc();
        } else {
            metrics.relay_failures.inc();
        }
        Msg::Sent { sequence, delivered }
    });
}
