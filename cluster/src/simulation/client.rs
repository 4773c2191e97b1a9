//! Clients: each repeats its one command, under one request id, until it is acknowledged.

use rand::Rng;
use rand::rngs::StdRng;

use super::network::Ms;
use super::toy::Command;
use crate::id::{EntityId, RequestId};

/// A client with its command.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: u32,
    pub(super) entity: EntityId,
    pub(super) command: Command,
    pub(super) start: Ms,
    pub(super) acknowledged: bool,
    /// The attempt whose time-out is awaited.
    pub(super) attempt: u64,
}

impl Client {
    pub(super) fn request(&self) -> RequestId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.id.to_be_bytes());
        RequestId(bytes)
    }
}

/// Some commands for some entities, spread over the time of faults.
/// With `timers`, each arms one.
pub(super) fn draw(rng: &mut StdRng, entities: &[EntityId], until: Ms, timers: bool) -> Vec<Client> {
    let count = if timers {
        rng.random_range(20..40)
    } else {
        rng.random_range(6..16)
    };
    let mut clients = vec![];
    for id in 1..=count {
        let entity = entities[rng.random_range(0..entities.len())].clone();
        let command = if !timers && rng.random_bool(0.15) {
            Command::Delete { id }
        } else {
            let soonest = if timers { 8_000 } else { 500 };
            let arm_ms = (timers || rng.random_bool(0.4)).then(|| rng.random_range(soonest..40_000));
            let other = &entities[rng.random_range(0..entities.len())];
            let pay = (rng.random_bool(0.3) && *other != entity).then(|| other.key.to_string());
            Command::Add { id, arm_ms, pay }
        };
        let start = rng.random_range(0..until);
        clients.push(Client {
            id,
            entity,
            command,
            start,
            acknowledged: false,
            attempt: 0,
        });
    }
    clients
}
