//! Whose the number is.

use super::{Event, Phone, Reply, State};
use crate::id::UserId;
use crate::number::PhoneKey;
use crate::user::{self, User};
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who has the number, or for whom it is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub(super) user: UserId,
    /// Until when it is only held; absent: confirmed.
    pub(super) until: Option<Timestamp>,
    /// The row of the account's outbox that confirmed it: a release from before is not about it (rule 12).
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) sequence: u64,
}

fn is_none(sequence: &u64) -> bool {
    *sequence == 0
}

/// A code fitted: the number's owner, or the candidate, is here. A sign-up that was cut off goes on as the same person.
pub(super) fn verified(
    state: &State,
    candidate: UserId,
    claim_for: Duration,
    cx: &Context,
) -> Decision<Phone> {
    let holder = state
        .owner
        .as_ref()
        .filter(|owner| owner.until.is_none_or(|until| cx.now < until));
    let user = holder.map_or(candidate, |owner| owner.user);
    let verified = Decision::reply(Reply::Verified {
        user,
        invites: state.bound.clone(),
    })
    .event(Event::CodeUsed);
    if holder.is_some_and(|owner| owner.until.is_none()) {
        return verified;
    }
    verified.event(Event::Owned(Owner {
        user,
        until: Some(cx.now + claim_for),
        sequence: 0,
    }))
}

pub(super) fn confirm(state: &State, by: UserId, cx: &Context) -> Decision<Phone> {
    let holder = state
        .owner
        .as_ref()
        .filter(|owner| owner.until.is_none_or(|until| cx.now < until));
    match holder {
        Some(Owner {
            user, until: None, ..
        }) if *user == by => Decision::reply(Reply::Done),
        // Too late: the number is another account's by now.
        Some(owner) if owner.user != by => {
            let phone = PhoneKey::from(&*cx.id.key);
            let taken = user::Command::NumberTaken { phone };
            Decision::reply(Reply::Done).send(Outgoing::to::<User>(&by.to_string(), &taken))
        }
        _ => {
            let mut confirmed = Decision::reply(Reply::Done).event(Event::Owned(Owner {
                user: by,
                until: None,
                sequence: cx.source.as_ref().map_or(0, |source| source.sequence),
            }));
            // Nothing is kept of who had it before, so a late repeat looks like this, too (rule 12): the account knows.
            if state.owner.as_ref().is_none_or(|owner| owner.user != by) {
                let phone = PhoneKey::from(&*cx.id.key);
                let holds = user::Command::HoldsNumber { phone };
                confirmed = confirmed.send(Outgoing::to::<User>(&by.to_string(), &holds));
            }
            if state.bound.is_empty() {
                return confirmed;
            }
            // Those that came after the code was checked: the account does not know them yet.
            confirmed.send(Outgoing::to::<User>(
                &by.to_string(),
                &user::Command::OfferInvites {
                    invites: state.bound.clone(),
                },
            ))
        }
    }
}

/// A claim counts as well: whoever releases does not want it.
pub(super) fn release(state: &State, by: UserId, cx: &Context) -> Decision<Phone> {
    let newer = |owner: &Owner| {
        let row = cx.source.as_ref().map(|source| source.sequence);
        row.is_none_or(|row| row > owner.sequence)
    };
    let decision = Decision::reply(Reply::Done);
    match &state.owner {
        Some(owner) if owner.user == by && newer(owner) => decision.event(Event::Released),
        _ => decision,
    }
}
