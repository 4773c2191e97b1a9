//! The lease keeper: an actor that drives the [`Lease`] machine and nothing else, so that no work of the node can
//! delay a beat.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::alarm::Alarm;
use super::beside::beside;
use super::shared::Shared;
use super::supervisor;
use crate::protocol::lease::{Input, Lease, Output};

pub(super) enum Msg {
    Done(Input),
    Tick,
    /// All shards are stopped.
    Release,
}

pub(super) struct Arguments {
    pub(super) shared: Arc<Shared>,
    pub(super) supervisor: ActorRef<supervisor::Msg>,
}

pub(super) struct Shell;

pub(super) struct State {
    shared: Arc<Shared>,
    supervisor: ActorRef<supervisor::Msg>,
    machine: Lease,
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
        let Arguments { shared, supervisor } = arguments;
        let config = &shared.config;
        let exclusive = shared.ports.lease.exclusive();
        let generation = shared.hold.get().generation;
        let (machine, first) = Lease::new(
            shared.node.clone(),
            config.ttl(),
            config.beat(),
            exclusive,
            generation,
        );
        let mut state = State {
            shared,
            supervisor,
            machine,
            alarm: Alarm::default(),
        };
        state.execute(&myself, first);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let input = match message {
            Msg::Done(input) => input,
            Msg::Release => Input::Release,
            Msg::Tick => {
                state.alarm.rang();
                Input::Tick
            }
        };
        for output in state.machine.handle(state.shared.clock.boot(), input) {
            state.execute(&myself, output);
        }
        let now = state.shared.clock.boot();
        state.alarm.set(state.machine.wake(), now, &myself, Msg::Tick);
        Ok(())
    }
}

impl State {
    fn execute(&mut self, myself: &ActorRef<Msg>, output: Output) {
        let tell = |message| {
            let _gone = self.supervisor.cast(message);
        };
        match output {
            Output::Started { incarnation } => tell(supervisor::Msg::Started { incarnation }),
            Output::Held(hold) => {
                self.shared.hold.set(hold);
                tell(supervisor::Msg::Held {
                    generation: hold.generation,
                });
            }
            Output::Ended { refused } => {
                // Rule 1: a process whose renewal is refused ends.
                let reason = if refused {
                    "another process has this node's name"
                } else {
                    "released"
                };
                self.shared.end(reason);
                tell(supervisor::Msg::Ended);
            }
            Output::Read | Output::Write(_) => {
                let shared = self.shared.clone();
                beside(myself, async move {
                    let lease = &shared.ports.lease;
                    Msg::Done(match output {
                        Output::Write(write) => {
                            Input::Written(shared.store("write_node", lease.put_node(&write)).await)
                        }
                        _ => Input::Read(shared.store("read_node", lease.node(&shared.node)).await),
                    })
                });
            }
        }
    }
}
