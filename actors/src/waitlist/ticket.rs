//! A ticket: whose it is. One entity per number, so that nothing has to remember everybody who waits.

use crate::id::{Home, UserId};
use crate::user::{self, User};
use mitalk_cluster::{Context, Decision, Entity, Outgoing};
use serde::{Deserialize, Serialize};

/// The entity type; its key is `<home>-<number>`.
pub enum Ticket {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    user: Option<UserId>,
    called: bool,
    /// Its owner's account was deleted: it is nobody's for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    forgotten: bool,
}

#[cfg(feature = "testing")]
impl State {
    /// Somebody's who waits.
    pub(super) fn of(user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::default()
        }
    }
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// It is this person's.
    Issue {
        /// The key's number.
        number: u64,
        /// Whose.
        user: UserId,
    },
    /// It is their turn.
    Call,
    /// Its owner's account was deleted.
    Forget,
}

/// Done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done;

/// It never refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// It is somebody's.
    Issued(UserId),
    /// Its turn came.
    Called,
    /// It is nobody's any more.
    Forgotten,
}

impl Entity for Ticket {
    const KIND: &'static str = "ticket";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Done;
    type Refusal = Refusal;
    type Effect = crate::effects::None;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        if state.forgotten {
            return Ok(Decision::reply(Done));
        }
        Ok(match (command, state.user) {
            (Command::Forget, _) => Decision::reply(Done).event(Event::Forgotten),
            (Command::Issue { number, user }, None) => {
                let given = user::Command::TakeTicket {
                    home: home(cx),
                    number,
                };
                // Its block may have called it already: the two rows come by different ways.
                let issued = Decision::reply(Done)
                    .event(Event::Issued(user))
                    .send(to(user, &given));
                if state.called {
                    issued.send(to(user, &admit()))
                } else {
                    issued
                }
            }
            (Command::Call, user) if !state.called => {
                let called = Decision::reply(Done).event(Event::Called);
                user.into_iter()
                    .fold(called, |decision, user| decision.send(to(user, &admit())))
            }
            (Command::Issue { .. } | Command::Call, _) => Decision::reply(Done),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match *event {
            Event::Issued(user) => state.user = Some(user),
            Event::Called => state.called = true,
            Event::Forgotten => {
                state.user = None;
                state.forgotten = true;
            }
        }
    }
}

fn admit() -> user::Command {
    user::Command::Admit {
        how: user::Admitted::Ticket,
    }
}

fn to(user: UserId, command: &user::Command) -> Outgoing {
    Outgoing::to::<User>(&user.to_string(), command)
}

fn home(cx: &Context) -> Home {
    cx.id
        .key
        .split_once('-')
        .and_then(|(home, _)| home.parse().ok())
        .unwrap_or_default()
}
