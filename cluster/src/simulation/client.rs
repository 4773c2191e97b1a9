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
pub(super) fn draw(rng: &mut StdRng, entities: &[EntityId], until: Ms) -> Vec<Client> {
    let count = rng.random_range(6..16);
    let command = |rng: &mut StdRng, id, entity: &EntityId| {
        if rng.random_bool(0.15) {
            return Command::Delete { id };
        }
        let arm_ms = rng.random_bool(0.4).then(|| rng.random_range(500..40_000));
        let other = &entities[rng.random_range(0..entities.len())];
        let pay = (rng.random_bool(0.3) && other != entity).then(|| other.key.to_string());
        Command::Add { id, arm_ms, pay }
    };
    clients(rng, count, entities, until, command)
}

/// Many payments: what is meant for other entities must not wait for the broker.
pub(super) fn draw_for_outages(rng: &mut StdRng, entities: &[EntityId], until: Ms) -> Vec<Client> {
    let count = rng.random_range(15..30);
    let command = |rng: &mut StdRng, id, entity: &EntityId| {
        let arm_ms = rng.random_bool(0.3).then(|| rng.random_range(500..60_000));
        let other = &entities[rng.random_range(0..entities.len())];
        let pay = (rng.random_bool(0.7) && other != entity).then(|| other.key.to_string());
        Command::Add { id, arm_ms, pay }
    };
    clients(rng, count, entities, until, command)
}

/// Many commands: what an entity has in memory is soon old, some activations only read, and most timers are due by
/// the clock of somebody who wakes up.
pub(super) fn draw_for_zombies(rng: &mut StdRng, entities: &[EntityId], until: Ms) -> Vec<Client> {
    let count = rng.random_range(20..50);
    let command = |rng: &mut StdRng, id, _: &EntityId| {
        if rng.random_bool(0.4) {
            return Command::Look;
        }
        let arm_ms = rng.random_bool(0.8).then(|| rng.random_range(500..10_000));
        Command::Add {
            id,
            arm_ms,
            pay: None,
        }
    };
    clients(rng, count, entities, until, command)
}

fn clients(
    rng: &mut StdRng,
    count: u32,
    entities: &[EntityId],
    until: Ms,
    command: impl Fn(&mut StdRng, u32, &EntityId) -> Command,
) -> Vec<Client> {
    let client = |id| {
        let entity = entities[rng.random_range(0..entities.len())].clone();
        Client {
            id,
            command: command(rng, id, &entity),
            entity,
            start: rng.random_range(0..until),
            acknowledged: false,
            attempt: 0,
        }
    };
    (1..=count).map(client).collect()
}
