//! The walk over whom a deleted account followed and who followed it, and what becomes of it in others' accounts.
//!
//! What can be many is read from the read tables, a page at a time. A page is read only when every row that was sent before it
//! has been delivered: the last row of each step is a command to the account itself, and the outbox keeps its order. So no row
//! of before can come into a page that was read already. Each of those people's accounts removes its own rows; whoever follows
//! meanwhile is told the same ([`Change::Forgot`]).

use super::{Change, forget_in, forget_me, nobody};
use crate::events::{Actor, Audit, Message};
use crate::id::UserId;
use crate::tables::{self, Change as Row};
use crate::user::state::{State, me};
use crate::user::{Command, Effect, Event, Reply, Tell, User};
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// People of one page: two rows of the outbox each.
pub const ERASED_AT_ONCE: usize = 100;
/// A page that nobody brought is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// How far the removal of follows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    of: Whom,
    after: Option<UserId>,
    /// Counts the pages, so that an answer about an earlier one is recognised.
    step: u64,
    /// Since when the page may be read: everything sent before it was delivered. Asked for again at that time.
    pub(super) due: Option<Timestamp>,
}

/// Which people a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// Whom they followed.
    Following,
    /// Who followed them.
    Followers,
}

/// A page of people that the account has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which people.
    pub of: Whom,
    /// Those after this one, at most [`ERASED_AT_ONCE`].
    pub after: Option<UserId>,
    /// To be said again with the answer.
    pub step: u64,
}

impl Walk {
    pub(super) fn first() -> Self {
        Self {
            of: Whom::Following,
            after: None,
            step: 1,
            due: None,
        }
    }

    fn page(self) -> Page {
        Page {
            of: self.of,
            after: self.after,
            step: self.step,
        }
    }

    /// The page behind somebody, or else of the next kind; absent: there is none.
    fn next(self, last: Option<UserId>) -> Option<Self> {
        let step = self.step + 1;
        match (last, self.of) {
            (Some(last), of) => Some(Self {
                of,
                after: Some(last),
                step,
                due: None,
            }),
            (None, Whom::Following) => Some(Self {
                of: Whom::Followers,
                after: None,
                step,
                due: None,
            }),
            (None, Whom::Followers) => None,
        }
    }
}

pub(super) fn set_walk(state: &mut State, walk: Option<Walk>) {
    if let Some(gone) = &mut state.gone {
        gone.walk = walk;
    }
}

/// Comes back to this account once all rows before it were delivered.
pub(super) fn go_on(walk: Walk, cx: &Context) -> Outgoing {
    Outgoing::to::<User>(&cx.id.key, &Command::Erase { step: walk.step })
}

/// A step's rows were delivered: its page may be read.
pub(in crate::user) fn erase(state: &State, step: u64, cx: &Context) -> Decision<User> {
    match walk(state) {
        Some(walk) if walk.step == step && walk.due.is_none() => ask_for_page(walk, cx),
        _ => Decision::reply(Reply::Done),
    }
}

pub(in crate::user) fn erase_again(state: &State, cx: &Context) -> Decision<User> {
    match walk(state) {
        Some(walk) if walk.due.is_some_and(|due| due <= cx.now) => ask_for_page(walk, cx),
        _ => Decision::reply(Reply::Done),
    }
}

fn walk(state: &State) -> Option<Walk> {
    state.gone.as_ref()?.walk
}

fn ask_for_page(walk: Walk, cx: &Context) -> Decision<User> {
    let due = Some(cx.now + AGAIN);
    Decision::reply(Reply::Done)
        .event(Event::Leaving(Change::At(Walk { due, ..walk })))
        .effect(Effect::Read(walk.page()))
}

/// A page is here: the rows of these people go, and then comes the next page.
pub(in crate::user) fn erase_page(
    state: &State,
    step: u64,
    people: &[UserId],
    last: Option<UserId>,
    cx: &Context,
) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let Some(walk) = walk(state).filter(|walk| walk.step == step && walk.due.is_some()) else {
        return decision;
    };
    let people = &people[..people.len().min(ERASED_AT_ONCE)];
    let decision = people.iter().fold(decision, |decision, person| match walk.of {
        Whom::Following => decision
            .send(no_follow(me(cx), *person))
            .send(forget_me(*person, false, cx)),
        Whom::Followers => decision.send(forget_me(*person, true, cx)),
    });
    let Some(next) = walk.next(last.or(people.last().copied())) else {
        let audit = Audit::new(Actor::Service, "account_erased").user(me(cx));
        return decision
            .event(Event::Leaving(Change::Erased))
            .send(nobody(me(cx), false))
            .send(audit.outgoing());
    };
    decision
        .event(Event::Leaving(Change::At(next)))
        .send(go_on(next, cx))
}

fn no_follow(follower: UserId, followee: UserId) -> Outgoing {
    let row = tables::Follow {
        follower,
        followee,
        follows: false,
    };
    Row::Follow(row).outgoing()
}

/// Somebody was deleted. `follows`: the read table says, or they were just told, that this person follows them.
pub(in crate::user) fn forget(state: &State, whom: UserId, follows: bool, cx: &Context) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let Some(account) = state.account.as_deref() else {
        return decision;
    };
    let decision = if follows {
        decision.send(no_follow(me(cx), whom))
    } else {
        decision
    };
    let mut after = account.clone();
    forget_in(&mut after, whom);
    if after == *account && !follows {
        return decision;
    }
    let decision = decision.event(Event::Leaving(Change::Forgot(whom)));
    if after.invited_by == account.invited_by {
        return decision;
    }
    decision.send(after.row(me(cx))).effect(state.tell(Tell::Changed))
}

/// Somebody follows who is not there any more.
pub(in crate::user) fn followed_when_gone(state: &State, by: UserId, cx: &Context) -> Option<Decision<User>> {
    state.gone.as_ref()?;
    Some(Decision::reply(Reply::Done).send(forget_me(by, true, cx)))
}

/// Somebody came in by an invite whose giver is not there any more.
pub(in crate::user) fn settled_when_gone(state: &State, by: Option<UserId>, cx: &Context) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    match by.filter(|_| state.gone.is_some()) {
        Some(guest) => decision.send(forget_me(guest, false, cx)),
        None => decision,
    }
}
