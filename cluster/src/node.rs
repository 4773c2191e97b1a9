//! The node: everything of this crate, started and stopped together.
//!
//! A tree of actors: the root ([`supervisor`]) over the lease keeper and the owned shards, each shard over its
//! entities. Relay and timer scanner are machines inside the entity and the shard that they belong to: one writer per
//! row needs no second actor. Callers hold a [`Cluster`]; no `ActorRef` leaves this module.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use ractor::{Actor, ActorRef};
use tokio::sync::mpsc;

use self::dispatch::{Answering, Command};
use self::envelope::Body;
use self::shared::{Parts, Shared};
use self::supervisor::Told;
use crate::call::{AskError, Call};
use crate::entity::{Effects, Entity};
use crate::id::{EntityId, Kind, NodeId, ShardId};
use crate::membership::{LocalMembership, Member, Membership};
use crate::metrics::Metrics;
use crate::protocol::outcome::Outcome;
use crate::protocol::placement::preferred;
use crate::store::Ports;
use crate::time::Clock;
use crate::transport::{LocalTransport, Transport, TransportError};
use crate::wire;

mod alarm;
mod beside;
mod children;
mod config;
mod dispatch;
mod entity;
mod envelope;
mod hold;
mod keeper;
#[cfg(test)]
mod policy;
mod shard;
mod shared;
mod supervisor;

pub use config::{Config, ConfigError};

/// A service of a certain node: forwarders, sockets.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Carries out a request of `from`.
    async fn handle(&self, from: NodeId, payload: Vec<u8>, call: Call) -> Result<Vec<u8>, ServiceError>;
}

/// Why a service did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// Too much is under way; nothing was done.
    #[error("too busy")]
    Overloaded,
    /// The request cannot be read.
    #[error("cannot be decoded")]
    Corrupt,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Is told which shards this node takes and loses, one after the other.
#[async_trait]
pub trait ShardListener: Send + Sync + 'static {
    /// The shard was claimed; its entities answer from now on.
    async fn taken(&self, shard: ShardId);
    /// The shard is somebody else's, or nobody's.
    async fn lost(&self, shard: ShardId);
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The lease store gave this node no incarnation.
    #[error("the lease store does not answer within {0:?}")]
    Store(Duration),
    /// Two registrations under one name.
    #[error("{0} is registered twice")]
    Twice(String),
    /// An actor did not start.
    #[error("cannot start an actor: {0}")]
    Spawn(String),
}

/// What operators and `/readyz` ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether this node answers commands for every shard that it should own.
    pub ready: bool,
    /// Whether its lease holds now (rule 1).
    pub holds: bool,
    /// Shards whose entities answer here.
    pub shards: usize,
    /// Entities activated here.
    pub entities: usize,
    /// It is shutting down.
    pub stopping: bool,
    /// Why it is not ready, for people.
    pub reason: Option<String>,
}

/// How long a start waits for its incarnation.
const START: Duration = Duration::from_secs(10);
/// How often a start looks whether it has one.
const LOOK: Duration = Duration::from_millis(5);

/// Puts a node together.
pub struct Builder {
    parts: Parts,
    listeners: Vec<Arc<dyn ShardListener>>,
    twice: Option<String>,
}

impl Builder {
    /// A node with the local transport and membership.
    pub fn new(config: Config, ports: Ports, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        let membership = Arc::new(LocalMembership::new(NodeId::new(&config.node), &config.region));
        let transport = Arc::new(LocalTransport::default());
        let (kinds, services) = (HashMap::new(), HashMap::new());
        let parts = Parts {
            config,
            ports,
            clock,
            metrics,
            kinds,
            services,
            transport,
            membership,
        };
        Self {
            parts,
            listeners: vec![],
            twice: None,
        }
    }

    /// Registers an entity type and what runs its effects.
    #[must_use]
    pub fn entity<E: Entity>(mut self, effects: Arc<dyn Effects<E>>) -> Self {
        let kind = Arc::new(entity::Registered(effects));
        if self.parts.kinds.insert(Kind::new(E::KIND), kind).is_some() {
            self.twice = Some(format!("entity kind {}", E::KIND));
        }
        self
    }

    /// Registers a service of this node.
    #[must_use]
    pub fn service(mut self, name: &str, service: Arc<dyn Service>) -> Self {
        if self.parts.services.insert(name.to_owned(), service).is_some() {
            self.twice = Some(format!("service {name}"));
        }
        self
    }

    /// Adds somebody who is told about shards.
    #[must_use]
    pub fn on_shard(mut self, listener: Arc<dyn ShardListener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Replaces transport and membership.
    #[must_use]
    pub fn network(mut self, transport: Arc<dyn Transport>, membership: Arc<dyn Membership>) -> Self {
        self.parts.transport = transport;
        self.parts.membership = membership;
        self
    }

    /// Starts the node and waits until its lease holds; shards come by themselves, see [`Cluster::ready`].
    ///
    /// # Errors
    /// The configuration or the store is wrong.
    pub async fn start(self) -> Result<Cluster, StartError> {
        self.parts.config.check()?;
        if let Some(name) = self.twice {
            return Err(StartError::Twice(name));
        }
        let shared = Arc::new(Shared::new(self.parts));
        shared
            .transport
            .bind(shared.node.clone(), Arc::new(Answering(shared.clone())));
        let (told, telling) = mpsc::unbounded_channel();
        tokio::spawn(tell(telling, self.listeners));
        let arguments = supervisor::Arguments {
            shared: shared.clone(),
            listeners: told,
        };
        let root = Actor::spawn(None, supervisor::Shell, arguments).await;
        let (root, task) = root.map_err(|e| StartError::Spawn(e.to_string()))?;
        let watched = shared.clone();
        tokio::spawn(async move {
            let _ended = task.await;
            watched.end("the node's root actor ended");
        });
        let cluster = Cluster { shared, root };
        let held = tokio::time::timeout(START, async {
            while !cluster.status().holds {
                tokio::time::sleep(LOOK).await;
            }
        });
        if held.await.is_err() {
            cluster.root.stop(None);
            return Err(StartError::Store(START));
        }
        Ok(cluster)
    }
}

/// Tells listeners in the order of what happened; a slow one delays the others, never the node.
async fn tell(mut told: mpsc::UnboundedReceiver<Told>, listeners: Vec<Arc<dyn ShardListener>>) {
    while let Some(told) = told.recv().await {
        for listener in &listeners {
            match told {
                Told::Taken(shard) => listener.taken(shard).await,
                Told::Lost(shard) => listener.lost(shard).await,
            }
        }
    }
}

/// A cheap handle to the cluster, from this node.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
    root: ActorRef<supervisor::Msg>,
}

impl Cluster {
    /// Asks the entity of type `E` with that key, wherever it is.
    ///
    /// # Errors
    /// The domain's refusal, or why there was no answer.
    pub async fn ask<E: Entity>(
        &self,
        key: &str,
        command: E::Command,
        call: Call,
    ) -> Result<E::Reply, AskError<E::Refusal>> {
        let command = Command {
            id: EntityId::of::<E>(key),
            bytes: wire::encode(&command),
            request: call.request,
            source: None,
            trace: call.trace,
            deadline: call.deadline,
        };
        dispatch::ask(&self.shared, command).await.into_result::<E>()
    }

    /// Asks a service of a certain node.
    ///
    /// # Errors
    /// Why there was no answer; a service's own `Failed` is `Unavailable`.
    pub async fn ask_at(
        &self,
        node: &NodeId,
        service: &str,
        payload: Vec<u8>,
        call: Call,
    ) -> Result<Vec<u8>, AskError<Infallible>> {
        let name = service.to_owned();
        let body = Body::Service {
            name,
            payload,
            request: call.request,
            trace: call.trace,
        };
        let outcome = match self
            .shared
            .transport
            .call(node, body.request(call.deadline))
            .await
        {
            Ok(response) => envelope::outcome(&response),
            Err(TransportError::TimedOut) => Outcome::TimedOut,
            Err(error @ TransportError::Unreachable(_)) => Outcome::unavailable(error.to_string()),
        };
        match outcome {
            Outcome::Done(answer) => Ok(answer),
            other => Err(other.into_error()),
        }
    }

    /// One-way, best effort, bounded; for broadcasts.
    pub fn cast_at(&self, node: &NodeId, service: &str, payload: Vec<u8>) {
        let (name, trace) = (service.to_owned(), crate::call::Trace::default());
        let body = Body::Service {
            name,
            payload,
            request: None,
            trace,
        };
        self.shared.transport.cast(node, body.seal());
    }

    /// This node.
    pub fn node(&self) -> &NodeId {
        &self.shared.node
    }

    /// All living members.
    pub fn nodes(&self) -> Vec<Member> {
        let load = self.shared.entities.load(Ordering::Relaxed) as u64;
        let draining = self.shared.is_stopping();
        let mut members = self.shared.membership.members();
        for member in members.iter_mut().filter(|m| m.node == self.shared.node) {
            member.load = load;
            member.draining = draining;
        }
        members
    }

    /// How this node is.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let holds = shared.holds();
        let stopping = shared.is_stopping();
        let members = shared.membership.members();
        let mine = |s: &ShardId| preferred(*s, &members) == Some(&shared.node);
        let missing = ShardId::all()
            .filter(mine)
            .filter(|s| shared.route(*s).is_none())
            .count();
        let ended = shared.ended.borrow().clone();
        let reason = match (ended, stopping, holds, missing) {
            (Some(reason), ..) => Some(format!("ended: {reason}")),
            (_, true, ..) => Some("stopping".to_owned()),
            (_, _, false, _) => Some("the node's lease does not hold; is the store up?".to_owned()),
            (_, _, _, 0) => None,
            _ => Some(format!("{missing} shards are still being taken")),
        };
        Status {
            ready: reason.is_none(),
            holds,
            shards: shared.open_shards(),
            entities: shared.entities.load(Ordering::Relaxed),
            stopping,
            reason,
        }
    }

    /// Waits until the node is ready, or has ended: true if it is ready.
    pub async fn ready(&self) -> bool {
        loop {
            if self.status().ready {
                return true;
            }
            if self.shared.ended.borrow().is_some() {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the node has ended, by shutdown or because it must, and says why. Whoever runs it should exit: a
    /// process whose renewal is refused ends (rule 1).
    pub async fn ended(&self) -> String {
        let mut ended = self.shared.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await;
        reason.ok().and_then(|r| r.clone()).unwrap_or_default()
    }

    /// Drains: takes nothing new, finishes what is under way, releases the lease. What still runs after `drain_ms` is
    /// dropped; it returns at the latest after that and two store time-outs more, for the release to be written.
    pub async fn shutdown(self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let _gone = self.root.cast(supervisor::Msg::Drain);
        let limit = self.shared.config.shutdown_limit();
        if tokio::time::timeout(limit, self.ended()).await.is_err() {
            self.root.stop(None);
        }
    }
}
