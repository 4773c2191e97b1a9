//! The root: supervises the lease keeper and the shards, and drives [`Ownership`] and [`Watch`].
//!
//! Restart policy, written here and tested in `tests/`:
//! * The lease keeper fails: a fresh one raises the incarnation; nothing holds meanwhile, so every shard is lost and
//!   taken again with a raised epoch (rule 2). More than [`KEEPER_FAILURES`] times: the node ends.
//! * A shard fails: the next round, begun at once, claims it again with a raised epoch (rule 3).
//! * The root fails or the lease is refused: the node ends, and whoever runs it should exit.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc;

use super::alarm::Alarm;
use super::beside::beside;
use super::children::Children;
use super::keeper;
use super::shard;
use super::shared::Shared;
use crate::id::{Epoch, NodeId, ShardId};
use crate::protocol::ownership::{Input, Output, Ownership, Round};
use crate::protocol::watch::{Answered, Verdict, Watch};
use crate::store::{ShardRow, StoreError};

/// Failures of the lease keeper in the node's life after which it ends.
const KEEPER_FAILURES: u32 = 3;
/// After a failed shard, or a failed round, the next round begins that soon.
const SOON: Duration = Duration::from_millis(100);

pub(super) enum Msg {
    /// From the lease keeper.
    Started {
        incarnation: u64,
    },
    Held {
        generation: u64,
    },
    Ended,
    /// From a shard: its entities answer.
    Opened {
        shard: ShardId,
        epoch: Epoch,
    },
    /// From calls beside the actor.
    Done(Input),
    Reads {
        /// In which the round began.
        generation: u64,
        reads: Result<Reads, StoreError>,
    },
    Tick,
    /// Time for a round.
    Round,
    Drain,
    /// The drain took too long: whatever still runs is dropped.
    GiveUp,
}

/// What a round read: rows first, then the leases of their owners, each with the times of question and answer.
pub(super) struct Reads {
    rows: Vec<(ShardId, ShardRow)>,
    leases: Vec<Answered>,
}

/// Who is told about shards, in order.
pub(super) enum Told {
    Taken(ShardId),
    Lost(ShardId),
}

pub(super) struct Arguments {
    pub(super) shared: Arc<Shared>,
    pub(super) listeners: mpsc::UnboundedSender<Told>,
}

pub(super) struct Shell;

pub(super) struct State {
    shared: Arc<Shared>,
    keeper: ActorRef<keeper::Msg>,
    keeper_failures: u32,
    machine: Ownership,
    watch: Watch,
    shards: Children<ShardId, (ActorRef<shard::Msg>, Epoch)>,
    /// Told as taken and not yet as lost. The channel is bounded by claims: one of each per claim.
    taken: HashSet<ShardId>,
    listeners: mpsc::UnboundedSender<Told>,
    round_under_way: bool,
    draining: bool,
    alarm: Alarm,
    next_round: Alarm,
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
        let Arguments { shared, listeners } = arguments;
        let keeper = spawn_keeper(&myself, &shared).await?;
        let all = ShardId::all().collect();
        let machine = Ownership::new(shared.node.clone(), shared.config.ttl(), all);
        let watch = Watch::new(shared.config.ttl());
        Ok(State {
            shared,
            keeper,
            keeper_failures: 0,
            machine,
            watch,
            shards: Children::default(),
            taken: HashSet::new(),
            listeners,
            round_under_way: false,
            draining: false,
            alarm: Alarm::default(),
            next_round: Alarm::default(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Started { incarnation } => state.feed(&myself, Input::Started { incarnation }).await?,
            Msg::Held { generation } => {
                let first = state.machine.generation() != generation;
                state.feed(&myself, Input::Held { generation }).await?;
                if first {
                    state.round(&myself);
                }
            }
            Msg::Ended => myself.stop(None),
            Msg::Opened { shard, epoch } => {
                // It may have ended meanwhile: that is heard first.
                let lives = state.shards.get(&shard).is_some_and(|(_, of)| *of == epoch);
                if lives && state.taken.insert(shard) {
                    let _nobody = state.listeners.send(Told::Taken(shard));
                }
            }
            Msg::Done(input) => state.feed(&myself, input).await?,
            Msg::Reads { generation, reads } => state.reads(&myself, generation, reads).await?,
            Msg::Tick => {
                state.alarm.rang();
                state.feed(&myself, Input::Tick).await?;
            }
            Msg::Round => {
                state.next_round.rang();
                state.round(&myself);
            }
            Msg::Drain => state.drain(&myself).await?,
            Msg::GiveUp => {
                tracing::warn!(shards = state.shards.len(), "drain took too long");
                let _gone = state.keeper.cast(keeper::Msg::Release);
            }
        }
        let now = state.shared.clock.boot();
        state.alarm.set(state.machine.wake(), now, &myself, Msg::Tick);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(who, error) if who.get_id() == state.keeper.get_id() => {
                state.keeper_failed(&myself, &error).await?;
            }
            SupervisionEvent::ActorFailed(who, error) => {
                tracing::error!(%error, "shard failed");
                state.shared.metrics.restarts.with_label_values(&["node"]).inc();
                state.shard_ended(&myself, who.get_id()).await?;
            }
            SupervisionEvent::ActorTerminated(who, ..) if who.get_id() == state.keeper.get_id() => {
                state.keeper_stopped(&myself).await?;
            }
            SupervisionEvent::ActorTerminated(who, ..) => state.shard_ended(&myself, who.get_id()).await?,
            _ => {}
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Msg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.shared.end("the node stopped");
        Ok(())
    }
}

async fn spawn_keeper(
    myself: &ActorRef<Msg>,
    shared: &Arc<Shared>,
) -> Result<ActorRef<keeper::Msg>, ActorProcessingErr> {
    let arguments = keeper::Arguments {
        shared: shared.clone(),
        supervisor: myself.clone(),
    };
    let (keeper, _task) = Actor::spawn_linked(None, keeper::Shell, arguments, myself.get_cell()).await?;
    Ok(keeper)
}

impl State {
    async fn feed(&mut self, myself: &ActorRef<Msg>, input: Input) -> Result<(), ActorProcessingErr> {
        for output in self.machine.handle(self.shared.clock.boot(), input) {
            match output {
                Output::Write(write) => {
                    let shared = self.shared.clone();
                    let guard = shared.guard(self.machine.generation());
                    let parting = self.draining && write.owner.is_none();
                    beside(myself, async move {
                        // Rule 2. Who stops hands over all the same: its shard is stopped, and only that epoch matches.
                        let answer = if parting || guard.holds() {
                            let put = shared.ports.lease.put_shard(&write);
                            shared.store("write_shard", put).await
                        } else {
                            Err(StoreError::Unavailable("the lease does not hold".to_owned()))
                        };
                        let shard = write.shard;
                        Msg::Done(Input::Written { shard, answer })
                    });
                }
                Output::Run {
                    shard,
                    epoch,
                    generation,
                } => {
                    self.run(myself, shard, epoch, generation).await?;
                }
                Output::Stop { shard } => {
                    if let Some((actor, _)) = self.shards.get(&shard) {
                        // A shard of a lapsed generation finds that it does not hold; one that is handed over
                        // finishes what is under way.
                        let _gone = actor.cast(shard::Msg::Drain);
                    }
                }
                Output::Drained => {
                    let _gone = self.keeper.cast(keeper::Msg::Release);
                }
            }
        }
        Ok(())
    }

    async fn run(
        &mut self,
        myself: &ActorRef<Msg>,
        shard: ShardId,
        epoch: Epoch,
        generation: u64,
    ) -> Result<(), ActorProcessingErr> {
        let (shared, supervisor) = (self.shared.clone(), myself.clone());
        let arguments = shard::Arguments {
            shared,
            shard,
            epoch,
            generation,
            supervisor,
        };
        let (actor, _task) = Actor::spawn_linked(None, shard::Shell, arguments, myself.get_cell()).await?;
        self.shards.insert(shard, actor.get_id(), (actor, epoch));
        self.shared.metrics.shards.set(self.shards.len() as i64);
        Ok(())
    }

    /// Reads shard rows, then the leases of other owners (rule 4), beside the actor.
    fn round(&mut self, myself: &ActorRef<Msg>) {
        if self.round_under_way {
            return;
        }
        // Rule 2: who does not hold takes nothing; the next generation begins with a round.
        if !self.shared.holds() {
            return self.round_in(myself, self.shared.config.beat());
        }
        self.round_under_way = true;
        let (shared, generation) = (self.shared.clone(), self.machine.generation());
        beside(myself, async move {
            let reads = read(&shared).await;
            Msg::Reads { generation, reads }
        });
    }

    async fn reads(
        &mut self,
        myself: &ActorRef<Msg>,
        generation: u64,
        reads: Result<Reads, StoreError>,
    ) -> Result<(), ActorProcessingErr> {
        self.round_under_way = false;
        // Rule 2: begun before the shards were lost, it says nothing about them; they wait for the next one.
        if generation != self.machine.generation() {
            self.round(myself);
            return Ok(());
        }
        let Ok(Reads { rows, leases }) = reads else {
            self.round_in(myself, self.shared.config.beat());
            return Ok(());
        };
        let mut verdicts = self.watch.round(&rows, leases);
        // Nobody else can have an exclusive store open: other names are former ones.
        if self.shared.ports.lease.exclusive() {
            verdicts.values_mut().for_each(|verdict| *verdict = Verdict::Gone);
        }
        let round = Round {
            generation,
            rows,
            verdicts,
            members: self.shared.membership.members(),
        };
        self.feed(myself, Input::Round(round)).await?;
        self.shared.set_owners(self.machine.owners());
        self.round_in(myself, self.shared.config.beat());
        Ok(())
    }

    fn round_in(&mut self, myself: &ActorRef<Msg>, wait: Duration) {
        let now = self.shared.clock.boot();
        self.next_round.set(Some(now + wait), now, myself, Msg::Round);
    }

    async fn shard_ended(&mut self, myself: &ActorRef<Msg>, who: ActorId) -> Result<(), ActorProcessingErr> {
        let Some((shard, (_, epoch))) = self.shards.ended(who) else {
            return Ok(());
        };
        self.shared.set_route(shard, None);
        self.shared.metrics.shards.set(self.shards.len() as i64);
        if self.taken.remove(&shard) {
            let _nobody = self.listeners.send(Told::Lost(shard));
        }
        self.feed(myself, Input::Stopped { shard, epoch }).await?;
        if !self.draining {
            self.round_in(myself, SOON);
        }
        Ok(())
    }

    /// Killed, or done because the node has ended.
    async fn keeper_stopped(&mut self, myself: &ActorRef<Msg>) -> Result<(), ActorProcessingErr> {
        if self.shared.ended.borrow().is_some() {
            return Ok(());
        }
        self.keeper_failed(myself, &"it was stopped".into()).await
    }

    async fn keeper_failed(
        &mut self,
        myself: &ActorRef<Msg>,
        error: &ActorProcessingErr,
    ) -> Result<(), ActorProcessingErr> {
        tracing::error!(%error, "lease keeper failed");
        self.shared.metrics.restarts.with_label_values(&["node"]).inc();
        self.shared.hold.end();
        self.keeper_failures += 1;
        if self.keeper_failures > KEEPER_FAILURES {
            self.shared.end("the lease keeper failed repeatedly");
            myself.stop(None);
            return Ok(());
        }
        self.keeper = spawn_keeper(myself, &self.shared).await?;
        Ok(())
    }

    async fn drain(&mut self, myself: &ActorRef<Msg>) -> Result<(), ActorProcessingErr> {
        self.draining = true;
        let members = self.shared.membership.members();
        let hand_over = members.iter().any(|m| m.node != self.shared.node);
        myself.send_after(Duration::from_millis(self.shared.config.drain_ms), || Msg::GiveUp);
        self.feed(myself, Input::Drain { hand_over }).await
    }
}

async fn read(shared: &Shared) -> Result<Reads, StoreError> {
    let lease = &shared.ports.lease;
    let rows = shared.store("read_shards", lease.shards()).await?;
    let others: HashSet<NodeId> = rows
        .iter()
        .filter_map(|(_, r)| r.owner.clone())
        .filter(|n| *n != shared.node)
        .collect();
    let mut leases = vec![];
    for node in others {
        let asked = shared.clock.boot();
        // One that does not answer has no verdict: it counts as alive.
        if let Ok(row) = shared.store("read_node", lease.node(&node)).await {
            leases.push(Answered {
                node,
                asked,
                arrived: shared.clock.boot(),
                row,
            });
        }
    }
    Ok(Reads { rows, leases })
}
