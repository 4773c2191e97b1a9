//! Devices and their refresh secrets.
//!
//! A device is a family of secrets of which only the newest counts; only hashes are kept. Presenting an older one means
//! that two parties have the family: it is revoked. Older ones are recognised for [`TOKEN_HISTORY`] rotations, after which
//! they are as unknown as a guess, and a guess must not sign anybody out.

use super::state::{Account, State};
use super::{Effect, Event, Refusal, Reply, User};
use crate::id::DeviceId;
use crate::secrets::same;
use mitalk_cluster::{Context, Decision, Timestamp};
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
    old: VecDeque<[u8; OLD_BYTES]>,
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
            }),
            Self::Rotated { id, hash, at } => {
                if let Some(device) = account.devices.iter_mut().find(|device| device.id == *id) {
                    device.old.push_back(short(&device.hash));
                    if device.old.len() > TOKEN_HISTORY {
                        device.old.pop_front();
                    }
                    device.hash = *hash;
                    device.seen_at = *at;
                }
            }
            Self::Revoked(id) => account.devices.retain(|device| device.id != *id),
        }
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
        decision = decision
            .event(Event::Device(Change::Revoked(unused.id)))
            .effect(Effect::ShutOut(Some(unused.id)));
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
    if device.old.iter().any(|old| same(old, &short(&presented))) {
        return Ok(signed_out(id, Reply::Reused));
    }
    if !same(&device.hash, &presented) {
        return Err(Refusal::RefreshInvalid);
    }
    if cx.now.since(device.seen_at) > idle {
        return Err(Refusal::RefreshInvalid);
    }
    Ok(Decision::reply(Reply::Device {
        standing: account.standing(),
    })
    .event(Event::Device(Change::Rotated {
        id,
        hash: next,
        at: cx.now,
    })))
}

pub(super) fn revoke(state: &State, id: DeviceId) -> Result<Decision<User>, Refusal> {
    let known = state.account()?.devices.iter().any(|device| device.id == id);
    if known {
        Ok(signed_out(id, Reply::Done))
    } else {
        Err(Refusal::NoDevice)
    }
}

fn signed_out(id: DeviceId, reply: Reply) -> Decision<User> {
    Decision::reply(reply)
        .event(Event::Device(Change::Revoked(id)))
        .effect(Effect::ShutOut(Some(id)))
}

pub(super) fn list(account: &Account) -> Vec<DeviceView> {
    let views = account.devices.iter().rev();
    views
        .map(|device| DeviceView {
            id: device.id,
            name: device.name.clone(),
            created_at: device.created_at,
            seen_at: device.seen_at,
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
