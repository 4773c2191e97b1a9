//! The queue of hands.

use super::{Decided, live, run_by, stage};
use crate::id::UserId;
use crate::room::draft::Draft;
use crate::room::{Change, HandDown, HandRaising, RaisedHand, Refusal, Reply, State};
use mitalk_cluster::Context;

pub(super) fn raise(state: &State, user: UserId, followed: bool, cx: &Context) -> Decided {
    let scene = live(state)?;
    if scene.banned.contains(&user) {
        return Err(Refusal::Banned);
    }
    if scene.seat(user).is_some() {
        return Err(Refusal::AlreadyOnStage);
    }
    let mut draft = Draft::new(state, cx);
    if scene.hand(user).is_none() && scene.invitation(user).is_none() {
        match scene.settings.hand_raising {
            HandRaising::Everyone => {}
            HandRaising::Followed if followed => {}
            HandRaising::Followed => return Err(Refusal::HandsFollowedOnly),
            HandRaising::Off => return Err(Refusal::HandsOff),
        }
        if state
            .limits()
            .is_some_and(|limits| scene.hands.len() >= limits.hands)
        {
            return Err(Refusal::HandsFull);
        }
        draft.change(Change::HandUp(RaisedHand { user, at: cx.now }));
    }
    Ok(draft.finish(|state| Reply::Done {
        hand: state.scene().and_then(|scene| scene.hand(user)),
    }))
}

pub(super) fn lower(state: &State, user: UserId, cx: &Context) -> Decided {
    let up = live(state)?.hand(user).is_some();
    let mut draft = Draft::new(state, cx);
    if up {
        draft.change(Change::HandDown(user, HandDown::Lowered));
    }
    Ok(draft.done())
}

pub(super) fn answer(state: &State, by: UserId, user: UserId, accept: bool, cx: &Context) -> Decided {
    let scene = run_by(state, by)?;
    let up = scene.hand(user).is_some();
    if accept {
        let accepted_before = scene.invitation(user).is_some() || scene.seat(user).is_some();
        return match (up, accepted_before) {
            (true, _) => stage::invite(state, by, user, cx),
            (false, true) => Ok(Draft::new(state, cx).done()),
            (false, false) => Err(Refusal::HandNotUp),
        };
    }
    let mut draft = Draft::new(state, cx);
    if up {
        draft.change(Change::HandDown(user, HandDown::Declined));
    }
    Ok(draft.done())
}
