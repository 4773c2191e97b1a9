//! The store of many nodes: a CQL cluster.
//!
//! Every port of `mitalk_cluster::store` and the read side of `mitalk_actors::ports` on the tables of
//! `migrations/`, where the rules of their partitions are written down. The statements of a port stand with the port.
//!
//! Invariants:
//! - one conditional batch per commit, of one partition: row and outbox change together or not at all (rule 5);
//! - LOCAL_QUORUM and LOCAL_SERIAL everywhere, never mixed with others on the same rows;
//! - no write is ever repeated by the driver: what is unknown is said to be, and settled by the caller (see `fault`);
//!   reads are idempotent and may go to another node, also while the first one has not answered;
//! - calls under way are bounded, and so are those that wait; beyond that they are refused at once. What keeps the node's
//!   lease and its shards goes its own way (see `places`).
//!
//! Deliberately missing: counters (a time-out leaves them wrong for ever), secondary indexes, materialised views and
//! logged batches. None of them is needed, and each differs between servers.

mod allow_list;
mod bind;
mod call;
mod config;
mod connect;
mod entity;
mod fault;
mod follow;
mod identity;
mod lease;
mod ledger;
mod metrics;
mod people;
mod places;
mod read;
mod reads;
mod rooms;
mod schema;
mod shut_out;
mod slice;
mod statements;
mod tables;
mod timer;

use std::sync::Arc;

pub use config::Config;
pub use connect::OpenError;
pub use metrics::Metrics;
pub use schema::{Planned, SCHEMA, migrate, plan};

use call::Client;
use statements::Statements;

/// A handle to the cluster; every store port is implemented on it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    client: Client,
    statements: Arc<Statements>,
    turns: Arc<follow::Turns>,
}

impl Store {
    /// Connects, and checks that the keyspace is at the schema of this release.
    ///
    /// # Errors
    /// See [`OpenError`]: not reachable, no keyspace, another schema, a file that cannot be read.
    pub async fn open(config: &Config, metrics: Metrics) -> Result<Self, OpenError> {
        let session = connect::session(config).await?;
        schema::check(config, &session).await?;
        let client = Client::new(session, config, metrics);
        let statements = Box::pin(Statements::prepare(&client)).await?;
        Ok(Self {
            client,
            statements: Arc::new(statements),
            turns: Arc::default(),
        })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("scylla::Store").finish_non_exhaustive()
    }
}
