//! What goes between clients, nodes, broker and consumer.

use rand::Rng;

use super::{Event, MS, PATIENCE, Profile, World};
use crate::entity::{Lane, Source, Target};
use crate::id::{EntityId, RequestId, ShardId};
use crate::protocol::outcome::Outcome;
use crate::simulation::check::Violation;
use crate::simulation::network::{self, Heard, Line, TIMEOUT};
use crate::simulation::node::{EntityKey, Task};
use crate::simulation::shortcut::Shortcut;
use crate::simulation::toy::Command;
use crate::store::OutboxRow;

/// Who waits for the answer to an ask.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    Client {
        client: usize,
        attempt: u64,
    },
    /// The relay of an entity on a node, in that node's life.
    Relay {
        node: usize,
        life: u64,
        task: EntityKey,
        sequence: u64,
    },
}

impl World {
    pub(super) fn client_try(&mut self, client: usize, attempt: u64) {
        let me = &mut self.clients[client];
        if me.acknowledged || me.attempt != attempt {
            return;
        }
        me.attempt += 1;
        let (next, entity, command, request) = (
            me.attempt,
            me.entity.clone(),
            me.command.clone(),
            Some(me.request()),
        );
        self.ask(
            Asker::Client {
                client,
                attempt: next,
            },
            entity,
            command,
            request,
            None,
        );
        self.at(self.now + PATIENCE * MS, Event::ClientTry(client, next));
    }

    pub(super) fn serves_awake(&self, node: usize, shard: ShardId) -> bool {
        self.nodes[node].serves(shard) && self.nodes[node].runs(self.now)
    }

    /// A node that serves the shard, or now and then any.
    pub(super) fn addressee(&mut self, shard: ShardId) -> usize {
        // In a world of zombies commands do not wait for a sleeper: what it has in memory stays old.
        let asleep = |n: &usize| self.profile == Profile::Zombies && !self.nodes[*n].runs(self.now);
        let mut able: Vec<usize> = (0..self.nodes.len()).filter(|n| !asleep(n)).collect();
        if able.is_empty() || self.rng.random_bool(0.1) {
            return self.rng.random_range(0..self.nodes.len());
        }
        if able.iter().any(|n| self.nodes[*n].serves(shard)) {
            able.retain(|n| self.nodes[*n].serves(shard));
        }
        able[self.rng.random_range(0..able.len())]
    }

    /// Sends a command to a node that serves its shard, or to any; it may be late, lost, or arrive twice.
    pub(super) fn ask(
        &mut self,
        asker: Asker,
        entity: EntityId,
        command: Command,
        request: Option<RequestId>,
        source: Option<Source>,
    ) {
        let node = self.addressee(entity.shard());
        let life = self.nodes[node].life();
        let copies = if self.faults && self.rng.random_bool(0.05) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.faults && self.rng.random_bool(0.05) {
                continue;
            }
            self.next_ask += 1;
            let ask = self.next_ask;
            self.asks.insert(ask, asker.clone());
            let (entity, command, source) = (entity.clone(), command.clone(), source.clone());
            let task = Task::Ask {
                ask,
                entity,
                command,
                request,
                source,
            };
            let slow = self.faults && self.rng.random_bool(0.1);
            let after = self.rng.random_range(0..if slow { 10_000 } else { 10 }) * MS;
            self.at(self.now + after, Event::Arrive(node, life, task));
        }
    }

    /// A node answers an ask.
    pub(in crate::simulation) fn answer(&mut self, ask: u64, outcome: &Outcome) {
        self.note(|| format!("ask {ask}: {outcome:?}"));
        let good = outcome.is_decided();
        if good && let Some(Asker::Client { client, .. }) = self.asks.get(&ask) {
            let client = &self.clients[*client];
            let applied = match client.command {
                Command::Add { id, .. } => self.store.history.applied.contains_key(&id),
                _ => true,
            };
            if !applied {
                let lost = format!("client {} of {}", client.id, client.entity);
                self.store.history.violated(Violation::AcknowledgedAndLost(lost));
            }
        }
        if self.faults && self.rng.random_bool(0.05) {
            return;
        }
        let after = self.rng.random_range(0..10) * MS;
        self.at(self.now + after, Event::Answer(ask, good));
    }

    pub(super) fn answered(&mut self, ask: u64, good: bool) {
        match self.asks.get(&ask).cloned() {
            Some(Asker::Client { client, attempt }) => {
                let me = &mut self.clients[client];
                if good && !me.acknowledged {
                    me.acknowledged = true;
                    self.report.acknowledged += 1;
                } else if !good && me.attempt == attempt {
                    self.at(self.now + 200 * MS, Event::ClientTry(client, attempt));
                }
            }
            Some(Asker::Relay {
                node,
                life,
                task,
                sequence,
            }) => {
                let task = Task::Sent {
                    key: task,
                    sequence,
                    delivered: good,
                };
                self.at(self.now, Event::Arrive(node, life, task));
            }
            None => {}
        }
    }

    /// Gives an outbox row to its target (rule 10: the machine gives one at a time, or several that need no order).
    pub(super) fn send(&mut self, node: usize, life: u64, key: &EntityKey, row: OutboxRow) {
        let sequence = row.sequence;
        self.note(|| format!("n{node} sends row {sequence} of {}", key.id));
        self.send_two(node, life, key, &row);
        match row.target {
            Target::Topic(_) | Target::Table(_) => self.produce(node, life, key, &row),
            Target::Entity(_) => {
                let asker = Asker::Relay {
                    node,
                    life,
                    task: key.clone(),
                    sequence,
                };
                self.ask_for(asker, &key.id, row);
                let late = Task::Sent {
                    key: key.clone(),
                    sequence,
                    delivered: false,
                };
                self.at(self.now + PATIENCE * MS, Event::Arrive(node, life, late));
            }
        }
    }

    /// The command in an outbox row, to the entity that it is for.
    fn ask_for(&mut self, asker: Asker, from: &EntityId, row: OutboxRow) {
        let (Target::Entity(target), Ok(command)) = (row.target, crate::wire::decode(&row.payload)) else {
            return;
        };
        let source = Source {
            entity: from.clone(),
            sequence: row.sequence,
        };
        self.ask(asker, target, command, None, Some(source));
    }

    /// Gives a row to the broker or to a read table.
    fn produce(&mut self, node: usize, life: u64, key: &EntityKey, row: &OutboxRow) {
        let sequence = row.sequence;
        let fate = match (self.broker_away, row.target.lane()) {
            (true, Lane::Topics) => network::draw(&mut self.rng, Line::Cut),
            _ if self.faults => network::draw(&mut self.rng, Line::Fair),
            _ => network::calm(&mut self.rng),
        };
        for after in [fate.applied, fate.repeated].into_iter().flatten() {
            self.at(self.now + after * MS, Event::Consume(key.id.clone(), sequence));
        }
        let (after, delivered) = match (fate.heard, fate.applied) {
            (Heard::Answer(after), Some(applied)) => (applied + after, true),
            (Heard::Unavailable(after), _) => (after, false),
            _ => (TIMEOUT, false),
        };
        let task = Task::Sent {
            key: key.clone(),
            sequence,
            delivered,
        };
        self.at(self.now + after * MS, Event::Arrive(node, life, task));
    }

    /// For the shortcuts that send the next row of a lane while this one is on its way.
    fn send_two(&mut self, node: usize, life: u64, key: &EntityKey, row: &OutboxRow) {
        let lane = row.target.lane();
        match (self.shortcut, lane) {
            (Some(Shortcut::TwoOnTheWire), Lane::Topics) | (Some(Shortcut::TwoInside), Lane::Inside) => {}
            _ => return,
        }
        let outbox = self.store.content.outboxes.get(&key.id);
        let behind = outbox.into_iter().flat_map(|o| o.range(row.sequence + 1..));
        let mut of_lane = behind.map(|(_, row)| row).filter(|row| row.target.lane() == lane);
        let Some(next) = of_lane.next().cloned() else {
            return;
        };
        if let Target::Entity(_) = next.target {
            let asker = Asker::Relay {
                node,
                life,
                task: key.clone(),
                sequence: next.sequence,
            };
            return self.ask_for(asker, &key.id, next);
        }
        let after = self.rng.random_range(0..20) * MS;
        self.at(self.now + after, Event::Consume(key.id.clone(), next.sequence));
    }
}
