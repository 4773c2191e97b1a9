//! Invites that wait for the number.
//!
//! A number whose owner is active takes no more of them: such an invite stays pending and expires. Giving it back at once
//! would tell its giver that the number has an account.

use super::{BOUND_INVITES, Event, Phone, Reply, State};
use crate::id::{InviteId, UserId};
use crate::invite::{self, Invite};
use crate::user::{self, User};
use mitalk_cluster::{Decision, Outgoing};

pub(super) fn bind(state: &State, invite: InviteId) -> Decision<Phone> {
    let known = state.bound.contains(&invite) || state.unbound.contains(&invite);
    if known || state.came_in {
        return Decision::reply(Reply::Done);
    }
    // Given at the same time as others, else its giver was told at once. It says nothing of an account.
    if state.bound.len() >= BOUND_INVITES {
        return Decision::reply(Reply::Done).send(give_back(invite));
    }
    let bound = Decision::reply(Reply::Done).event(Event::Bound(invite));
    match &state.owner {
        // Somebody who waits holds it from now on.
        Some(owner) if owner.until.is_none() => bound.send(Outgoing::to::<User>(
            &owner.user.to_string(),
            &user::Command::OfferInvites {
                invites: vec![invite],
            },
        )),
        _ => bound,
    }
}

pub(super) fn unbind(state: &State, invite: InviteId) -> Decision<Phone> {
    // Also one that found no place: its `Bind` may come again when there is one.
    if state.unbound.contains(&invite) || state.came_in {
        Decision::reply(Reply::Done)
    } else {
        Decision::reply(Reply::Done).event(Event::Unbound(invite))
    }
}

/// The owner's account is active: all invites but the one it came in by are given back.
pub(super) fn came_in(state: &State, user: UserId, by: Option<InviteId>) -> Decision<Phone> {
    let owned = state.owner.as_ref().is_some_and(|owner| owner.user == user);
    if !owned || state.came_in {
        return Decision::reply(Reply::Done);
    }
    let others = state.bound.iter().filter(|invite| Some(**invite) != by);
    others.fold(
        Decision::reply(Reply::Done).event(Event::CameIn),
        |decision, invite| decision.send(give_back(*invite)),
    )
}

fn give_back(invite: InviteId) -> Outgoing {
    Outgoing::to::<Invite>(&invite.to_string(), &invite::Command::GiveBack)
}
