//! Leaving: an account that its owner wants deleted, and what is left of one that was.
//!
//! Asking for it changes nothing but a date: signing in does not take it back, only its owner does, by saying so. At the
//! date (a durable timer), or at once when the service itself ends, the account is emptied in one commit: sessions end,
//! number and handle are free, pending invites are taken back, the profile's row says that there is nobody.
//!
//! What can be many, whom they followed and who followed them, is a walk: see [`erasing`].
//!
//! The row stays, emptied (rule 7): it answers what is still on its way here as an account that does not exist.

mod erasing;

pub use erasing::{ERASED_AT_ONCE, Page, Whom};
pub(super) use erasing::{erase, erase_again, erase_page, followed_when_gone, forget, settled_when_gone};

use self::erasing::{Walk, go_on, set_walk};
use super::state::{Account, State, me};
use super::{Effect, Event, Gone, Refusal, Reply, Tell, User, access, devices, presence};
use crate::events::{Actor, Audit, Message};
use crate::handle::{self, Handle};
use crate::id::UserId;
use crate::invite::{self, Invite, Status};
use crate::person::{About, Standing};
use crate::phone::{self, Phone};
use crate::tables::{self, Change as Row};
use crate::waitlist::{
    self,
    ticket::{self, Ticket},
};
use mitalk_cluster::{Context, Decision, Outgoing, Timer, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const DEPART: &str = "depart";
const ERASE: &str = "erase";

/// What is left of a deleted account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remains {
    at: Timestamp,
    /// Absent: all is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    walk: Option<Walk>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Change {
    /// The account is to be deleted then, or not any more.
    Asked(Option<Timestamp>),
    /// It was.
    Deleted(Timestamp),
    /// The walk is here now.
    At(Walk),
    /// It is over.
    Erased,
    /// Somebody else was deleted: nothing of them is kept here.
    Forgot(UserId),
}

impl Change {
    pub(super) fn fold(&self, state: &mut State) {
        match self {
            Self::Deleted(at) => {
                state.account = None;
                state.gone = Some(Remains {
                    at: *at,
                    walk: Some(Walk::first()),
                });
            }
            Self::At(walk) => set_walk(state, Some(*walk)),
            Self::Erased => set_walk(state, None),
            Self::Asked(_) | Self::Forgot(_) => {
                if let Some(account) = &mut state.account {
                    self.fold_account(account);
                }
            }
        }
    }

    fn fold_account(&self, account: &mut Account) {
        account.revision += 1;
        match self {
            Self::Asked(at) => account.leaving_at = *at,
            Self::Forgot(whom) => forget_in(account, *whom),
            Self::Deleted(_) | Self::At(_) | Self::Erased => {}
        }
    }
}

fn forget_in(account: &mut Account, whom: UserId) {
    account.followed_lately.retain(|(other, _)| *other != whom);
    account.followers_lately.retain(|other| *other != whom);
    account.invited_by = account.invited_by.filter(|inviter| *inviter != whom);
    for spent in &mut account.invites {
        if spent.accepted_by == Some(whom) {
            spent.accepted_by = None;
            spent.hint = None;
        }
    }
}

/// When the account is to be deleted, and the next page of one that was.
pub(super) fn timers(state: &State) -> Vec<Timer> {
    let leaving = state.account.as_ref().and_then(|account| account.leaving_at);
    let walk = state.gone.as_ref().and_then(|gone| gone.walk?.due);
    let named = [(DEPART, leaving), (ERASE, walk)].into_iter();
    named
        .filter_map(|(name, due)| {
            let name = name.to_owned();
            Some(Timer { name, due: due? })
        })
        .collect()
}

pub(super) fn on_timer(name: &str) -> Option<super::Command> {
    match name {
        DEPART => Some(super::Command::Depart),
        ERASE => Some(super::Command::EraseAgain),
        _ => None,
    }
}

/// Asked again, the first date stays.
pub(super) fn leave(state: &State, after: Duration, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    if account.leaving_at.is_some() {
        return Ok(Decision::reply(state.summary(cx)?));
    }
    Ok(asked(state, account, Some(cx.now + after), cx))
}

pub(super) fn stay(state: &State, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    if account.leaving_at.is_none() {
        return Ok(Decision::reply(state.summary(cx)?));
    }
    Ok(asked(state, account, None, cx))
}

fn asked(state: &State, account: &Account, at: Option<Timestamp>, cx: &Context) -> Decision<User> {
    let change = Change::Asked(at);
    let mut after = account.clone();
    change.fold_account(&mut after);
    let action = match at {
        Some(_) => "account_deletion_asked",
        None => "account_deletion_cancelled",
    };
    Decision::reply(Reply::Account(Box::new(after.summary(cx, &state.live))))
        .event(Event::Leaving(change))
        .send(Audit::new(Actor::User(me(cx)), action).outgoing())
        .effect(state.tell(Tell::Changed))
}

/// The timer may be late, early by another machine's clock, or about a wish that was taken back.
pub(super) fn depart(state: &State, cx: &Context) -> Decision<User> {
    match state.account.as_deref() {
        Some(account) if account.leaving_at.is_some_and(|at| at <= cx.now) => empty(state, account, cx),
        _ => Decision::reply(Reply::Done),
    }
}

/// The service ends: whoever is still here is deleted at once.
pub(super) fn purge(state: &State, cx: &Context) -> Decision<User> {
    match (state.account.as_deref(), &state.gone) {
        (Some(account), _) => {
            let mut decision = empty(state, account, cx);
            decision.reply = Reply::Gone(Gone::Now);
            decision
        }
        (None, Some(remains)) if remains.walk.is_some() => Decision::reply(Reply::Gone(Gone::Before)),
        // Also one that never was.
        (None, _) => Decision::reply(Reply::Gone(Gone::Altogether)),
    }
}

/// Everything that one commit can do; in all, less than a decision may send.
fn empty(state: &State, account: &Account, cx: &Context) -> Decision<User> {
    let user = me(cx);
    let decision = Decision::reply(Reply::Done)
        .event(Event::Leaving(Change::Deleted(cx.now)))
        // First: from here on nobody is shown anything.
        .send(nobody(user, true))
        .send(tables::Change::NoticesGone(tables::NoticesGone { user }).outgoing());
    let decision = presence::put_out(decision, state, None);
    let decision = account.devices.iter().fold(decision, |decision, device| {
        decision
            .send(devices::token_row(Some(device.id), true, cx))
            .effect(Effect::ShutOut(device.id))
    });
    let decision = let_go(decision, account, cx);
    let decision = stop_waiting(decision, account, cx);
    let decision = settle_invites(decision, account, cx);
    let audit = Audit::new(Actor::Service, "account_deleted").user(user);
    decision.send(audit.outgoing()).send(go_on(Walk::first(), cx))
}

/// Number and handle are anybody's again.
fn let_go(decision: Decision<User>, account: &Account, cx: &Context) -> Decision<User> {
    let by = me(cx);
    let decision = if account.number_lost {
        decision
    } else {
        let release = phone::Command::Release { by };
        decision.send(Outgoing::to::<Phone>(account.phone.as_str(), &release))
    };
    match &account.handle {
        Some(handle) => decision.send(Outgoing::to::<Handle>(handle, &handle::Command::Release { by })),
        None => decision,
    }
}

fn stop_waiting(decision: Decision<User>, account: &Account, cx: &Context) -> Decision<User> {
    let decision = access::stop_waiting(decision, account, cx);
    let Some(number) = account.ticket else {
        return decision;
    };
    let key = waitlist::key(me(cx).home().as_str(), number);
    decision.send(Outgoing::to::<Ticket>(&key, &ticket::Command::Forget))
}

/// Pending ones are taken back; whoever came in by one, and who invited this person, forgets them.
fn settle_invites(decision: Decision<User>, account: &Account, cx: &Context) -> Decision<User> {
    let by = me(cx);
    let decision = account.invites.iter().fold(decision, |decision, spent| {
        match (spent.status, spent.accepted_by) {
            (Status::Pending, _) => {
                let revoke = invite::Command::Revoke { by };
                decision.send(Outgoing::to::<Invite>(&spent.id.to_string(), &revoke))
            }
            (_, Some(guest)) => decision.send(forget_me(guest, false, cx)),
            (_, None) => decision,
        }
    });
    match account.invited_by {
        Some(inviter) => decision.send(forget_me(inviter, false, cx)),
        None => decision,
    }
}

/// The profile's row of somebody who is not there any more.
fn nobody(user: UserId, erasing: bool) -> Outgoing {
    let row = tables::Profile {
        user,
        standing: Standing::Deleted,
        handle: None,
        about: About::default(),
        invited_by: None,
        shown_as_inviter: false,
        erasing,
    };
    Row::Profile(row).outgoing()
}

fn forget_me(user: UserId, follows: bool, cx: &Context) -> Outgoing {
    let whom = me(cx);
    Outgoing::to::<User>(&user.to_string(), &super::Command::Forget { whom, follows })
}

/// A number takes it that its claim was confirmed, and had none: it is theirs only if the account says so.
pub(super) fn holds_number(state: &State, phone: &crate::number::PhoneKey, cx: &Context) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let theirs = |account: &Account| account.phone == *phone && !account.number_lost;
    if state.account.as_deref().is_some_and(theirs) {
        return decision;
    }
    let release = phone::Command::Release { by: me(cx) };
    decision.send(Outgoing::to::<Phone>(phone.as_str(), &release))
}
