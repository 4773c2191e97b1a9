//! A handle: whose it is. One entity per handle, so two people never have the same.
//!
//! `Claim` holds it for a while, the claimer's account commits it, then `Confirm` makes it theirs. A claim that nobody
//! confirmed is free again when its time is over; no timer is needed, the next claim sees it. A confirmation that comes
//! too late, after somebody else's claim, is answered by taking the handle from that account again: this entity decides.

use crate::id::UserId;
use crate::tables::{self, Change};
use crate::user::{self, User};
use mitalk_cluster::{Context, Decision, Entity, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};

/// Shortest and longest handle, in characters.
pub const CHARS: std::ops::RangeInclusive<usize> = 3..=20;

/// Handles that would look like the service itself, or like a page of it.
const RESERVED: [&str; 24] = [
    "about",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "everyone",
    "health",
    "help",
    "hallway",
    "login",
    "me",
    "mitalk",
    "mi_talk",
    "moderator",
    "null",
    "official",
    "operator",
    "root",
    "rooms",
    "security",
    "settings",
    "support",
    "system",
];

/// A handle in its one form (lower case), or nothing if the text is none or reserved.
pub fn parse(text: &str) -> Option<String> {
    let handle = text.trim().trim_start_matches('@').to_ascii_lowercase();
    let letters = handle
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let fits = CHARS.contains(&handle.len()) && handle.starts_with(|first: char| first.is_ascii_lowercase());
    (letters && fits && !RESERVED.contains(&&*handle)).then_some(handle)
}

/// The entity type; its key is the handle.
pub enum Handle {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    holder: Option<Holder>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    user: UserId,
    /// Until when it is only claimed; absent: confirmed.
    until: Option<Timestamp>,
}

impl State {
    /// Whose it is at `now`: confirmed, or claimed and not expired.
    fn holder(&self, now: Timestamp) -> Option<&Holder> {
        self.holder
            .as_ref()
            .filter(|holder| holder.until.is_none_or(|until| now < until))
    }
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Holds it for somebody who is about to commit it.
    Claim {
        /// For whom.
        by: UserId,
        /// How long at most.
        until: Timestamp,
    },
    /// Their account has it now.
    Confirm {
        /// Whose.
        by: UserId,
    },
    /// Their account has another one, or is gone.
    Release {
        /// Whose.
        by: UserId,
    },
}

/// Done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done;

/// Why it is not the claimer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It is somebody else's.
    #[error("the handle is taken")]
    Taken,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Event {
    holder: Option<Holder>,
}

impl Entity for Handle {
    const KIND: &'static str = "handle";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Done;
    type Refusal = Refusal;
    type Effect = crate::effects::None;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        match command {
            Command::Claim { by, until } => claim(state, by, until, cx),
            Command::Confirm { by } => Ok(confirm(state, by, cx)),
            Command::Release { by } => Ok(release(state, by, cx)),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        state.holder.clone_from(&event.holder);
    }
}

fn claim(state: &State, by: UserId, until: Timestamp, cx: &Context) -> Result<Decision<Handle>, Refusal> {
    match state.holder(cx.now) {
        Some(holder) if holder.user != by => Err(Refusal::Taken),
        Some(Holder { until: None, .. }) => Ok(Decision::reply(Done)),
        _ => Ok(Decision::reply(Done).event(Event {
            holder: Some(Holder {
                user: by,
                until: Some(until),
            }),
        })),
    }
}

fn confirm(state: &State, by: UserId, cx: &Context) -> Decision<Handle> {
    match state.holder(cx.now) {
        Some(Holder { user, until: None }) if *user == by => Decision::reply(Done),
        // Too late: the account has what is another's by now.
        Some(holder) if holder.user != by => Decision::reply(Done).send(Outgoing::to::<User>(
            &by.to_string(),
            &user::Command::LoseHandle {
                handle: cx.id.key.to_string(),
            },
        )),
        _ => changed(Some(by), cx),
    }
}

fn release(state: &State, by: UserId, cx: &Context) -> Decision<Handle> {
    match &state.holder {
        Some(holder) if holder.user == by => changed(None, cx),
        _ => Decision::reply(Done),
    }
}

fn changed(user: Option<UserId>, cx: &Context) -> Decision<Handle> {
    let row = Change::Handle(tables::Handle {
        handle: cx.id.key.to_string(),
        user,
    });
    Decision::reply(Done)
        .event(Event {
            holder: user.map(|user| Holder { user, until: None }),
        })
        .send(row.outgoing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use crate::testing::pure::Model;
    use proptest::prelude::*;
    use std::time::Duration;

    fn user(n: u128) -> UserId {
        UserId::new(Home::default(), n)
    }

    #[test]
    fn handles_have_one_form() {
        assert_eq!(parse(" @Ada_L "), Some("ada_l".into()));
        for text in [
            "ab",
            "1abc",
            "_abc",
            "a-b",
            "äbc",
            "admin",
            "",
            "a23456789012345678901",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_unconfirmed_claim_expires() {
        let mut handle = Model::<Handle>::new("ada");
        let until = handle.now() + Duration::from_secs(600);
        handle.ask(Command::Claim { by: user(1), until }).unwrap();
        assert_eq!(
            handle.ask(Command::Claim { by: user(2), until }),
            Err(Refusal::Taken)
        );
        handle.advance(Duration::from_secs(600));
        let until = handle.now() + Duration::from_secs(600);
        handle.ask(Command::Claim { by: user(2), until }).unwrap();
        // The first one's confirmation comes too late: its account is told.
        handle.ask(Command::Confirm { by: user(1) }).unwrap();
        assert_eq!(handle.commands::<User>().len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Claim(u128),
        Confirm(u128),
        Release(u128),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..4u128).prop_map(Step::Claim),
            (1..4u128).prop_map(Step::Confirm),
            (1..4u128).prop_map(Step::Release),
            (1..400u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Once confirmed, a handle stays its holder's until they release it, and a repeat changes nothing.
        #[test]
        fn a_confirmed_handle_is_never_lost(steps in prop::collection::vec(step(), 0..40)) {
            let mut handle = Model::<Handle>::new("ada");
            for step in steps {
                let before = handle.state.holder.clone();
                let confirmed = before.as_ref().filter(|holder| holder.until.is_none()).map(|holder| holder.user);
                let (by, command) = match step {
                    Step::Wait(seconds) => { handle.advance(Duration::from_secs(seconds)); continue }
                    Step::Claim(n) => (user(n), Command::Claim { by: user(n), until: handle.now() + Duration::from_secs(300) }),
                    Step::Confirm(n) => (user(n), Command::Confirm { by: user(n) }),
                    Step::Release(n) => (user(n), Command::Release { by: user(n) }),
                };
                let released = matches!(command, Command::Release { .. }) && confirmed == Some(by);
                let first = handle.ask(command.clone());
                if let Some(holder) = confirmed && !released {
                    prop_assert_eq!(handle.state.holder.as_ref().map(|holder| holder.user), Some(holder));
                }
                let state = handle.state.clone();
                prop_assert_eq!(handle.ask(command), first);
                prop_assert_eq!(&handle.state, &state);
            }
        }
    }
}
