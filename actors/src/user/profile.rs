//! What people write about themselves, and their handle.

use super::state::{Account, State, me};
use super::{Event, Refusal, Reply, Tell, User};
use crate::handle::{self, Handle};
use crate::person::{About, Patch};
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};

/// What happened to the profile.
#[derive(Clone, Debug)]
pub enum Change {
    /// They wrote something else.
    Described {
        /// All of it.
        about: Box<About>,
        /// Whether people they invited may show by whom.
        shown_as_inviter: bool,
    },
    /// They have another handle, or none.
    Handle(Option<String>),
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        account.revision += 1;
        match self {
            Self::Described {
                about,
                shown_as_inviter,
            } => {
                account.about = *about.clone();
                account.shown_as_inviter = *shown_as_inviter;
            }
            Self::Handle(handle) => account.handle.clone_from(handle),
        }
    }
}

/// Only what the patch names: two that are made at the same time both count.
pub(super) fn describe(state: &State, patch: Patch, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    let shown_as_inviter = patch.shown_as_inviter.unwrap_or(account.shown_as_inviter);
    let about = patch.over(&account.about);
    if account.about == about && account.shown_as_inviter == shown_as_inviter {
        return Ok(Decision::reply(state.summary(cx)?));
    }
    Ok(changed(
        state,
        account,
        Change::Described {
            about: Box::new(about),
            shown_as_inviter,
        },
        cx,
    ))
}

pub(super) fn set_handle(
    state: &State,
    handle: String,
    until: Timestamp,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    let confirm = Outgoing::to::<Handle>(&handle, &handle::Command::Confirm { by: me(cx) });
    if account.handle.as_ref() == Some(&handle) {
        return Ok(Decision::reply(state.summary(cx)?));
    }
    if until <= cx.now {
        return Err(Refusal::ClaimOver);
    }
    let decision = changed(state, account, Change::Handle(Some(handle)), cx).send(confirm);
    Ok(match &account.handle {
        Some(old) => decision.send(Outgoing::to::<Handle>(
            old,
            &handle::Command::Release { by: me(cx) },
        )),
        None => decision,
    })
}

pub(super) fn lose_handle(state: &State, handle: &str, cx: &Context) -> Decision<User> {
    match state.account.as_deref() {
        Some(account) if account.handle.as_deref() == Some(handle) => {
            changed(state, account, Change::Handle(None), cx)
        }
        _ => Decision::reply(Reply::Done),
    }
}

fn changed(state: &State, account: &Account, change: Change, cx: &Context) -> Decision<User> {
    let mut after = account.clone();
    change.fold(&mut after);
    Decision::reply(Reply::Account(Box::new(after.summary(cx, &state.live))))
        .event(Event::Profile(change))
        .send(after.row(me(cx)))
        .effect(state.tell(Tell::Changed))
}
