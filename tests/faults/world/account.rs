//! An entity made to be broken: nothing that it does is idempotent by its state.

use std::time::Duration;

use mitalk_cluster::{Context, Decision, Effects, Entity, EntityId, Outgoing, Stamp, Timer};
use serde::{Deserialize, Serialize};

/// Where entries are told.
pub(super) const TOPIC: &str = "accounts";
/// Entries of those who are paid have the payment's id and this.
pub(super) const CREDIT: u32 = 1_000_000;
/// A reminder comes so soon.
const SOON: Duration = Duration::from_millis(700);

pub(super) enum Account {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    entries: Vec<u32>,
    reminders: Vec<Timer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Command {
    /// Only the request memory keeps it from being carried out twice.
    Add {
        id: u32,
        pay: Option<String>,
        remind: bool,
    },
    /// Only the sequence of its source does.
    Credit {
        id: u32,
    },
    Remind {
        name: String,
    },
    Look,
}

#[derive(Debug)]
pub(super) enum Event {
    Entered(u32),
    Waits(Timer),
    Reminded(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) entries: Vec<u32>,
    pub(super) reminders: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum Never {}

impl Entity for Account {
    const KIND: &'static str = "account";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Never;
    type Effect = ();

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Never> {
        // Small where it is remembered.
        let done = || {
            Decision::reply(Reply {
                entries: vec![],
                reminders: 0,
            })
        };
        Ok(match command {
            Command::Add { id, pay, remind } => {
                let mut decision = done().event(Event::Entered(id)).send(Outgoing::topic(TOPIC, &id));
                if let Some(to) = pay {
                    let credit = Command::Credit { id: id + CREDIT };
                    decision = decision.send(Outgoing::to::<Self>(&to, &credit));
                }
                if remind {
                    let (name, due) = (id.to_string(), cx.now + SOON);
                    decision = decision.event(Event::Waits(Timer { name, due }));
                }
                decision
            }
            Command::Credit { id } => done().event(Event::Entered(id)),
            Command::Remind { name } if state.reminders.iter().any(|timer| timer.name == name) => {
                done().event(Event::Reminded(name))
            }
            Command::Remind { .. } => done(),
            Command::Look => Decision::reply(Reply {
                entries: state.entries.clone(),
                reminders: state.reminders.len(),
            }),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::Entered(id) => state.entries.push(*id),
            Event::Waits(timer) => state.reminders.push(timer.clone()),
            Event::Reminded(name) => state.reminders.retain(|timer| timer.name != *name),
        }
    }

    fn timers(state: &State) -> Vec<Timer> {
        state.reminders.clone()
    }

    fn on_timer(name: &str) -> Option<Command> {
        Some(Command::Remind {
            name: name.to_owned(),
        })
    }

    fn remembers(command: &Command) -> bool {
        matches!(command, Command::Add { .. })
    }

    fn by_source(command: &Command) -> bool {
        matches!(command, Command::Credit { .. })
    }
}

/// It has no effects.
pub(super) struct Nothing;

impl Effects<Account> for Nothing {
    fn run(&self, _: &EntityId, _: Stamp, _: Vec<()>) {}
}
