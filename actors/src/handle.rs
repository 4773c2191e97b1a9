//! A handle: whose it is. One entity per handle, so two people never have the same.
//!
//! `Claim` holds it for a while, the claimer's account commits it, then `Confirm` makes it theirs. A claim that nobody
//! confirmed is free again when its time is over; no timer is needed, the next claim sees it. A confirmation that comes
//! too late, after somebody else's claim, is answered by taking the handle from that account again: this entity decides.
//!
//! `Confirm` and `Release` undo each other, so neither is idempotent by state: a paused, passed owner of an account may
//! send either once more, long after the other. Two things keep such a repeat from counting (rule 12): nobody has a
//! handle without a claim of theirs that nobody replaced, and of the last two who had it the newest row of their
//! account's outbox that was obeyed is kept. What is not remembered of others before them can at most undo a claim, and
//! its account is told.

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

/// Accounts whose newest row is remembered: whose it is, and whose it was.
const HEARD: usize = 2;

/// The entity type; its key is the handle.
pub enum Handle {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    holder: Option<Holder>,
    /// At most [`HEARD`], the last first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    heard: Vec<Heard>,
}

/// The newest row of an account's outbox that was obeyed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    user: UserId,
    sequence: u64,
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

    /// Whether an account's row is no newer than one that was obeyed.
    fn has_heard(&self, row: Option<Heard>) -> bool {
        row.is_some_and(|row| {
            let mut heard = self.heard.iter();
            heard.any(|heard| heard.user == row.user && row.sequence <= heard.sequence)
        })
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
    heard: Option<Heard>,
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
            Command::Confirm { by } | Command::Release { by } if state.has_heard(row(by, cx)) => {
                Ok(Decision::reply(Done))
            }
            Command::Confirm { by } => Ok(confirm(state, by, cx)),
            Command::Release { by } => Ok(release(state, by, cx)),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        state.holder.clone_from(&event.holder);
        if let Some(heard) = event.heard {
            state.heard.retain(|other| other.user != heard.user);
            state.heard.insert(0, heard);
            state.heard.truncate(HEARD);
        }
    }
}

/// The row of the account's outbox that delivers this command.
fn row(by: UserId, cx: &Context) -> Option<Heard> {
    let sequence = cx.source.as_ref()?.sequence;
    Some(Heard { user: by, sequence })
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
            heard: None,
        })),
    }
}

fn confirm(state: &State, by: UserId, cx: &Context) -> Decision<Handle> {
    match &state.holder {
        Some(Holder { user, until: None }) if *user == by => Decision::reply(Done),
        // Also when its time is over: nobody else wanted it meanwhile.
        Some(holder) if holder.user == by => changed(Some(by), by, cx),
        // Too late: the account has what is another's by now, or what it, or another one, has given back since.
        _ => Decision::reply(Done).send(Outgoing::to::<User>(
            &by.to_string(),
            &user::Command::LoseHandle {
                handle: cx.id.key.to_string(),
            },
        )),
    }
}

fn release(state: &State, by: UserId, cx: &Context) -> Decision<Handle> {
    match &state.holder {
        Some(holder) if holder.user == by => changed(None, by, cx),
        _ => Decision::reply(Done),
    }
}

fn changed(user: Option<UserId>, by: UserId, cx: &Context) -> Decision<Handle> {
    let change = Change::Handle(tables::Handle {
        handle: cx.id.key.to_string(),
        user,
    });
    Decision::reply(Done)
        .event(Event {
            holder: user.map(|user| Holder { user, until: None }),
            heard: row(by, cx),
        })
        .send(change.outgoing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use crate::testing::pure::Model;
    use mitalk_cluster::{BootInstant, EntityId, Source, Trace};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
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

    /// A row of somebody's account.
    fn told(handle: &mut Model<Handle>, by: u128, sequence: u64, command: Command) -> Decision<Handle> {
        let mut cx = Context {
            id: EntityId::of::<Handle>("ada"),
            now: handle.now(),
            rng: StdRng::seed_from_u64(1),
            request: None,
            source: Some(Source {
                entity: EntityId::of::<User>(&user(by).to_string()),
                sequence,
            }),
            deadline: BootInstant(u64::MAX),
            trace: Trace::default(),
        };
        let decision = Handle::decide(&handle.state, command, &mut cx).unwrap();
        for event in &decision.events {
            Handle::fold(&mut handle.state, event);
        }
        decision
    }

    fn claimed(handle: &mut Model<Handle>, by: u128) {
        let until = handle.now() + Duration::from_secs(600);
        handle.ask(Command::Claim { by: user(by), until }).unwrap();
    }

    fn has_it(handle: &Model<Handle>) -> Option<UserId> {
        let confirmed = handle
            .state
            .holder
            .as_ref()
            .filter(|holder| holder.until.is_none());
        confirmed.map(|holder| holder.user)
    }

    /// Rule 12: a passed owner of the account sends an old row again, after all that followed it.
    #[test]
    fn a_late_repeat_of_a_row_does_not_count() {
        let (confirm, release) = (
            |n| Command::Confirm { by: user(n) },
            |n| Command::Release { by: user(n) },
        );
        let mut handle = Model::<Handle>::new("ada");
        claimed(&mut handle, 1);
        told(&mut handle, 1, 5, confirm(1));
        told(&mut handle, 1, 9, release(1));
        let late = told(&mut handle, 1, 5, confirm(1));
        assert_eq!((has_it(&handle), late.events.len()), (None, 0));
        // Nor does it confirm a claim that its account may never commit, nor undo what it has since.
        claimed(&mut handle, 1);
        told(&mut handle, 1, 5, confirm(1));
        assert_eq!(has_it(&handle), None);
        told(&mut handle, 1, 12, confirm(1));
        told(&mut handle, 1, 9, release(1));
        assert_eq!(has_it(&handle), Some(user(1)));
    }

    /// Also when others had it in between, who are all that is remembered: without a claim nobody gets it.
    #[test]
    fn nobody_has_a_handle_without_a_claim() {
        let mut handle = Model::<Handle>::new("ada");
        for n in 1..=4 {
            claimed(&mut handle, n);
            told(&mut handle, n, 5, Command::Confirm { by: user(n) });
            told(&mut handle, n, 9, Command::Release { by: user(n) });
        }
        let late = told(&mut handle, 1, 5, Command::Confirm { by: user(1) });
        assert_eq!(has_it(&handle), None);
        assert_eq!(late.outbox.len(), 1, "should it have it, its account is told");
        assert_eq!(handle.state.heard.len(), HEARD);
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
