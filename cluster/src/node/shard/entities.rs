//! The entities' actors under their shard: begun, let go, and at rest after repeated failures.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;

use super::{Msg, State};
use crate::id::EntityId;
use crate::node::beside::beside;
use crate::node::entity::{self, Arguments};
use crate::protocol::shard::Input;

/// Failures of one entity after which it rests.
pub(super) const FAILURES: u32 = 5;
/// Within that time, and for that long.
pub(super) const FAILURE_WINDOW: Duration = Duration::from_secs(30);

pub(super) struct Child {
    pub(super) actor: ActorRef<entity::Msg>,
    pub(super) in_flight: Arc<AtomicUsize>,
    /// Messages sent to it.
    pub(super) sent: u64,
    /// Its place among those that the node activates in the background.
    reviving: Option<OwnedSemaphorePermit>,
}

impl Child {
    pub(super) fn send(&mut self, message: entity::Msg) {
        self.sent += 1;
        let _gone = self.actor.cast(message);
    }
}

impl State {
    /// The entity's actor, spawned if need be, for somebody or for what it owes; none for a kind that nobody registered.
    pub(super) async fn child(
        &mut self,
        myself: &ActorRef<Msg>,
        id: &EntityId,
        background: bool,
    ) -> Option<&mut Child> {
        if !self.entities.contains(id) {
            let kind = self.shared.kinds.get(&id.kind)?.clone();
            let parked = self.parked.remove(id);
            let account = parked.unwrap_or_else(|| self.shared.metrics.backlog.account());
            let arguments = Arguments {
                account,
                shared: self.shared.clone(),
                id: id.clone(),
                epoch: self.epoch,
                generation: self.generation,
                fence: self.machine.must_fence(id),
                background,
                low_water: self.low_water.clone(),
                shard: myself.clone(),
            };
            let actor = match kind.spawn(arguments, myself.get_cell()).await {
                Ok(actor) => actor,
                Err(error) => {
                    tracing::error!(kind = %id.kind, %error, "entity cannot be spawned");
                    return None;
                }
            };
            let (who, in_flight) = (actor.get_id(), Arc::default());
            let child = Child {
                actor,
                in_flight,
                sent: 0,
                reviving: None,
            };
            self.entities.insert(id.clone(), who, child);
        }
        self.entities.get_mut(id)
    }

    /// Rule 6, for all shards of the node together: whoever comes back to an outage's worth of debts must not bury the
    /// store under them.
    pub(super) fn wait_to_revive(&self, myself: &ActorRef<Msg>, id: EntityId) {
        let places = self.shared.revivals.clone();
        beside(myself, async move {
            match places.acquire_owned().await {
                Ok(place) => Msg::Revive { id, place },
                // The places are never closed.
                Err(_) => Msg::Done(Input::NotRevived(id)),
            }
        });
    }

    /// Its turn has come, unless it lives by now, owes nothing any more, or is left to the next owner.
    pub(super) async fn revive(&mut self, myself: &ActorRef<Msg>, id: EntityId, place: OwnedSemaphorePermit) {
        if self.draining {
            return;
        }
        if !self.entities.contains(&id)
            && self.machine.must_fence(&id)
            && let Some(child) = self.child(myself, &id, true).await
        {
            child.reviving = Some(place);
            return;
        }
        self.feed(myself, Input::NotRevived(id)).await;
    }

    /// Its place is for the next one.
    pub(super) fn give_back(&mut self, id: &EntityId) {
        if let Some(child) = self.entities.get_mut(id) {
            child.reviving = None;
        }
    }

    /// Stops the actor; the next command gets a fresh one.
    pub(super) fn let_go(&mut self, id: &EntityId) {
        if let Some(child) = self.entities.let_go(id) {
            child.actor.stop(None);
        }
    }

    pub(super) fn failed(&mut self, id: &EntityId) {
        let now = self.shared.clock.boot();
        self.failures
            .retain(|_, (_, last)| now.since(*last) < FAILURE_WINDOW);
        let (count, last) = self.failures.entry(id.clone()).or_insert((0, now));
        *count += 1;
        *last = now;
    }

    pub(super) fn rests(&self, id: &EntityId) -> bool {
        let now = self.shared.clock.boot();
        self.failures
            .get(id)
            .is_some_and(|(n, last)| *n >= FAILURES && now.since(*last) < FAILURE_WINDOW)
    }
}
