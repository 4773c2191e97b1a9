//! The home's side on this node: what a room's decisions do, and the ticks that the rooms homed here get.
//!
//! After a take-over somebody has to wake every live room of the shard: the keeper reads them from the table `live_room`,
//! when a shard was taken and now and then. Ticks are counted by the rooms, so none may come from a former home:
//! with a shard its rooms are let go.

use crate::forwarder::{self, Body, Letter};
use crate::hallway::{self, News};
use crate::id::RoomId;
use crate::ports::Reads;
use crate::room::{Card, Command, Effect, Room, To};
use async_trait::async_trait;
use futures::StreamExt;
use mitalk_cluster::{
    AskError, Call, Cluster, Effects, EntityId, NodeId, ShardId, ShardListener, Stamp, wire,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Rooms ticked at a time.
const AT_ONCE: usize = 64;
/// All live rooms are read again every so many ticks.
const TICKS_PER_SCAN: u32 = 12;
/// Rows of the table `live_room` read at a time.
const ROWS: usize = 500;

/// Runs the effects of rooms, and knows which rooms this node is the home of.
#[derive(Default)]
pub(super) struct Homes {
    cluster: OnceLock<Cluster>,
    kept: Mutex<HashSet<RoomId>>,
    owned: Mutex<HashSet<ShardId>>,
    scan: AtomicBool,
}

impl Homes {
    /// From now on effects reach other nodes.
    pub(super) fn join(&self, cluster: Cluster) {
        drop(self.cluster.set(cluster));
    }

    fn tell(&self, to: &To, room: RoomId, body: Body) {
        let Some(cluster) = self.cluster.get() else { return };
        let payload = wire::encode(&Letter { room, body });
        for node in nodes(cluster, to) {
            cluster.cast_at(&node, forwarder::SERVICE, payload.clone());
        }
    }

    fn list(&self, room: RoomId, card: Option<Box<Card>>) {
        let Some(cluster) = self.cluster.get() else { return };
        let payload = wire::encode(&card.map_or(News::Ended(room), News::Card));
        for node in nodes(cluster, &To::Everybody) {
            cluster.cast_at(&node, hallway::SERVICE, payload.clone());
        }
    }

    /// A row may have been read before its shard was taken, and be gone by now with its room: nobody else would tell the
    /// hallway. So whatever it shows of rooms homed here is kept, and the next tick finds out which are over.
    fn keep_what_is_shown(&self, hallway: &hallway::Service) {
        let owned = self.owned().clone();
        let shown = hallway.rooms().into_iter();
        self.kept()
            .extend(shown.filter(|room| owned.contains(&shard_of(*room))));
    }

    fn kept(&self) -> MutexGuard<'_, HashSet<RoomId>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owned(&self) -> MutexGuard<'_, HashSet<ShardId>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nodes(cluster: &Cluster, to: &To) -> Vec<NodeId> {
    match to {
        To::Nodes(nodes) => nodes.clone(),
        To::Everybody => cluster.nodes().into_iter().map(|member| member.node).collect(),
    }
}

impl Effects<Room> for Homes {
    fn run(&self, id: &EntityId, _stamp: Stamp, effects: Vec<Effect>) {
        let Ok(room) = id.key.parse::<RoomId>() else {
            return;
        };
        for effect in in_one_letter(effects) {
            match effect {
                Effect::Tell { to, changes } => self.tell(&to, room, Body::Told(changes)),
                Effect::Cut { to, at, user, cut } => self.tell(&to, room, Body::Cut { at, user, cut }),
                Effect::Keep => drop(self.kept().insert(room)),
                Effect::Release => drop(self.kept().remove(&room)),
                Effect::List(card) => self.list(room, card),
            }
        }
    }
}

/// What a batch of commands tells the same nodes goes in one letter: letters keep no order among themselves, and one that
/// is overtaken costs a whole view.
fn in_one_letter(effects: Vec<Effect>) -> Vec<Effect> {
    let mut merged = Vec::<Effect>::with_capacity(effects.len());
    for effect in effects {
        let Effect::Tell { to, changes } = effect else {
            merged.push(effect);
            continue;
        };
        let last = merged.iter_mut().rev().find_map(|earlier| match earlier {
            Effect::Tell { to, changes } => Some((to, changes)),
            _ => None,
        });
        match last {
            Some((before, earlier)) if *before == to => earlier.extend(changes),
            _ => merged.push(Effect::Tell { to, changes }),
        }
    }
    merged
}

/// Told about shards.
pub(super) struct Shards(pub(super) Arc<Homes>);

#[async_trait]
impl ShardListener for Shards {
    async fn taken(&self, shard: ShardId) {
        self.0.owned().insert(shard);
        self.0.scan.store(true, Ordering::Release);
    }

    async fn lost(&self, shard: ShardId) {
        self.0.owned().remove(&shard);
        self.0.kept().retain(|room| shard_of(*room) != shard);
    }
}

fn shard_of(room: RoomId) -> ShardId {
    EntityId::of::<Room>(&room.to_string()).shard()
}

/// Ticks the rooms of this node every `tick`, wakes those of shards that were taken, and fills the hallway. Runs until it is
/// dropped.
pub(super) async fn keep(
    homes: Arc<Homes>,
    reads: Arc<dyn Reads>,
    hallway: Arc<hallway::Service>,
    cluster: Cluster,
    tick: Duration,
) {
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count: u32 = 0;
    loop {
        ticks.tick().await;
        let asked = homes.scan.swap(false, Ordering::AcqRel);
        if (asked || count.is_multiple_of(TICKS_PER_SCAN)) && !scan(&homes, &*reads, &hallway).await {
            homes.scan.store(true, Ordering::Release);
        }
        count = count.wrapping_add(1);
        let kept: Vec<_> = homes.kept().iter().copied().collect();
        futures::stream::iter(kept)
            .for_each_concurrent(AT_ONCE, |room| tick_room(&homes, &cluster, room, tick))
            .await;
    }
}

/// One that takes longer than until the next tick is asked again by that.
async fn tick_room(homes: &Homes, cluster: &Cluster, room: RoomId, within: Duration) {
    let call = Call::within(within);
    match cluster.ask::<Room>(&room.to_string(), Command::Tick, call).await {
        Ok(_) => {}
        // It is over, and this node learns it from the room only: the one that ended it died before it told.
        Err(AskError::Refused(_)) => {
            homes.kept().remove(&room);
            homes.list(room, None);
        }
        // The next tick comes anyway; a room that lost its home is ticked by the next one.
        Err(error) => tracing::debug!(%room, %error, "a room was not ticked"),
    }
}

/// Reads all live rooms: into the hallway, and those homed here are kept, which wakes them. False if it has to be done
/// again.
async fn scan(homes: &Homes, reads: &dyn Reads, hallway: &hallway::Service) -> bool {
    let mut after = None;
    loop {
        let cards = match reads.live_rooms(after, ROWS).await {
            Ok(cards) => cards,
            Err(error) => {
                tracing::warn!(%error, "live rooms cannot be read");
                return false;
            }
        };
        after = cards.last().map(|card| card.room);
        let last = cards.len() < ROWS;
        for card in cards {
            if homes.owned().contains(&shard_of(card.room)) {
                homes.kept().insert(card.room);
            }
            hallway.take(News::Card(Box::new(card)));
        }
        if last {
            homes.keep_what_is_shown(hallway);
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{Change, Version};

    #[test]
    fn a_batch_is_told_in_one_letter_and_in_order() {
        let tell = |to: To, sequence| Effect::Tell {
            to,
            changes: vec![(
                Version {
                    activation: 1,
                    sequence,
                },
                Change::Audience(sequence),
            )],
        };
        let some = || To::Nodes(vec![NodeId::new("a")]);
        let effects = vec![
            tell(To::Everybody, 1),
            Effect::Keep,
            tell(To::Everybody, 2),
            tell(some(), 3),
            tell(To::Everybody, 4),
        ];
        let letters = in_one_letter(effects)
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Tell { changes, .. } => Some(changes.iter().map(|(at, _)| at.sequence).collect()),
                _ => None,
            });
        assert_eq!(letters.collect::<Vec<Vec<_>>>(), [vec![1, 2], vec![3], vec![4]]);
    }
}
