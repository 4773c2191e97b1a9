//! The composition root: one function that chooses adapters by configuration and starts everything in order, and one
//! that stops it.
//!
//! Start: listeners are bound (a busy port is found before anything else is touched), the store is opened and locked,
//! secrets are read, media, cluster and domain start, and then the listeners are served. Stop is the reverse: the node says
//! that it is not ready, so that whoever spreads the load looks elsewhere, sockets are told to move, requests under way finish, shards are handed over, media ends, and the store is closed last.
//!
//! Invariants: nothing outside this module names two layers at once; several nodes can live in one test process, so
//! nothing is global but the log.

mod start;

pub use start::StartError;

use crate::api::Api;
use crate::ops::Operations;
use crate::server::Server;
use crate::store::sqlite::Store;
use axum::Router;
use mitalk_actors::Mitalk;
use mitalk_media::Engine;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The drain's parts may take so much longer than configured, all together, before the process ends anyway.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The URL that people open.
    pub app: String,
    /// The operations listener's URL.
    pub operations: String,
    /// Where clients are told to send audio.
    pub media: Vec<SocketAddr>,
    /// The data directory.
    pub data: PathBuf,
}

/// A running node.
pub struct Node {
    addresses: Addresses,
    api: Api,
    mitalk: Mitalk,
    engine: Engine,
    app: Served,
    operator: Operations,
    operations: Served,
    store: Store,
    drain: Duration,
}

impl Node {
    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Stops everything in order. Whatever does not stop in time is given up.
    pub async fn stop(self) {
        let limit = self.drain + STOP_MARGIN;
        if tokio::time::timeout(limit, self.stop_in_order()).await.is_err() {
            tracing::error!(limit_s = limit.as_secs(), "not everything stopped in time");
        }
    }

    async fn stop_in_order(self) {
        self.operator.stopping();
        self.api.drain(self.drain).await;
        self.app.stop().await;
        // Operators see to the end how far it is.
        self.mitalk.stop().await;
        let engine = self.engine;
        // It joins its threads.
        let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
        self.operations.stop().await;
        // Tasks that were cut short may still have a handle: the file is closed under them.
        let store = self.store;
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}

/// A listener that is being served.
struct Served {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    fn start(server: Server, router: Router, drain: Duration) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.serve(router, stop.clone(), drain));
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        // It can only have panicked, and the panic is in the log.
        let _ = self.task.await;
    }
}
