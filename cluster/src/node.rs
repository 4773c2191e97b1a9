//! The node: everything of this crate, started and stopped together.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;

use crate::call::{AskError, Call};
use crate::entity::{Effects, Entity};
use crate::id::{NodeId, ShardId};
use crate::membership::{Member, Membership};
use crate::metrics::Metrics;
use crate::store::{Ports, StoreError};
use crate::time::Clock;
use crate::transport::Transport;

mod config;

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

/// Is told which shards this node takes and loses.
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
    /// The store does not answer.
    #[error("the lease store does not answer: {0}")]
    Store(#[from] StoreError),
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
    /// Shards it runs.
    pub shards: usize,
    /// Entities activated here.
    pub entities: usize,
    /// It is shutting down.
    pub stopping: bool,
    /// Why it is not ready, for people.
    pub reason: Option<String>,
}

/// Puts a node together.
pub struct Builder {}

impl Builder {
    /// A node with the local transport and membership.
    pub fn new(_config: Config, _ports: Ports, _clock: Arc<dyn Clock>, _metrics: Metrics) -> Self {
        unimplemented!()
    }

    /// Registers an entity type and what runs its effects.
    #[must_use]
    pub fn entity<E: Entity>(self, _effects: Arc<dyn Effects<E>>) -> Self {
        unimplemented!()
    }

    /// Registers a service of this node.
    #[must_use]
    pub fn service(self, _name: &str, _service: Arc<dyn Service>) -> Self {
        unimplemented!()
    }

    /// Adds somebody who is told about shards.
    #[must_use]
    pub fn on_shard(self, _listener: Arc<dyn ShardListener>) -> Self {
        unimplemented!()
    }

    /// Replaces transport and membership.
    #[must_use]
    pub fn network(self, _transport: Arc<dyn Transport>, _membership: Arc<dyn Membership>) -> Self {
        unimplemented!()
    }

    /// Starts the node and waits until it has its incarnation; shards come by themselves.
    ///
    /// # Errors
    /// The configuration or the store is wrong.
    pub async fn start(self) -> Result<Cluster, StartError> {
        unimplemented!()
    }
}

/// A cheap handle to the cluster, from this node.
#[derive(Clone)]
pub struct Cluster {}

impl Cluster {
    /// Asks the entity of type `E` with that key, wherever it is.
    ///
    /// # Errors
    /// The domain's refusal, or why there was no answer.
    pub async fn ask<E: Entity>(
        &self,
        _key: &str,
        _command: E::Command,
        _call: Call,
    ) -> Result<E::Reply, AskError<E::Refusal>> {
        unimplemented!()
    }

    /// Asks a service of a certain node.
    ///
    /// # Errors
    /// Why there was no answer; a service's own `Failed` is `Unavailable`.
    pub async fn ask_at(
        &self,
        _node: &NodeId,
        _service: &str,
        _payload: Vec<u8>,
        _call: Call,
    ) -> Result<Vec<u8>, AskError<Infallible>> {
        unimplemented!()
    }

    /// One-way, best effort, bounded; for broadcasts.
    pub fn cast_at(&self, _node: &NodeId, _service: &str, _payload: Vec<u8>) {
        unimplemented!()
    }

    /// This node.
    pub fn node(&self) -> &NodeId {
        unimplemented!()
    }

    /// All living members.
    pub fn nodes(&self) -> Vec<Member> {
        unimplemented!()
    }

    /// How this node is.
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// Drains: takes nothing new, finishes what is under way, releases the lease.
    pub async fn shutdown(self) {
        unimplemented!()
    }
}
