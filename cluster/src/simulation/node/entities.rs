//! Activations, as their shells drive them.

use rand::Rng;

use super::task::{ShardKey, Todo};
use super::{DEADLINE, EntityKey, LIMITS, Node, Reply, Tick};
use crate::call::Trace;
use crate::entity::{Lane, Source};
use crate::id::{EntityId, RequestId};
use crate::protocol::activation::{self, Activation, Ask, Identity};
use crate::protocol::outcome::Outcome;
use crate::protocol::shard;
use crate::simulation::shortcut::Shortcut;
use crate::simulation::store::{Answer, Kind, Op};
use crate::simulation::toy::{Command, Toy};
use crate::simulation::world::{Event, World};
use crate::store::StoreError;

impl Node {
    pub(super) fn entity_answered(
        &mut self,
        key: EntityKey,
        kind: Kind,
        answer: Result<Answer, StoreError>,
        world: &mut World,
    ) {
        if let Some(input) = entity_input(kind, answer) {
            self.feed_entity(key, input, world);
        }
    }

    pub(super) fn current(&self, key: ShardKey, id: &EntityId) -> Option<EntityKey> {
        let owned = self
            .parts
            .as_ref()?
            .owned
            .get(&key.shard)
            .filter(|o| o.epoch == key.epoch)?;
        let (activation, _) = owned.entities.get(id)?;
        Some(EntityKey {
            shard: key,
            id: id.clone(),
            activation: *activation,
        })
    }

    /// The entity's activation, begun if need be.
    pub(super) fn activate(
        &mut self,
        key: ShardKey,
        id: &EntityId,
        background: bool,
        world: &mut World,
    ) -> Option<EntityKey> {
        if let Some(entity) = self.current(key, id) {
            return Some(entity);
        }
        let (now, seed) = (self.now(world), self.seed());
        let parts = self.parts.as_mut()?;
        let owned = parts.owned.get_mut(&key.shard).filter(|o| o.epoch == key.epoch)?;
        parts.activations += 1;
        let activation = parts.activations;
        let fence = match world.shortcut {
            Some(Shortcut::EpochFence) => owned.inherited.remove(id),
            Some(Shortcut::NoFenceWithoutRow) => {
                owned.machine.must_fence(id) && world.store.content.rows.contains_key(id)
            }
            _ => owned.machine.must_fence(id),
        };
        world.report.fences += u64::from(fence);
        let node = self.index;
        world.note(|| {
            format!(
                "n{node} activates {id} ({activation}) in epoch {}, fence {fence}",
                key.epoch.0
            )
        });
        let who = Identity {
            id: id.clone(),
            epoch: key.epoch,
            activation,
            fence,
            background,
        };
        let (machine, first) = Activation::new(who, LIMITS, seed, now);
        owned.entities.insert(id.clone(), (activation, machine));
        let entity = EntityKey {
            shard: key,
            id: id.clone(),
            activation,
        };
        self.entity_todo(&entity, vec![first]);
        Some(entity)
    }

    pub(super) fn ask(
        &mut self,
        ask: u64,
        id: &EntityId,
        command: Command,
        request: Option<RequestId>,
        source: Option<Source>,
        world: &mut World,
    ) {
        let shard = id.shard();
        let epoch = self
            .parts
            .as_ref()
            .and_then(|p| p.owned.get(&shard))
            .filter(|o| o.open)
            .map(|o| o.epoch);
        let Some(epoch) = epoch else {
            return world.answer(ask, &Outcome::NotOwner { hint: None });
        };
        let key = ShardKey { shard, epoch };
        if !self.may(key, world) {
            return;
        }
        self.used(key, id);
        let Some(entity) = self.activate(key, id, false, world) else {
            return;
        };
        let deadline = self.now(world).boot + DEADLINE;
        let ask = Ask {
            ticket: ask,
            command,
            request,
            source,
            deadline,
            trace: Trace::default(),
            urgent_only: false,
        };
        self.feed_entity(entity, activation::Input::Ask(ask), world);
    }

    pub(super) fn feed_entity(&mut self, key: EntityKey, input: activation::Input<Toy>, world: &mut World) {
        if self.current(key.shard, &key.id).as_ref() != Some(&key) || !self.may(key.shard, world) {
            return;
        }
        // An actor may fail at any message (rule 6).
        if world.faults && world.rng.random_bool(0.006) {
            let node = self.index;
            world.note(|| format!("n{node}: the actor of {} fails", key.id));
            return self.entity_gone(&key, world);
        }
        let now = self.now(world);
        let Some(owned) = self
            .parts
            .as_mut()
            .and_then(|p| p.owned.get_mut(&key.shard.shard))
        else {
            return;
        };
        let low_water = owned.machine.low_water();
        let Some((_, machine)) = owned.entities.get_mut(&key.id) else {
            return;
        };
        let wants = machine.handle(now, low_water, input);
        let is_inside = |want: &&activation::Output<Toy>| match want {
            activation::Output::Send(row) => row.target.lane() == Lane::Inside,
            _ => false,
        };
        world.report.runs += u64::from(wants.iter().filter(is_inside).count() > 1);
        self.entity_todo(&key, wants);
        self.plan(world, Tick::Entity(key));
    }

    pub(super) fn entity_todo(&mut self, key: &EntityKey, wants: Vec<activation::Output<Toy>>) {
        let todo = |output| Todo::Entity {
            key: key.clone(),
            output: Box::new(output),
            asked: false,
        };
        self.first(wants.into_iter().map(todo).collect());
    }

    /// Somebody uses it, before it is activated.
    pub(super) fn used(&mut self, key: ShardKey, id: &EntityId) {
        if let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard)) {
            owned.machine.used(id);
        }
    }

    fn let_go(&mut self, key: &EntityKey) {
        if let Some(owned) = self
            .parts
            .as_mut()
            .and_then(|p| p.owned.get_mut(&key.shard.shard))
        {
            owned.entities.remove(&key.id);
        }
    }

    pub(super) fn entity_gone(&mut self, key: &EntityKey, world: &mut World) {
        self.let_go(key);
        self.feed_shard(key.shard, shard::Input::Crashed(key.id.clone()), world);
    }

    pub(super) fn entity_wants(
        &mut self,
        key: EntityKey,
        output: activation::Output<Toy>,
        world: &mut World,
    ) {
        use activation::Output as Wants;
        if self.current(key.shard, &key.id).as_ref() != Some(&key) {
            return;
        }
        let op = match output {
            Wants::Read => Op::Row(key.id.clone()),
            Wants::ReadOutbox { after, limit } => Op::Outbox {
                id: key.id.clone(),
                after,
                limit,
            },
            Wants::Write(write) => {
                let again = world
                    .store
                    .history
                    .authors
                    .insert(write.next.write_id, key.activation);
                world.report.settled += u64::from(again.is_some());
                Op::Write(write)
            }
            Wants::InsertTimers(rows) => Op::InsertTimers(rows),
            Wants::DeleteTimers(keys) => {
                return world.call(self.index, self.life, Op::DeleteTimers(keys), Reply::Nobody);
            }
            Wants::Note(wish) => return self.feed_shard(key.shard, shard::Input::Note(key.id, wish), world),
            Wants::Unnote => return self.feed_shard(key.shard, shard::Input::Unnote(key.id), world),
            Wants::Armed(due) => return self.feed_shard(key.shard, shard::Input::Armed(due), world),
            Wants::Activated => {
                world
                    .store
                    .history
                    .activated(&key.id, key.shard.epoch, key.activation);
                return self.feed_shard(key.shard, shard::Input::Activated(key.id), world);
            }
            Wants::Reply { ticket, outcome } => return world.answer(ticket, &outcome),
            Wants::Send(row) => return world.at(world.now, Event::Send(self.index, self.life, key, row)),
            Wants::Idle => {
                self.let_go(&key);
                return self.feed_shard(key.shard, shard::Input::NotRevived(key.id), world);
            }
            Wants::Park(lane) => {
                world.report.parked += 1;
                let node = self.index;
                world.note(|| format!("n{node} parks {} for {lane:?}", key.id));
                self.let_go(&key);
                return self.feed_shard(key.shard, shard::Input::Parked(key.id, lane), world);
            }
            Wants::Through(lane) => {
                return self.feed_shard(key.shard, shard::Input::Through(key.id, lane), world);
            }
            Wants::Effects { .. } | Wants::Committed { .. } => return,
            Wants::Passed => return self.lose(key.shard, world),
            Wants::Conflict => return self.entity_gone(&key, world),
        };
        world.call(self.index, self.life, op, Reply::Entity(key));
    }
}

fn entity_input(kind: Kind, answer: Result<Answer, StoreError>) -> Option<activation::Input<Toy>> {
    Some(match answer {
        Ok(Answer::Row(row)) => activation::Input::Row(Ok(row)),
        Ok(Answer::Outbox(rows)) => activation::Input::Outbox(Ok(rows)),
        Ok(Answer::Written(cas)) => activation::Input::Written(Ok(cas)),
        Ok(Answer::Inserted) => activation::Input::TimersInserted(Ok(())),
        Ok(_) => return None,
        Err(error) => match kind {
            Kind::Row => activation::Input::Row(Err(error)),
            Kind::Outbox => activation::Input::Outbox(Err(error)),
            Kind::Write => activation::Input::Written(Err(error)),
            Kind::InsertTimers => activation::Input::TimersInserted(Err(error)),
            _ => return None,
        },
    })
}
