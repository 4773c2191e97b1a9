//! Owned shards, as their shells drive them.

use rand::Rng;

use super::task::{ShardKey, Todo};
use super::{Node, Reply, Tick};
use crate::entity::Lane;
use crate::protocol::{activation, shard};
use crate::simulation::shortcut::Shortcut;
use crate::simulation::store::{Answer, Kind, Op};
use crate::simulation::world::{Profile, World};
use crate::store::StoreError;

impl Node {
    pub(super) fn shard_answered(
        &mut self,
        key: ShardKey,
        kind: Kind,
        answer: Result<Answer, StoreError>,
        world: &mut World,
    ) {
        let Some(input) = shard_input(kind, answer, world.shortcut, key) else {
            return;
        };
        if let shard::Input::List(Ok((_, entries))) = &input
            && let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard))
        {
            owned.inherited = entries.iter().cloned().collect();
        }
        self.feed_shard(key, input, world);
    }

    /// As if a timer due now had been armed: scanners, those of zombies above all, look more often than they would.
    pub(super) fn scan_now(&mut self, world: &mut World) {
        let due = self.now(world).wall;
        for key in self.open_shards() {
            self.feed_shard(key, shard::Input::Armed(due), world);
        }
    }

    fn open_shards(&self) -> Vec<ShardKey> {
        let owned = self.parts.iter().flat_map(|parts| &parts.owned);
        owned
            .filter(|(_, owned)| owned.open)
            .map(|(shard, owned)| ShardKey {
                shard: *shard,
                epoch: owned.epoch,
            })
            .collect()
    }

    /// A shard of this node found that the lane takes rows again.
    fn tell_shards(&mut self, lane: Lane, world: &mut World) {
        let now = self.now(world).boot;
        if self.parts.as_mut().is_some_and(|p| p.told.tells(now, lane)) {
            world.report.told += 1;
            for key in self.open_shards() {
                self.feed_shard(key, shard::Input::Opens(lane), world);
            }
        }
    }

    pub(super) fn feed_shard(&mut self, key: ShardKey, input: shard::Input, world: &mut World) {
        if !self.may(key, world) {
            return;
        }
        // An actor may fail at any message: the shard is claimed again (rule 3).
        let often = if world.profile == Profile::Claims {
            0.1
        } else {
            0.002
        };
        if world.faults && world.rng.random_bool(often) {
            let node = self.index;
            world.note(|| format!("n{node}: the actor of shard {} fails", key.shard));
            return self.lose(key, world);
        }
        let now = self.now(world);
        let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard)) else {
            return;
        };
        let wants = owned.machine.handle(now, input);
        self.shard_todo(key, wants);
        self.plan(world, Tick::Shard(key));
    }

    pub(super) fn shard_todo(&mut self, key: ShardKey, wants: Vec<shard::Output>) {
        self.first(
            wants
                .into_iter()
                .map(|output| Todo::Shard {
                    key,
                    output,
                    asked: false,
                })
                .collect(),
        );
    }

    pub(super) fn shard_wants(&mut self, key: ShardKey, output: shard::Output, world: &mut World) {
        let op = match output {
            shard::Output::ReadList => Op::List(key.shard),
            shard::Output::WriteList(write) => Op::WriteList(write),
            shard::Output::ReadLowWater => Op::LowWater(key.shard),
            shard::Output::PutLowWater { previous, next } => Op::PutLowWater {
                shard: key.shard,
                previous,
                next,
            },
            shard::Output::Query(query) => Op::Due(query),
            shard::Output::Opened => {
                if let Some(owned) = self.parts.as_mut().and_then(|p| p.owned.get_mut(&key.shard)) {
                    owned.open = true;
                }
                return;
            }
            shard::Output::Noted(id, wish) => {
                if let Some(entity) = self.current(key, &id) {
                    self.feed_entity(entity, activation::Input::Noted(wish), world);
                }
                return;
            }
            shard::Output::NoteFailed(id, wish, error) => {
                if let Some(entity) = self.current(key, &id) {
                    self.feed_entity(entity, activation::Input::NoteFailed(wish, error), world);
                }
                return;
            }
            shard::Output::Deliver(row) => {
                self.used(key, &row.key.entity);
                if let Some(entity) = self.activate(key, &row.key.entity.clone(), false, world) {
                    self.feed_entity(entity, activation::Input::Timer(row), world);
                }
                return;
            }
            shard::Output::Revive(id) => {
                let lives = self.current(key, &id).is_some();
                if lives || self.activate(key, &id, true, world).is_none() {
                    self.feed_shard(key, shard::Input::NotRevived(id), world);
                }
                return;
            }
            shard::Output::Opens(lane) => return self.tell_shards(lane, world),
            shard::Output::Passed => return self.lose(key, world),
        };
        world.call(self.index, self.life, op, Reply::Shard(key));
    }
}

fn shard_input(
    kind: Kind,
    answer: Result<Answer, StoreError>,
    shortcut: Option<Shortcut>,
    key: ShardKey,
) -> Option<shard::Input> {
    Some(match answer {
        Ok(Answer::List(row, entries)) => shard::Input::List(Ok((row, entries))),
        Ok(Answer::ListWritten(cas)) => shard::Input::ListWritten(Ok(cas)),
        Ok(Answer::LowWater(low)) => shard::Input::LowWater(Ok(low)),
        Ok(Answer::LowWaterPut(cas)) => shard::Input::LowWaterPut(Ok(cas)),
        Ok(Answer::Due(mut page)) => {
            if shortcut == Some(Shortcut::DeletesUnknownTimers) {
                for row in &mut page.rows {
                    row.epoch = row.epoch.min(key.epoch);
                }
            }
            shard::Input::Page(Ok(page))
        }
        Ok(_) => return None,
        Err(error) => match kind {
            Kind::List => shard::Input::List(Err(error)),
            Kind::WriteList => shard::Input::ListWritten(Err(error)),
            Kind::LowWater => shard::Input::LowWater(Err(error)),
            Kind::PutLowWater => shard::Input::LowWaterPut(Err(error)),
            Kind::Due => shard::Input::Page(Err(error)),
            _ => return None,
        },
    })
}
