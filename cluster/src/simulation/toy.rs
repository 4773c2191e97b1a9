//! An entity made to be broken: what is not idempotent, what sends, what arms timers, what is deleted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entity::{Context, Decision, Entity, Outgoing, Timer};

pub(super) struct Toy;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// All commands ever carried out, in order: for the checks.
    pub(super) log: Vec<u32>,
    /// Those since the last deletion.
    pub(super) alive: u32,
    pub(super) timers: Vec<Timer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Command {
    /// Not idempotent: only the request memory keeps it from being carried out twice.
    Add {
        id: u32,
        arm_ms: Option<u64>,
        pay: Option<String>,
    },
    /// Not idempotent: only the sequence per source does.
    Credit {
        id: u32,
    },
    Fire {
        name: String,
    },
    Delete {
        id: u32,
    },
    Look,
}

#[derive(Debug)]
pub(super) enum Event {
    Added(u32),
    Armed(Timer),
    Fired(String),
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("never")]
pub(super) struct Never;

/// Ids of credits are those of their payments, above this.
pub(super) const CREDIT: u32 = 1_000_000;

impl Entity for Toy {
    const KIND: &'static str = "toy";
    const VERSION: u16 = 1;
    const SIDE_BY_SIDE: &'static [&'static str] = &[Self::KIND];
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = usize;
    type Refusal = Never;
    type Effect = ();

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Never> {
        let reply = Decision::reply(state.log.len());
        Ok(match command {
            Command::Add { id, arm_ms, pay } => {
                let mut decision = reply.event(Event::Added(id)).send(Outgoing::topic("toys", &id));
                if id % 2 == 0 {
                    decision = decision.send(Outgoing::table("toys", &id));
                }
                if let Some(ms) = arm_ms {
                    let timer = Timer {
                        name: id.to_string(),
                        due: cx.now + Duration::from_millis(ms),
                    };
                    decision = decision.event(Event::Armed(timer));
                }
                if let Some(to) = pay {
                    decision = decision.send(Outgoing::to::<Self>(&to, &Command::Credit { id: id + CREDIT }));
                }
                decision
            }
            Command::Credit { id } => reply.event(Event::Added(id)),
            Command::Fire { name } if state.timers.iter().any(|t| t.name == name) => reply
                .event(Event::Fired(name.clone()))
                .send(Outgoing::topic("toys", &name)),
            Command::Delete { .. } if state.alive > 0 => reply.event(Event::Deleted),
            Command::Fire { .. } | Command::Delete { .. } | Command::Look => reply,
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::Added(id) => {
                state.log.push(*id);
                state.alive += 1;
            }
            Event::Armed(timer) => state.timers.push(timer.clone()),
            Event::Fired(name) => state.timers.retain(|t| t.name != *name),
            Event::Deleted => {
                state.alive = 0;
                state.timers.clear();
            }
        }
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
        matches!(command, Command::Add { .. } | Command::Delete { .. })
    }

    fn by_source(command: &Command) -> bool {
        matches!(command, Command::Credit { .. })
    }
}
