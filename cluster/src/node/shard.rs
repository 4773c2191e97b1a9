//! The shell of one owned shard: the supervisor of its entities' actors, and the driver of the [`Shard`] machine.
//!
//! Restart policy, written here and tested in `tests/`:
//! * An entity that fails is activated again in the background if it is in the open list (rule 6), else by its next
//!   command; its siblings go on.
//! * One that failed [`entities::FAILURES`] times within [`entities::FAILURE_WINDOW`] answers `Unavailable` until the
//!   window is over, so that a command that kills its entity cannot spin.
//! * A shard that fails takes its entities with it and is claimed again by the node, with a raised epoch (rule 3).
//!
//! All messages to an entity pass through here, so a passivating one is let go only when none is on its way to it.

mod entities;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::OwnedSemaphorePermit;

use self::entities::Child;
use super::alarm::Alarm;
use super::beside::beside;
use super::children::Children;
use super::entity::{self, Asked};
use super::hold::Guard;
use super::shared::Shared;
use super::supervisor;
use crate::entity::Lane;
use crate::id::{EntityId, Epoch, ShardId};
use crate::metrics::Account;
use crate::protocol::open_list::Wish;
use crate::protocol::outcome::{Outcome, RETRY_AFTER};
use crate::protocol::shard::{Input, Output, Shard};
use crate::time::{BootInstant, Timestamp};

pub(super) enum Msg {
    /// A command, admitted to the node.
    Ask {
        id: EntityId,
        asked: Box<Asked>,
    },
    FromEntity {
        id: EntityId,
        /// Which of its actors: what a former one said before it ended may arrive after its successor began.
        actor: ActorId,
        notice: Notice,
    },
    /// The node has a place for this one, which is to be activated in the background.
    Revive {
        id: EntityId,
        place: OwnedSemaphorePermit,
    },
    /// The answer of a call beside the actor.
    Done(Input),
    /// A shard of the node found that this lane takes rows again.
    Opens(Lane),
    Tick,
    /// The hold ended or a newer owner showed: everything here stops at once (rules 2 and 4).
    Lost,
    /// Take nothing more, let entities finish, and stop.
    Drain,
}

/// What an entity tells its shard.
pub(super) enum Notice {
    Note(Wish),
    Unnote,
    Armed(Timestamp),
    Activated,
    /// It may leave memory, if it has taken all that was sent to it.
    Idle {
        received: u64,
    },
    /// The same, owing rows that this lane does not take.
    Park {
        received: u64,
        lane: Lane,
        account: Account,
    },
    /// A row of this lane got through, of an activation in the background.
    Through(Lane),
    /// Its row is not what it wrote: it is activated anew.
    Conflict,
}

pub(super) struct Arguments {
    pub(super) shared: Arc<Shared>,
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
    pub(super) generation: u64,
    pub(super) supervisor: ActorRef<supervisor::Msg>,
}

pub(super) struct Shell;

pub(super) struct State {
    shared: Arc<Shared>,
    shard: ShardId,
    epoch: Epoch,
    generation: u64,
    guard: Guard,
    supervisor: ActorRef<supervisor::Msg>,
    machine: Shard,
    low_water: Arc<AtomicU64>,
    entities: Children<EntityId, Child>,
    /// What those owe that left memory all the same.
    parked: HashMap<EntityId, Account>,
    failures: HashMap<EntityId, (u32, BootInstant)>,
    draining: bool,
    alarm: Alarm,
}

impl Actor for Shell {
    type Msg = Msg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments {
            shared,
            shard,
            epoch,
            generation,
            supervisor,
        } = arguments;
        let (machine, first) = Shard::new(shard, epoch, rand::random());
        let mut state = State {
            guard: shared.guard(generation),
            shared,
            shard,
            epoch,
            generation,
            supervisor,
            machine,
            low_water: Arc::default(),
            entities: Children::default(),
            parked: HashMap::new(),
            failures: HashMap::new(),
            draining: false,
            alarm: Alarm::default(),
        };
        for output in first {
            state.execute(&myself, output).await;
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if !state.guard.holds() {
            if let Msg::Ask { asked, .. } = message {
                let _gone = asked.reply.send(Outcome::NotOwner { hint: None });
            }
            return state.lost(&myself);
        }
        match message {
            Msg::Ask { id, asked } => state.ask(&myself, id, asked).await,
            Msg::FromEntity { id, actor, notice } if state.entities.is_current(&id, actor) => {
                state.notice(&myself, id, notice).await;
            }
            Msg::FromEntity { .. } => {}
            Msg::Revive { id, place } => state.revive(&myself, id, place).await,
            Msg::Done(input) => state.feed(&myself, input).await,
            Msg::Opens(lane) => state.feed(&myself, Input::Opens(lane)).await,
            Msg::Tick => {
                state.alarm.rang();
                state.feed(&myself, Input::Tick).await;
            }
            Msg::Lost => return state.lost(&myself),
            Msg::Drain => state.drain(&myself),
        }
        state.set_alarm(&myself);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(who, error) => {
                if let Some((id, _)) = state.entities.ended(who.get_id()) {
                    tracing::error!(kind = %id.kind, shard = %state.shard, %error, "entity failed");
                    state.shared.metrics.restarts.with_label_values(&["shard"]).inc();
                    state.failed(&id);
                    state.feed(&myself, Input::Crashed(id)).await;
                }
            }
            SupervisionEvent::ActorTerminated(who, ..) => {
                state.entities.ended(who.get_id());
            }
            _ => {}
        }
        if state.draining && state.entities.is_empty() {
            myself.stop(None);
        }
        state.set_alarm(&myself);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Msg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.shared.set_route(state.shard, None);
        Ok(())
    }
}

impl State {
    fn set_alarm(&mut self, myself: &ActorRef<Msg>) {
        let now = self.shared.clock.boot();
        self.alarm.set(self.machine.wake(), now, myself, Msg::Tick);
    }

    async fn feed(&mut self, myself: &ActorRef<Msg>, input: Input) {
        let now = self.shared.now();
        // A wish to revive somebody who lives is done as soon as it is heard, and may lead to the next.
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let outputs = self.machine.handle(now, input);
            self.low_water
                .store(self.machine.low_water().0, Ordering::Release);
            for output in outputs {
                if !self.guard.holds() {
                    let _gone = myself.cast(Msg::Lost);
                    return;
                }
                if let Output::Revive(id) = output {
                    // Whoever drains leaves what is owed to the next owner.
                    if self.draining {
                        continue;
                    }
                    if self.entities.contains(&id) {
                        inputs.push_back(Input::NotRevived(id));
                    } else {
                        self.wait_to_revive(myself, id);
                    }
                } else {
                    self.execute(myself, output).await;
                }
            }
        }
    }

    async fn execute(&mut self, myself: &ActorRef<Msg>, output: Output) {
        match output {
            Output::Opened => self.opened(myself),
            Output::Noted(id, wish) => {
                if let Some(child) = self.entities.get_mut(&id) {
                    child.send(entity::Msg::Noted(wish));
                }
            }
            Output::NoteFailed(id, wish, error) => {
                if let Some(child) = self.entities.get_mut(&id) {
                    child.send(entity::Msg::NoteFailed(wish, error));
                }
            }
            Output::Deliver(row) => {
                let id = row.key.entity.clone();
                // The row stays and is delivered again, here or by the next owner.
                if self.draining || (self.shared.is_full() && !self.entities.contains(&id)) {
                    return;
                }
                self.shared.metrics.timers.inc();
                self.used(&id);
                if let Some(child) = self.child(myself, &id, false).await {
                    child.send(entity::Msg::Timer(Box::new(row)));
                }
            }
            Output::Passed => {
                let _gone = myself.cast(Msg::Lost);
            }
            Output::Opens(lane) => self.shared.tell_shards(lane),
            // Only the loop over the outputs knows what follows from it.
            Output::Revive(_) => {}
            Output::ReadList => self.call(myself, |shared, shard| async move {
                Input::List(shared.store_list(shared.ports.lease.list(shard)).await)
            }),
            Output::WriteList(write) => self.call(myself, |shared, _| async move {
                Input::ListWritten(
                    shared
                        .store("write_list", shared.ports.lease.write_list(&write))
                        .await,
                )
            }),
            Output::ReadLowWater => self.call(myself, |shared, shard| async move {
                Input::LowWater(
                    shared
                        .store("read_low_water", shared.ports.timer.low_water(shard))
                        .await,
                )
            }),
            Output::PutLowWater { previous, next } => self.call(myself, move |shared, shard| async move {
                let put = shared.ports.timer.put_low_water(shard, previous, next);
                Input::LowWaterPut(shared.store("put_low_water", put).await)
            }),
            Output::Query(query) => self.call(myself, |shared, _| async move {
                Input::Page(shared.store("read_timers", shared.ports.timer.due(&query)).await)
            }),
        }
    }

    /// Runs a store call beside the actor.
    fn call<F>(&self, myself: &ActorRef<Msg>, call: impl FnOnce(Arc<Shared>, ShardId) -> F)
    where
        F: Future<Output = Input> + Send + 'static,
    {
        let answer = call(self.shared.clone(), self.shard);
        beside(myself, async move { Msg::Done(answer.await) });
    }

    /// Commands come from now on.
    fn opened(&self, myself: &ActorRef<Msg>) {
        let (shard, epoch) = (self.shard, self.epoch);
        self.shared.set_route(shard, Some(myself.clone()));
        let _gone = self.supervisor.cast(supervisor::Msg::Opened { shard, epoch });
    }

    async fn ask(&mut self, myself: &ActorRef<Msg>, id: EntityId, mut asked: Box<Asked>) {
        if self.draining {
            let _gone = asked.reply.send(Outcome::Stopping);
            return;
        }
        if self.rests(&id) {
            let _gone = asked
                .reply
                .send(Outcome::unavailable("the entity failed repeatedly"));
            return;
        }
        let full = self.shared.is_full() || asked.permit.is_urgent_only();
        if full && !self.entities.contains(&id) {
            let _gone = asked.reply.send(Outcome::overloaded(RETRY_AFTER));
            return;
        }
        self.used(&id);
        let Some(child) = self.child(myself, &id, false).await else {
            let _gone = asked.reply.send(Outcome::Corrupt);
            return;
        };
        // Admit before casting: mailboxes are unbounded.
        if asked.permit.enter(&child.in_flight) {
            child.send(entity::Msg::Ask(asked));
        } else {
            let _gone = asked.reply.send(Outcome::overloaded(RETRY_AFTER));
        }
    }

    async fn notice(&mut self, myself: &ActorRef<Msg>, id: EntityId, notice: Notice) {
        match notice {
            Notice::Note(wish) => self.feed(myself, Input::Note(id, wish)).await,
            Notice::Unnote => {
                self.give_back(&id);
                self.feed(myself, Input::Unnote(id)).await;
            }
            Notice::Armed(due) => self.feed(myself, Input::Armed(due)).await,
            Notice::Activated => {
                // In a full node it holds its place until it owes nothing: what is revived must not fill the memory.
                if !self.shared.is_full() {
                    self.give_back(&id);
                }
                self.feed(myself, Input::Activated(id)).await;
            }
            Notice::Idle { received } => {
                if self.has_all(&id, received) {
                    self.let_go(&id);
                    self.feed(myself, Input::NotRevived(id)).await;
                }
            }
            Notice::Park {
                received,
                lane,
                account,
            } => {
                if self.has_all(&id, received) {
                    self.let_go(&id);
                    self.parked.insert(id.clone(), account);
                    self.feed(myself, Input::Parked(id, lane)).await;
                }
            }
            Notice::Through(lane) => self.feed(myself, Input::Through(id, lane)).await,
            Notice::Conflict => {
                tracing::error!(kind = %id.kind, shard = %self.shard, "entity row is not what was written");
                self.let_go(&id);
                self.feed(myself, Input::Crashed(id)).await;
            }
        }
    }

    /// Somebody uses the entity: it is background work no more.
    fn used(&mut self, id: &EntityId) {
        self.machine.used(id);
        self.give_back(id);
    }

    /// Whether nothing is on its way to the entity.
    fn has_all(&self, id: &EntityId, received: u64) -> bool {
        self.entities.get(id).is_some_and(|c| c.sent == received)
    }

    /// Rules 2 and 4: everything stops at once; whoever waits is answered by the dropped reply ports.
    fn lost(&mut self, myself: &ActorRef<Msg>) -> Result<(), ActorProcessingErr> {
        self.shared.set_route(self.shard, None);
        myself.stop(Some("lost".to_owned()));
        Ok(())
    }

    fn drain(&mut self, myself: &ActorRef<Msg>) {
        self.draining = true;
        self.shared.set_route(self.shard, None);
        for child in self.entities.iter_mut() {
            child.send(entity::Msg::Finish);
        }
        if self.entities.is_empty() {
            myself.stop(None);
        }
    }
}
