//! The sunset: an operator says when the service ends. One global entity; each change is audited.
//!
//! Until that hour everybody is told the date, and may take their data along. From that hour on nobody signs in and no room
//! is opened, and everybody's account is deleted, at once and as thoroughly as one that its owner had deleted: a walk over
//! all profiles, a page at a time, which goes on after any crash because each page is asked for by a durable timer until it
//! is reported. What is deleted twice stays deleted. Passes follow each other until [`CLEAN_PASSES`] in a row find nobody:
//! that is the proof, and it is kept.

#[cfg(test)]
mod tests;

use crate::events::{Actor, Audit, Message};
use crate::id::UserId;
use mitalk_cluster::{Context, Decision, Entity, Timer, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key of the one entity.
pub const KEY: &str = "global";
/// Passes in a row that have to find nobody: rows of those who came in the last moment may be late.
pub const CLEAN_PASSES: u32 = 2;
/// Between two passes: accounts erase whom they follow meanwhile, and late rows arrive.
const APART: Duration = Duration::from_secs(5);
/// A page that was not reported is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(60);
const BEGIN: &str = "begin";
const PAGE: &str = "page";

/// The entity type.
pub enum Sunset {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    at: Option<Timestamp>,
    purge: Option<Purge>,
}

/// How far the deletion of everybody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// Counts the passes from 1.
    pub pass: u32,
    /// Accounts that reported pages deleted. At least so many were: whom a page deleted that a crash or a silent account kept
    /// from being reported, the page that is asked for again finds deleted already. The proof is `left`.
    pub deleted: u64,
    /// People whom this pass has found so far with anything left of them.
    pub left: u64,
    /// Passes in a row, the last ones, that found nobody.
    pub clean: u32,
    /// The last person of the page before.
    after: Option<UserId>,
    /// When the next page is due, or asked for again.
    due: Timestamp,
    /// When it was found that nobody is left.
    pub done_at: Option<Timestamp>,
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// When is it, and how far is it?
    Read,
    /// The service ends then.
    Set {
        /// In the future.
        at: Timestamp,
    },
    /// It goes on after all.
    Cancel,
    /// The hour has come, if it has.
    Begin,
    /// The next page is due, if it is.
    Page,
    /// The people of a page were told to go.
    Purged {
        /// In which pass.
        pass: u32,
        /// The person before it: says which page.
        after: Option<UserId>,
        /// The last one of it; absent: that was the end.
        last: Option<UserId>,
        /// How many of them were deleted just now.
        deleted: u64,
        /// How many of them are not gone altogether yet.
        left: u64,
    },
}

/// The sunset after the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// When the service ends; absent: it does not.
    pub at: Option<Timestamp>,
    /// Since that hour.
    pub purge: Option<Purge>,
}

impl Reply {
    /// Whether the hour has come.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.purge.is_some() || self.at.is_some_and(|at| at <= now)
    }
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nobody would have had time to take anything along.
    #[error("the sunset must be in the future")]
    Past,
    /// What is deleted does not come back.
    #[error("the sunset has come: the deletion has begun")]
    Begun,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// It is then, or not at all.
    At(Option<Timestamp>),
    /// The walk is here now.
    Purge(Purge),
}

/// The page of people after this one is to be told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// In which pass.
    pub pass: u32,
    /// The last person of the page before.
    pub after: Option<UserId>,
}

impl Entity for Sunset {
    const KIND: &'static str = "sunset";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = Effect;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        match command {
            Command::Read => Ok(Decision::reply(state.view())),
            Command::Set { at } => set(state, Some(at), cx),
            Command::Cancel => set(state, None, cx),
            Command::Begin => Ok(begin(state, cx)),
            Command::Page => Ok(page(state, cx)),
            Command::Purged {
                pass,
                after,
                last,
                deleted,
                left,
            } => Ok(match state.purge {
                Some(purge) if purge.is_at(pass, after) => {
                    let purge = Purge {
                        deleted: purge.deleted + deleted,
                        left: purge.left + left,
                        ..purge
                    };
                    purged(state, purge, last, cx)
                }
                _ => Decision::reply(state.view()),
            }),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        match *event {
            Event::At(at) => state.at = at,
            Event::Purge(purge) => state.purge = Some(purge),
        }
    }

    fn timers(state: &State) -> Vec<Timer> {
        let due = match (state.at, state.purge) {
            (_, Some(Purge { done_at: Some(_), .. })) | (None, None) => None,
            (_, Some(purge)) => Some((PAGE, purge.due)),
            (Some(at), None) => Some((BEGIN, at)),
        };
        due.into_iter()
            .map(|(name, due)| Timer {
                name: name.to_owned(),
                due,
            })
            .collect()
    }

    fn on_timer(name: &str) -> Option<Command> {
        match name {
            BEGIN => Some(Command::Begin),
            PAGE => Some(Command::Page),
            _ => None,
        }
    }
}

impl State {
    fn view(&self) -> Reply {
        Reply {
            at: self.at,
            purge: self.purge,
        }
    }
}

impl Purge {
    fn first(now: Timestamp) -> Self {
        Self {
            pass: 1,
            deleted: 0,
            left: 0,
            clean: 0,
            after: None,
            due: now,
            done_at: None,
        }
    }

    fn is_at(&self, pass: u32, after: Option<UserId>) -> bool {
        self.done_at.is_none() && (self.pass, self.after) == (pass, after)
    }
}

fn set(state: &State, at: Option<Timestamp>, cx: &Context) -> Result<Decision<Sunset>, Refusal> {
    if state.view().is_over(cx.now) {
        return Err(Refusal::Begun);
    }
    if at.is_some_and(|at| at <= cx.now) {
        return Err(Refusal::Past);
    }
    if state.at == at {
        return Ok(Decision::reply(state.view()));
    }
    let action = if at.is_some() {
        "sunset_set"
    } else {
        "sunset_cancelled"
    };
    let audit = Audit::new(Actor::Operator, action);
    let audit = match at {
        Some(at) => audit.count(at.0),
        None => audit,
    };
    Ok(Decision::reply(Reply { at, purge: None })
        .event(Event::At(at))
        .send(audit.outgoing()))
}

fn begin(state: &State, cx: &Context) -> Decision<Sunset> {
    if state.purge.is_some() || state.at.is_none_or(|at| at > cx.now) {
        return Decision::reply(state.view());
    }
    let audit = Audit::new(Actor::Service, "sunset_begun");
    ask_for_page(state, Purge::first(cx.now), cx).send(audit.outgoing())
}

fn page(state: &State, cx: &Context) -> Decision<Sunset> {
    match state.purge {
        Some(purge) if purge.done_at.is_none() && purge.due <= cx.now => ask_for_page(state, purge, cx),
        _ => Decision::reply(state.view()),
    }
}

fn ask_for_page(state: &State, purge: Purge, cx: &Context) -> Decision<Sunset> {
    let effect = Effect {
        pass: purge.pass,
        after: purge.after,
    };
    let due = cx.now + AGAIN;
    at(state, Purge { due, ..purge }).effect(effect)
}

fn at(state: &State, purge: Purge) -> Decision<Sunset> {
    Decision::reply(Reply {
        purge: Some(purge),
        ..state.view()
    })
    .event(Event::Purge(purge))
}

/// A page is done: the next one, or the next pass, or it was the last one.
fn purged(state: &State, purge: Purge, last: Option<UserId>, cx: &Context) -> Decision<Sunset> {
    if last.is_some() {
        return ask_for_page(state, Purge { after: last, ..purge }, cx);
    }
    let clean = if purge.left == 0 { purge.clean + 1 } else { 0 };
    if clean >= CLEAN_PASSES {
        let audit = Audit::new(Actor::Service, "sunset_purged").count(purge.deleted);
        let done_at = Some(cx.now);
        return at(
            state,
            Purge {
                clean,
                done_at,
                ..purge
            },
        )
        .send(audit.outgoing());
    }
    at(
        state,
        Purge {
            pass: purge.pass + 1,
            left: 0,
            clean,
            after: None,
            due: cx.now + APART,
            ..purge
        },
    )
}
