//! Opening, settings, asking people in, ending.

use super::{Decided, live, run_by};
use crate::events::{Actor, Notices};
use crate::id::{RoomId, UserId};
use crate::room::draft::{Draft, by as doer};
use crate::room::limits::MAX_PINGS;
use crate::room::{
    Change, Effect, Event, Limits, Patch, Ping, Refusal, Reply, Role, Scene, Settings, State, Visibility,
};
use mitalk_cluster::{Context, Decision};

/// Ids of rooms derive from the request, so a repeat arrives here and gets the room as it is by now.
pub(super) fn open(
    state: &State,
    room: RoomId,
    by: UserId,
    settings: Settings,
    limits: Limits,
    cx: &Context,
) -> Decided {
    if let Some(scene) = state.scene() {
        return if scene.creator == by {
            Ok(view(Draft::new(state, cx)))
        } else {
            Err(Refusal::NotFound)
        };
    }
    let settings = settings.checked(&limits).map_err(Refusal::Settings)?;
    let quiet = settings.visibility == Visibility::Closed;
    let mut draft = Draft::new(state, cx);
    draft.event(Event::Opened(Box::new(empty(room, by, settings, cx)), limits));
    draft.event(Event::Activated);
    draft.effect(Effect::Keep);
    if let Some(seat) = draft.state().new_seat(by, Role::Moderator) {
        draft.change(Change::Seated(seat));
    }
    if !quiet {
        draft.notice(&Notices::RoomStarted { by, room });
    }
    draft.audit(doer(by), "room_opened", None);
    Ok(view(draft))
}

fn empty(room: RoomId, creator: UserId, settings: Settings, cx: &Context) -> Scene {
    Scene {
        room,
        creator,
        started: cx.now,
        ended: false,
        settings,
        stage: vec![],
        hands: vec![],
        invitations: vec![],
        banned: Default::default(),
        pinged: vec![],
        link: 0,
    }
}

/// Answers with the whole room.
pub(super) fn view(draft: Draft<'_>) -> Decision<crate::room::Room> {
    draft.finish(|state| match state.view() {
        Some(view) => Reply::View(Box::new(view)),
        None => Reply::Done { hand: None },
    })
}

pub(super) fn amend(state: &State, by: UserId, patch: Patch, cx: &Context) -> Decided {
    let scene = run_by(state, by)?;
    let limits = state.limits().ok_or(Refusal::NotFound)?;
    let settings = scene.settings.patched(patch, limits).map_err(Refusal::Settings)?;
    let mut draft = Draft::new(state, cx);
    if settings != scene.settings {
        draft.change(Change::Settings(settings));
        draft.audit(doer(by), "room_settings", None);
    }
    Ok(draft.done())
}

/// Nobody inside has to leave.
pub(super) fn renew_link(state: &State, by: UserId, old: u32, cx: &Context) -> Decided {
    let scene = run_by(state, by)?;
    let mut draft = Draft::new(state, cx);
    if scene.link == old {
        draft.change(Change::LinkRenewed(old.saturating_add(1)));
        draft.audit(doer(by), "room_link_renewed", None);
    }
    Ok(draft.done())
}

pub(super) fn ping(state: &State, by: UserId, user: UserId, cx: &Context) -> Decided {
    let limits = state.limits().ok_or(Refusal::NotFound)?;
    let scene = live(state)?;
    let mut draft = Draft::new(state, cx);
    // Who is banned is nobody's business: the answer is the same, and nobody is told.
    if scene.was_pinged(user) || scene.banned.contains(&user) {
        return Ok(draft.done());
    }
    let so_far = scene.pinged.iter().filter(|ping| ping.by == by).count();
    if so_far >= limits.pings || scene.pinged.len() >= MAX_PINGS {
        return Err(Refusal::PingsFull);
    }
    draft.change(Change::Pinged(Ping { user, by }));
    draft.notice(&Notices::Pinged {
        to: user,
        room: scene.room,
        by,
    });
    Ok(draft.done())
}

pub(super) fn end(state: &State, by: Option<UserId>, cx: &Context) -> Decided {
    let actor = match by {
        Some(by) => {
            run_by(state, by)?;
            doer(by)
        }
        None => {
            live(state)?;
            Actor::Operator
        }
    };
    Ok(over(Draft::new(state, cx), actor))
}

/// The timer may be late, early by another machine's clock, or about an emptiness that is over.
pub(super) fn end_empty(state: &State, cx: &Context) -> Decided {
    state.scene().ok_or(Refusal::NotFound)?;
    let draft = Draft::new(state, cx);
    match state.empty_stage_due() {
        Some(due) if due <= cx.now => Ok(over(draft, Actor::Service)),
        _ => Ok(draft.done()),
    }
}

fn over(mut draft: Draft<'_>, by: Actor) -> Decision<crate::room::Room> {
    draft.change(Change::Ended);
    draft.audit(by, "room_ended", None);
    draft.done()
}
