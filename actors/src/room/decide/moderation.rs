//! What takes rights away: it acts in media at once, before the commit and without it (see [`cut`]).
//!
//! Moderators may do all of it to each other: a room must have a way out of a moderator who does harm.

use super::{Decided, live, run_by};
use crate::id::UserId;
use crate::room::draft::{Draft, by as doer};
use crate::room::{Change, Command, Cut, Event, Limits, Out, Refusal, Scene, Seat, State};
use mitalk_cluster::{Context, RequestId};

/// By a moderator, or one's own microphone.
pub(super) fn mute(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let scene = if by == user {
        live(state)?
    } else {
        run_by(state, by)?
    };
    let seat = *scene.seat(user).ok_or(Refusal::NotOnStage)?;
    let mut draft = Draft::new(state, cx);
    if !seat.muted {
        draft.change(Change::Seated(Seat { muted: true, ..seat }));
        if by != user {
            draft.audit(doer(by), "room_muted", Some(user));
        }
    }
    Ok(draft.done())
}

/// By a moderator, or stepping back by oneself.
pub(super) fn move_back(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let scene = if by == user {
        live(state)?
    } else {
        run_by(state, by)?
    };
    let mut draft = Draft::new(state, cx);
    if scene.seat(user).is_some() {
        draft.change(Change::Unseated(user));
        if by != user {
            draft.audit(doer(by), "room_moved_back", Some(user));
        }
    }
    Ok(draft.done())
}

/// The home does not know who is in the audience: forwarders ignore it for people whom they do not have.
pub(super) fn remove(
    state: &State,
    by: UserId,
    user: UserId,
    request: Option<RequestId>,
    cx: &Context,
) -> Decided {
    run_by(state, by)?;
    if by == user {
        return Err(Refusal::NotYourself);
    }
    let mut draft = Draft::new(state, cx);
    if state.has_removed(request) {
        return Ok(draft.done());
    }
    if let Some(request) = request {
        draft.event(Event::Removed(request));
    }
    draft.release(user);
    draft.change(Change::Out(user, Out::Removed));
    draft.audit(doer(by), "room_removed", Some(user));
    Ok(draft.done())
}

pub(super) fn ban(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let scene = run_by(state, by)?;
    if by == user {
        return Err(Refusal::NotYourself);
    }
    let mut draft = Draft::new(state, cx);
    if scene.banned.contains(&user) {
        return Ok(draft.done());
    }
    if state
        .limits()
        .is_some_and(|limits| scene.banned.len() >= limits.bans)
    {
        return Err(Refusal::BansFull);
    }
    draft.release(user);
    draft.change(Change::Out(user, Out::Banned));
    draft.audit(doer(by), "room_banned", Some(user));
    Ok(draft.done())
}

/// See [`super::cut`].
pub(super) fn cut(scene: &Scene, limits: &Limits, command: &Command) -> Option<(UserId, Cut)> {
    let (by, user, cut) = match *command {
        Command::Mute { by, user } => (by, user, Cut::Mute),
        Command::MoveBack { by, user } => (by, user, Cut::MoveBack),
        Command::Remove { by, user, .. } => (by, user, Cut::Out(Out::Removed)),
        Command::Ban { by, user } => (by, user, Cut::Out(Out::Banned)),
        _ => return None,
    };
    let takes_something = match cut {
        Cut::Mute => scene.seat(user).is_some_and(|seat| !seat.muted),
        Cut::MoveBack => scene.seat(user).is_some(),
        Cut::Out(Out::Removed) => by != user,
        Cut::Out(Out::Banned) => {
            by != user && !scene.banned.contains(&user) && scene.banned.len() < limits.bans
        }
    };
    let allowed = scene.moderates(by) || (by == user && !matches!(cut, Cut::Out(_)));
    (allowed && takes_something).then_some((user, cut))
}
