//! What all actors of a node share: ports, clocks, the hold, routes, and the counts that bound the work under way.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use ractor::ActorRef;
use tokio::sync::{Semaphore, watch};

use super::entity::Type;
use super::hold::{Guard, HoldCell};
use super::shard;
use super::{Config, Service};
use crate::entity::Lane;
use crate::id::{Kind, NodeId, SHARDS, ShardId};
use crate::membership::Membership;
use crate::metrics::Metrics;
use crate::protocol::Now;
use crate::protocol::activation::BATCH;
use crate::protocol::lanes::Told;
use crate::store::{Ports, StoreError};
use crate::time::Clock;
use crate::transport::Transport;

/// Outbox rows of one lane on the wire at once, over all entities of the node: rows that wait for an event log that does
/// not answer take no place from those for entities and read tables.
const RELAY_AT_ONCE: usize = 512;
/// Background activations under way at once, over all shards of the node: each is a read and a conditional write.
const REVIVALS_AT_ONCE: usize = 64;
/// A whole open list may take so many times as long as other calls to the store.
const LIST_PATIENCE: u32 = 10;
/// For every so many commands under way there is one place more, for an urgent one.
const RESERVE: usize = 8;

pub(super) struct Shared {
    pub(super) node: NodeId,
    pub(super) config: Config,
    pub(super) ports: Ports,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) hold: Arc<HoldCell>,
    pub(super) kinds: HashMap<Kind, Arc<dyn Type>>,
    pub(super) services: HashMap<String, Arc<dyn Service>>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) membership: Arc<dyn Membership>,
    /// Places on the wire, in the order of [`Lane::ALL`].
    relay: [Semaphore; Lane::ALL.len()],
    /// Of which lanes the shards were told.
    told: Mutex<Told>,
    /// Places for background activations.
    pub(super) revivals: Arc<Semaphore>,
    /// Counts activations, for stamps.
    pub(super) activations: AtomicU64,
    pub(super) entities: AtomicUsize,
    pub(super) stopping: AtomicBool,
    in_flight: AtomicUsize,
    /// Open shards, one lock each: no lock is shared by all commands.
    routes: Vec<RwLock<Option<ActorRef<shard::Msg>>>>,
    owners: RwLock<HashMap<ShardId, NodeId>>,
    /// Why the node ended, once it has.
    pub(super) ended: watch::Sender<Option<String>>,
}

/// What a [`Shared`] is made of.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) ports: Ports,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) kinds: HashMap<Kind, Arc<dyn Type>>,
    pub(super) services: HashMap<String, Arc<dyn Service>>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) membership: Arc<dyn Membership>,
}

impl Shared {
    pub(super) fn new(parts: Parts) -> Self {
        let hold = Arc::<HoldCell>::default();
        let (cell, clock) = (hold.clone(), parts.clock.clone());
        parts.metrics.holds.ask(move || cell.holds(clock.boot()));
        let clock = parts.clock.clone();
        parts.metrics.backlog.tell_time(move || clock.wall());
        Self {
            node: NodeId::new(&parts.config.node),
            config: parts.config,
            ports: parts.ports,
            clock: parts.clock,
            metrics: parts.metrics,
            hold,
            kinds: parts.kinds,
            services: parts.services,
            transport: parts.transport,
            membership: parts.membership,
            relay: Lane::ALL.map(|_| Semaphore::new(RELAY_AT_ONCE)),
            told: Mutex::default(),
            revivals: Arc::new(Semaphore::new(REVIVALS_AT_ONCE)),
            activations: AtomicU64::new(0),
            entities: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            routes: (0..SHARDS).map(|_| RwLock::new(None)).collect(),
            owners: RwLock::default(),
            ended: watch::Sender::new(None),
        }
    }

    pub(super) fn now(&self) -> Now {
        Now {
            boot: self.clock.boot(),
            wall: self.clock.wall(),
        }
    }

    /// The places for rows of this lane.
    pub(super) fn relay(&self, lane: Lane) -> &Semaphore {
        &self.relay[lane as usize]
    }

    pub(super) fn guard(&self, generation: u64) -> Guard {
        Guard::new(self.hold.clone(), self.clock.clone(), generation)
    }

    /// Whether the node's lease holds now, in whichever generation.
    pub(super) fn holds(&self) -> bool {
        self.hold.holds(self.clock.boot())
    }

    /// No further entity may be activated for a command or a timer.
    pub(super) fn is_full(&self) -> bool {
        self.entities.load(Ordering::Relaxed) >= self.config.entities
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The open shard's actor.
    pub(super) fn route(&self, shard: ShardId) -> Option<ActorRef<shard::Msg>> {
        self.routes[usize::from(shard.0)]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_route(&self, shard: ShardId, actor: Option<ActorRef<shard::Msg>>) {
        *self.routes[usize::from(shard.0)]
            .write()
            .unwrap_or_else(PoisonError::into_inner) = actor;
    }

    /// A shard found that a lane takes rows again: the others look, too.
    pub(super) fn tell_shards(&self, lane: Lane) {
        let now = self.clock.boot();
        let tells = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tells(now, lane);
        if tells {
            for shard in (0..SHARDS).filter_map(|shard| self.route(ShardId(shard))) {
                let _gone = shard.cast(shard::Msg::Opens(lane));
            }
        }
    }

    /// Shards with a route.
    pub(super) fn open_shards(&self) -> usize {
        let open = |r: &&RwLock<Option<_>>| r.read().unwrap_or_else(PoisonError::into_inner).is_some();
        self.routes.iter().filter(open).count()
    }

    /// Who owns the shard, as the last round of reads showed it.
    pub(super) fn owner(&self, shard: ShardId) -> Option<NodeId> {
        self.owners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&shard)
            .cloned()
    }

    pub(super) fn set_owners(&self, owners: HashMap<ShardId, NodeId>) {
        *self.owners.write().unwrap_or_else(PoisonError::into_inner) = owners;
    }

    /// Admits one piece of work to the node, before anything is cast: mailboxes are unbounded.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Permit> {
        self.admit_command().filter(|permit| !permit.urgent_only)
    }

    /// Admits one command. The last places are for urgent ones: which those are only an entity's state tells, so what
    /// gets such a place is refused there, and first by [`Permit::is_urgent_only`] where nobody is in memory.
    pub(super) fn admit_command(self: &Arc<Self>) -> Option<Permit> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let limit = self.config.in_flight;
        let permit = Permit {
            shared: self.clone(),
            entity: None,
            urgent_only: before >= limit,
        };
        self.metrics.in_flight.inc();
        (before < limit + limit.div_ceil(RESERVE)).then_some(permit)
    }

    /// One call to a store: its outcome is unknown when it takes too long, or when the adapter panics.
    pub(super) async fn store<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.store_within(self.config.store_timeout(), operation, call)
            .await
    }

    /// An open list is many pages after an outage: read in part it is of no use, and nobody waits for it but its shard.
    pub(super) async fn store_list<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let patience = self.config.store_timeout() * LIST_PATIENCE;
        self.store_within(patience, "read_list", call).await
    }

    async fn store_within<T>(
        &self,
        patience: Duration,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let call = AssertUnwindSafe(call).catch_unwind();
        let answer = match tokio::time::timeout(patience, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => Err(StoreError::Unknown("the adapter panicked".to_owned())),
            Err(_) => Err(StoreError::Unknown(format!("no answer within {patience:?}"))),
        };
        if let Err(error) = &answer {
            self.metrics.store_failures.with_label_values(&[operation]).inc();
            tracing::warn!(operation, %error, "store call failed");
        }
        answer
    }

    /// Ends the node: whoever runs it should exit. The first reason stands.
    pub(super) fn end(&self, reason: &str) {
        self.hold.end();
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| reason.to_owned());
            first
        });
    }
}

/// A place among the commands under way, given back when dropped.
pub(super) struct Permit {
    shared: Arc<Shared>,
    entity: Option<Arc<AtomicUsize>>,
    urgent_only: bool,
}

impl Permit {
    /// Whether the node has places for urgent commands only.
    pub(super) fn is_urgent_only(&self) -> bool {
        self.urgent_only
    }

    /// Takes a place in the entity too; false if it has none. That bounds the mailbox. Who gets the last places of the
    /// queue behind it is decided by the machine, which knows what is urgent: so there must be room for a full queue
    /// and the batch under way.
    pub(super) fn enter(&mut self, count: &Arc<AtomicUsize>) -> bool {
        let before = count.fetch_add(1, Ordering::Relaxed);
        self.entity = Some(count.clone());
        before < self.shared.config.entity_in_flight + BATCH
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.shared.metrics.in_flight.dec();
        if let Some(entity) = &self.entity {
            entity.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
