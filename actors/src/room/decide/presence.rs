//! Forwarders and who is there. All of it is volatile but the leaving of people who held something.

use super::life;
use super::{Decided, live};
use crate::id::UserId;
use crate::room::draft::Draft;
use crate::room::{Change, Event, Presence, Refusal, Reply, State};
use mitalk_cluster::{Context, NodeId};
use std::time::Duration;

/// The audience's size is told at most once in this time.
const AUDIENCE_EVERY: Duration = Duration::from_secs(1);

/// Also for a room that is over.
pub(super) fn look(state: &State, cx: &Context) -> Decided {
    state.scene().ok_or(Refusal::NotFound)?;
    Ok(life::view(Draft::new(state, cx)))
}

/// Also for a room that is over: a forwarder that missed the end learns it here.
pub(super) fn register(state: &State, node: NodeId, cx: &Context) -> Decided {
    let scene = state.scene().ok_or(Refusal::NotFound)?;
    let mut draft = Draft::new(state, cx);
    if !scene.ended {
        draft.event(Event::Registered(node));
    }
    Ok(life::view(draft))
}

pub(super) fn report(
    state: &State,
    node: NodeId,
    audience: u32,
    holders: Vec<(UserId, u64)>,
    cx: &Context,
) -> Decided {
    state.scene().ok_or(Refusal::NotFound)?;
    let known = state.live_scene().is_some() && state.knows(&node);
    let mut draft = Draft::new(state, cx);
    if known {
        draft.event(Event::Reported {
            node,
            audience,
            holders,
        });
        tell_audience(&mut draft, cx);
    }
    Ok(draft.finish(|state| Reply::Reported {
        known,
        version: state.version(),
    }))
}

pub(super) fn part(state: &State, node: NodeId, cx: &Context) -> Decided {
    state.scene().ok_or(Refusal::NotFound)?;
    let mut draft = Draft::new(state, cx);
    if state.knows(&node) {
        draft.event(Event::Parted(node));
        tell_audience(&mut draft, cx);
    }
    Ok(draft.done())
}

pub(super) fn leave(state: &State, user: UserId, presence: &Presence, cx: &Context) -> Decided {
    state.scene().ok_or(Refusal::NotFound)?;
    let mut draft = Draft::new(state, cx);
    if !state.is_back_since(user, presence) {
        draft.release(user);
    }
    Ok(draft.done())
}

pub(super) fn away(state: &State, user: UserId, away: bool, cx: &Context) -> Decided {
    let on_stage = live(state)?.seat(user).is_some();
    let mut draft = Draft::new(state, cx);
    draft.event(Event::Seen(user));
    if on_stage && state.is_away(user) != away {
        draft.change(Change::Away(user, away));
    }
    Ok(draft.done())
}

/// Drops forwarders and people that nobody has reported for too long: crashed nodes, messages that were lost, and
/// whoever was on stage before a take-over and is not there any more. Refused by a room that is over: its keeper lets go.
pub(super) fn tick(state: &State, cx: &Context) -> Decided {
    live(state)?;
    let mut draft = Draft::new(state, cx);
    draft.event(Event::Ticked);
    for node in draft.state().lost_forwarders() {
        draft.event(Event::Parted(node));
    }
    for user in draft.state().lost_people() {
        draft.release(user);
    }
    tell_audience(&mut draft, cx);
    Ok(draft.done())
}

fn tell_audience(draft: &mut Draft<'_>, cx: &Context) {
    let (count, told_at) = (draft.state().counted_audience(), draft.state().audience_told());
    let clock_went_back = cx.now < told_at;
    if count != draft.state().told_audience() && (clock_went_back || cx.now.since(told_at) >= AUDIENCE_EVERY)
    {
        draft.event(Event::AudienceTold(cx.now));
        draft.change(Change::Audience(count));
    }
}
