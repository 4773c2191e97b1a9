//! Devices and their refresh secrets.
//!
//! A device is a family of secrets of which the newest counts; only hashes are kept. While the newest was never presented,
//! the one before counts too: the answer that brought the newest may have been lost on its way, in a tunnel or with the
//! node. Presenting any older one means that two parties have the family: it is revoked. Whoever steals the one before gets
//! no further by it: either they present the newest and the thief's is the older one then, or the other way round.
//! Older ones are recognised for [`TOKEN_HISTORY`] rotations, after which they are as unknown as a guess, and a guess must
//! not sign anybody out.

use super::push::Subscribed;
use super::state::{Account, State, me};
use super::{Effect, Event, Refusal, Reply, User, presence};
use crate::id::DeviceId;
use crate::secrets::same;
use crate::tables;
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// Old secrets of a device that are recognised as its own.
pub const TOKEN_HISTORY: usize = 16;
/// Bytes kept of an old secret's hash; 128 bits are enough to recognise it.
const OLD_BYTES: usize = 16;

/// A signed-in device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) id: DeviceId,
    name: String,
    created_at: Timestamp,
    seen_at: Timestamp,
    hash: [u8; 32],
    /// The last one is the secret that was traded for the newest; all others count no more.
    old: VecDeque<[u8; OLD_BYTES]>,
    /// Where it is pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) push: Option<Box<Subscribed>>,
}

/// A device, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Which.
    pub id: DeviceId,
    /// What it called itself.
    pub name: String,
    /// First sign-in.
    pub created_at: Timestamp,
    /// Last refresh.
    pub seen_at: Timestamp,
    /// The host of the push service by which it is pushed to.
    #[serde(default)]
    pub push_service: Option<String>,
}

/// What happened to devices.
#[derive(Clone, Debug)]
pub enum Change {
    /// One more.
    Opened {
        /// Which.
        id: DeviceId,
        /// Its name.
        name: String,
        /// Its secret's hash.
        hash: [u8; 32],
        /// When.
        at: Timestamp,
    },
    /// It has another secret.
    Rotated {
        /// Which.
        id: DeviceId,
        /// The new hash.
        hash: [u8; 32],
        /// When.
        at: Timestamp,
    },
    /// The secret before was presented again: what it was traded for the first time is replaced.
    RotatedAgain {
        /// Which.
        id: DeviceId,
        /// The new hash.
        hash: [u8; 32],
        /// When.
        at: Timestamp,
    },
    /// It is signed out.
    Revoked(DeviceId),
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        match self {
            Self::Opened { id, name, hash, at } => account.devices.push(Device {
                id: *id,
                name: name.clone(),
                created_at: *at,
                seen_at: *at,
                hash: *hash,
                old: VecDeque::new(),
                push: None,
            }),
            Self::Rotated { id, hash, at } => {
                if let Some(device) = account.devices.iter_mut().find(|device| device.id == *id) {
                    device.old.push_back(short(&device.hash));
                    device.renew(*hash, *at);
                }
            }
            Self::RotatedAgain { id, hash, at } => {
                if let Some(device) = account.devices.iter_mut().find(|device| device.id == *id) {
                    let before = device.old.len().saturating_sub(1);
                    device.old.insert(before, short(&device.hash));
                    device.renew(*hash, *at);
                }
            }
            Self::Revoked(id) => account.devices.retain(|device| device.id != *id),
        }
    }
}

impl Device {
    fn renew(&mut self, hash: [u8; 32], at: Timestamp) {
        if self.old.len() > TOKEN_HISTORY {
            self.old.pop_front();
        }
        self.hash = hash;
        self.seen_at = at;
    }
}

pub(super) fn open(
    state: &State,
    id: DeviceId,
    name: String,
    hash: [u8; 32],
    most: usize,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    let device = Reply::Device {
        standing: account.standing(),
    };
    if account.devices.iter().any(|device| device.id == id) {
        return Ok(Decision::reply(device));
    }
    let mut decision = Decision::reply(device).event(Event::Device(Change::Opened {
        id,
        name,
        hash,
        at: cx.now,
    }));
    if account.devices.len() >= most
        && let Some(unused) = account.devices.iter().min_by_key(|device| device.seen_at)
    {
        decision = decision.event(Event::Device(Change::Revoked(unused.id)));
        decision = presence::put_out(decision, state, Some(unused.id));
        decision = shut_out(decision, unused.id, cx);
    }
    Ok(decision)
}

pub(super) fn rotate(
    state: &State,
    id: DeviceId,
    presented: [u8; 32],
    next: [u8; 32],
    idle: Duration,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    let device = account
        .devices
        .iter()
        .find(|device| device.id == id)
        .ok_or(Refusal::RefreshInvalid)?;
    let (hash, at) = (next, cx.now);
    let change = if same(&device.hash, &presented) {
        Change::Rotated { id, hash, at }
    } else {
        let is = |old: &[u8; OLD_BYTES]| same(old, &short(&presented));
        match device.old.iter().rposition(is) {
            Some(place) if place + 1 == device.old.len() => Change::RotatedAgain { id, hash, at },
            Some(_) => return Ok(signed_out(state, id, Reply::Reused, cx)),
            None => return Err(Refusal::RefreshInvalid),
        }
    };
    if cx.now.since(device.seen_at) > idle {
        return Err(Refusal::RefreshInvalid);
    }
    Ok(Decision::reply(Reply::Device {
        standing: account.standing(),
    })
    .event(Event::Device(change)))
}

pub(super) fn revoke(state: &State, id: DeviceId, cx: &Context) -> Result<Decision<User>, Refusal> {
    let known = state.account()?.devices.iter().any(|device| device.id == id);
    if known {
        Ok(signed_out(state, id, Reply::Done, cx))
    } else {
        Err(Refusal::NoDevice)
    }
}

fn signed_out(state: &State, id: DeviceId, reply: Reply, cx: &Context) -> Decision<User> {
    let decision = Decision::reply(reply).event(Event::Device(Change::Revoked(id)));
    let decision = presence::put_out(decision, state, Some(id));
    shut_out(decision, id, cx)
}

/// From now on the access tokens of a device count no more: said to all nodes at once by the effect, and to those that start
/// later, or missed it, by the row.
fn shut_out(decision: Decision<User>, device: DeviceId, cx: &Context) -> Decision<User> {
    decision
        .send(token_row(Some(device), true, cx))
        .effect(Effect::ShutOut(device))
}

/// Whether the access tokens of a device, or (absent) of all, are refused.
pub(super) fn token_row(device: Option<DeviceId>, shut_out: bool, cx: &Context) -> Outgoing {
    let row = tables::ShutOut {
        user: me(cx),
        device,
        shut_out,
        at: cx.now,
    };
    tables::Change::ShutOut(row).outgoing()
}

pub(super) fn list(account: &Account) -> Vec<DeviceView> {
    let views = account.devices.iter().rev();
    views
        .map(|device| DeviceView {
            id: device.id,
            name: device.name.clone(),
            created_at: device.created_at,
            seen_at: device.seen_at,
            push_service: device.push.as_ref().map(|push| push.to.host().to_owned()),
        })
        .collect()
}

fn short(hash: &[u8; 32]) -> [u8; OLD_BYTES] {
    hash[..OLD_BYTES]
        .try_into()
        .expect("a hash is longer than what is kept of it")
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({}, {} old secrets)", self.id, self.old.len())
    }
}
