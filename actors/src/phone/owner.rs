//! Whose the number is.

use super::{Event, Phone, Reply, State};
use crate::id::UserId;
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
    }))
}

pub(super) fn confirm(state: &State, by: UserId, cx: &Context) -> Decision<Phone> {
    let holder = state
        .owner
        .as_ref()
        .filter(|owner| owner.until.is_none_or(|until| cx.now < until));
    match holder {
        Some(Owner { user, until: None }) if *user == by => Decision::reply(Reply::Done),
        // Too late: the number is another account's by now.
        Some(owner) if owner.user != by => Decision::reply(Reply::Done)
            .send(Outgoing::to::<User>(&by.to_string(), &user::Command::LoseNumber)),
        _ => {
            let confirmed = Decision::reply(Reply::Done).event(Event::Owned(Owner {
                user: by,
                until: None,
            }));
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
