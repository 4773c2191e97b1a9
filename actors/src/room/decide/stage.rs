//! Coming on stage, and what gives rights there.

use super::{Decided, live, run_by};
use crate::events::Notices;
use crate::id::UserId;
use crate::room::draft::{Draft, by as doer};
use crate::room::{Change, HandDown, Invitation, Refusal, Role, Scene, Seat, State};
use mitalk_cluster::Context;

/// The stage number of whoever first joins the creator, who has the one before it.
const FIRST_GUEST: u32 = 2;

/// By a moderator's own wish, or as the answer to a raised hand, which then goes down.
pub(super) fn invite(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let scene = run_by(state, by)?;
    // Gone: as whoever left meanwhile, without saying why.
    if scene.banned.contains(&user) {
        return Ok(Draft::new(state, cx).done());
    }
    if scene.seat(user).is_some() {
        return Err(Refusal::AlreadyOnStage);
    }
    let mut draft = Draft::new(state, cx);
    if scene.invitation(user).is_some() {
        return Ok(draft.done());
    }
    if state
        .limits()
        .is_some_and(|limits| scene.invitations.len() >= limits.invitations)
    {
        return Err(Refusal::InvitationsFull);
    }
    if scene.hand(user).is_some() {
        draft.change(Change::HandDown(user, HandDown::Accepted));
    }
    draft.change(Change::Invited(Invitation { user, by }));
    draft.notice(&Notices::StageInvitation {
        to: user,
        room: scene.room,
        by,
    });
    Ok(draft.done())
}

pub(super) fn cancel(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let invited = run_by(state, by)?.invitation(user).is_some();
    let mut draft = Draft::new(state, cx);
    if invited {
        draft.change(Change::Uninvited(user));
    }
    Ok(draft.done())
}

/// The person's own answer. They come on stage muted, with a number that nobody had before.
pub(super) fn answer(state: &State, user: UserId, accept: bool, cx: &Context) -> Decided {
    let scene = live(state)?;
    let invited = scene.invitation(user).is_some();
    let mut draft = Draft::new(state, cx);
    if accept && scene.seat(user).is_none() {
        if !invited {
            return Err(Refusal::NotInvited);
        }
        if state
            .limits()
            .is_some_and(|limits| scene.stage.len() >= limits.stage)
        {
            return Err(Refusal::StageFull);
        }
        draft.change(Change::Uninvited(user));
        if let Some(seat) = state.new_seat(user, Role::Speaker) {
            draft.change(Change::Seated(seat));
            credit(&mut draft, scene, seat);
        }
    } else if invited {
        draft.change(Change::Uninvited(user));
    }
    Ok(draft.done())
}

/// Being on stage with somebody else earns invites, once for each room: the account knows what it has counted.
fn credit(draft: &mut Draft<'_>, before: &Scene, newcomer: Seat) {
    if before.stage.is_empty() {
        return;
    }
    draft.took_part(newcomer.user);
    if newcomer.number == FIRST_GUEST && before.seat(before.creator).is_some() {
        draft.took_part(before.creator);
    }
}

pub(super) fn unmute(state: &State, user: UserId, cx: &Context) -> Decided {
    let seat = *live(state)?.seat(user).ok_or(Refusal::NotOnStage)?;
    let mut draft = Draft::new(state, cx);
    if seat.muted {
        draft.change(Change::Seated(Seat { muted: false, ..seat }));
    }
    Ok(draft.done())
}

pub(super) fn promote(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let seat = *run_by(state, by)?.seat(user).ok_or(Refusal::NotOnStage)?;
    let mut draft = Draft::new(state, cx);
    if seat.role != Role::Moderator {
        draft.change(Change::Seated(Seat {
            role: Role::Moderator,
            ..seat
        }));
        draft.audit(doer(by), "room_moderator_made", Some(user));
    }
    Ok(draft.done())
}
