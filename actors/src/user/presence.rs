//! Live sockets and the room a person is in: memory only, told anew by the nodes after the account moved.
//!
//! Claims are ordered by their arrival here. A person is in one room on one device: a later claim evicts the earlier one,
//! and its node is told; a release by a session that was evicted changes nothing.

use super::state::{Live, State};
use super::{Effect, Event, Refusal, Reply, Tell, User};
use crate::id::{DeviceId, RoomId, SessionId, SocketId};
use mitalk_cluster::{Context, Decision, NodeId};
use serde::{Deserialize, Serialize};

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
    Room(Option<RoomClaim>),
}

impl Change {
    pub(super) fn fold(&self, live: &mut Live) {
        match self {
            Self::Attached(socket) => live.sockets.push(socket.clone()),
            Self::Detached(socket) => live.sockets.retain(|other| other.socket != *socket),
            Self::Room(claim) => live.room.clone_from(claim),
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
    state.in_use()?;
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

pub(super) fn detach(state: &State, socket: SocketId) -> Decision<User> {
    let known = state.live.sockets.iter().any(|other| other.socket == socket);
    let decision = Decision::reply(Reply::Done);
    if known {
        decision.event(Event::Live(Change::Detached(socket)))
    } else {
        decision
    }
}

pub(super) fn claim(state: &State, claim: RoomClaim) -> Result<Decision<User>, Refusal> {
    // Who was put out may have a join under way that began before.
    if !state
        .active()?
        .devices
        .iter()
        .any(|device| device.id == claim.device)
    {
        return Err(Refusal::NoDevice);
    }
    let earlier = state.live.room.clone();
    if earlier.as_ref() == Some(&claim) {
        return Ok(Decision::reply(Reply::Claimed { evicted: None }));
    }
    let evicted = earlier.filter(|earlier| earlier.session != claim.session);
    let decision = Decision::reply(Reply::Claimed {
        evicted: evicted.clone(),
    })
    .event(Event::Live(Change::Room(Some(claim.clone()))))
    .effect(state.tell(Tell::Changed));
    Ok(evicted.into_iter().fold(decision, |decision, evicted| {
        let why = if evicted.room == claim.room {
            Evicted::MovedWithin
        } else {
            Evicted::Moved
        };
        decision.effect(Effect::Evict { claim: evicted, why })
    }))
}

/// A forwarder that asks learns here that the person may not stay, should the word of it have been lost.
pub(super) fn find(state: &State) -> Result<Decision<User>, Refusal> {
    if state.account.is_some() {
        state.in_use()?;
    }
    Ok(Decision::reply(Reply::Room(state.live.room.clone())))
}

/// Puts the person out of their room, if they are there by this device (absent: by any). A media session needs no token,
/// so shutting a device out does not end it.
pub(super) fn put_out(decision: Decision<User>, state: &State, device: Option<DeviceId>) -> Decision<User> {
    let claim = state.live.room.as_ref();
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
    let decision = Decision::reply(Reply::Done);
    if state
        .live
        .room
        .as_ref()
        .is_none_or(|claim| claim.session != session)
    {
        return decision;
    }
    decision
        .event(Event::Live(Change::Room(None)))
        .effect(state.tell(Tell::Changed))
}
