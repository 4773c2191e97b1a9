//! Live sockets and the room a person is in: memory only, told anew by the nodes after the account moved. What a socket may
//! not have shown before its end is pushed.
//!
//! Claims are ordered by their arrival here. A person is in one room on one device: a later claim evicts the earlier one,
//! and its node is told; a release by a session that was evicted changes nothing. A claim holds for a time only and is made
//! again while its session lasts, so one whose release was lost ends by itself.

use super::push;
use super::state::{Live, State};
use super::{Effect, Event, Refusal, Reply, Tell, User};
use crate::id::{DeviceId, RoomId, SessionId, SocketId};
use mitalk_cluster::{Context, Decision, NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A claim that was not made again for so long is none.
pub const CLAIM_LEASE: Duration = Duration::from_secs(3 * 60);
/// Sessions that are known to have ended. A claim and its release are on their way together for a moment only.
const RELEASED: usize = 8;

/// An attached socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketAt {
    /// Where.
    pub node: NodeId,
    /// Which.
    pub socket: SocketId,
    /// On which device.
    pub device: DeviceId,
}

/// Somebody's place in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomClaim {
    /// Which room.
    pub room: RoomId,
    /// By which media session.
    pub session: SessionId,
    /// On which device.
    pub device: DeviceId,
    /// Whose forwarder holds the session.
    pub node: NodeId,
}

/// A claim that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub(super) claim: RoomClaim,
    /// When they came in.
    since: Timestamp,
    /// When it was last claimed.
    pub(super) renewed: Timestamp,
}

#[cfg(test)]
impl Held {
    pub(super) fn device(&self) -> DeviceId {
        self.claim.device
    }
}

/// Why a session has to leave its room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evicted {
    /// The person joined another room.
    #[default]
    Moved,
    /// They joined this room by another session, maybe through another node: what they hold in it stays theirs.
    MovedWithin,
    /// The account was stopped, or the device signed out.
    ShutOut,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Change {
    /// A socket is there.
    Attached(SocketAt),
    /// A socket is gone.
    Detached(SocketId),
    /// They are in a room, or in none.
    Room(Option<Held>),
    /// A session has ended.
    Released(SessionId),
}

impl Change {
    pub(super) fn fold(&self, live: &mut Live) {
        match self {
            Self::Attached(socket) => live.sockets.push(socket.clone()),
            Self::Detached(socket) => live.sockets.retain(|other| other.socket != *socket),
            Self::Room(held) => live.room.clone_from(held),
            Self::Released(session) => {
                live.released.push_back(*session);
                if live.released.len() > RELEASED {
                    live.released.pop_front();
                }
            }
        }
    }
}

pub(super) fn attach(
    state: &State,
    socket: SocketAt,
    most: usize,
    again: bool,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    // A socket may be attaching while its device is signed out.
    if !state
        .in_use()?
        .devices
        .iter()
        .any(|device| device.id == socket.device)
    {
        return Err(Refusal::NoDevice);
    }
    let summary = state.summary(cx)?;
    let sockets = &state.live.sockets;
    if sockets.iter().any(|other| other.socket == socket.socket) {
        return Ok(Decision::reply(summary));
    }
    // Whoever was attached since is newer: the one told anew may be gone by now.
    let newer = |other: &SocketAt| other.device == socket.device;
    if again && (sockets.len() >= most || sockets.iter().any(newer)) {
        return Ok(Decision::reply(summary));
    }
    let mut decision = Decision::reply(summary);
    let same_device = sockets.iter().filter(|other| other.device == socket.device);
    let over = (sockets.len() >= most).then(|| sockets.first()).flatten();
    let give_way: Vec<_> = match same_device.cloned().collect::<Vec<_>>() {
        none if none.is_empty() => over.cloned().into_iter().collect(),
        same => same,
    };
    for old in give_way {
        decision = decision
            .event(Event::Live(Change::Detached(old.socket)))
            .effect(Effect::Close(old));
    }
    Ok(decision.event(Event::Live(Change::Attached(socket))))
}

pub(super) fn detach(state: &State, socket: SocketId, silent: Duration, cx: &Context) -> Decision<User> {
    let (gone, others): (Vec<_>, Vec<_>) = state
        .live
        .sockets
        .iter()
        .partition(|known| known.socket == socket);
    let decision = Decision::reply(Reply::Done);
    if gone.is_empty() {
        return decision;
    }
    let decision = decision.event(Event::Live(Change::Detached(socket)));
    match state.account.as_deref() {
        Some(account) if others.is_empty() => push::untold(decision, account, silent, cx),
        _ => decision,
    }
}

pub(super) fn claim(
    state: &State,
    claim: RoomClaim,
    again: Option<Duration>,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    // Who was put out may have a join under way that began before.
    if !state
        .active()?
        .devices
        .iter()
        .any(|device| device.id == claim.device)
    {
        return Err(Refusal::NoDevice);
    }
    if state.live.released.contains(&claim.session) {
        return Ok(Decision::reply(Reply::Claimed { evicted: None }));
    }
    let earlier = state.live.room_at(cx.now);
    let since = match earlier.filter(|earlier| earlier.claim.session == claim.session) {
        Some(same) => same.since,
        None => cx.now - again.unwrap_or_default(),
    };
    let evicted = earlier.filter(|earlier| earlier.claim.session != claim.session);
    if let Some(newer) = evicted.filter(|other| again.is_some() && other.since >= since) {
        return Ok(Decision::reply(Reply::Room(Some(newer.claim.clone()))));
    }
    let known = earlier.is_some_and(|earlier| earlier.claim == claim);
    let evicted = evicted.map(|earlier| earlier.claim.clone());
    let (room, renewed) = (claim.room, cx.now);
    let held = Held {
        claim,
        since,
        renewed,
    };
    let mut decision = Decision::reply(Reply::Claimed {
        evicted: evicted.clone(),
    })
    .event(Event::Live(Change::Room(Some(held))));
    if !known {
        decision = decision.effect(state.tell(Tell::Changed));
    }
    Ok(evicted.into_iter().fold(decision, |decision, evicted| {
        let why = if evicted.room == room {
            Evicted::MovedWithin
        } else {
            Evicted::Moved
        };
        decision.effect(Effect::Evict { claim: evicted, why })
    }))
}

/// Who asks for somebody that may not be in rooms learns it here.
pub(super) fn find(state: &State, cx: &Context) -> Result<Decision<User>, Refusal> {
    if state.account.is_some() {
        state.in_use()?;
    }
    let held = state.live.room_at(cx.now);
    Ok(Decision::reply(Reply::Room(held.map(|held| held.claim.clone()))))
}

/// Puts the person out of their room, if they are there by this device (absent: by any). A media session needs no token,
/// so shutting a device out does not end it.
pub(super) fn put_out(decision: Decision<User>, state: &State, device: Option<DeviceId>) -> Decision<User> {
    let claim = state.live.room.as_ref().map(|held| &held.claim);
    match claim.filter(|claim| device.is_none_or(|device| claim.device == device)) {
        Some(claim) => decision
            .event(Event::Live(Change::Room(None)))
            .effect(Effect::Evict {
                claim: claim.clone(),
                why: Evicted::ShutOut,
            }),
        None => decision,
    }
}

pub(super) fn release(state: &State, session: SessionId) -> Decision<User> {
    let mut decision = Decision::reply(Reply::Done);
    if !state.live.released.contains(&session) {
        decision = decision.event(Event::Live(Change::Released(session)));
    }
    let held = state.live.room.as_ref();
    if held.is_none_or(|held| held.claim.session != session) {
        return decision;
    }
    decision
        .event(Event::Live(Change::Room(None)))
        .effect(state.tell(Tell::Changed))
}
