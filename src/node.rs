//! The composition root: one function that chooses adapters by configuration and starts everything in order, and one
//! that stops it.
//!
//! Start: listeners are bound (a busy port is found before anything else is touched), the store is opened and locked,
//! secrets are read, media, cluster and domain start, and then the listeners are served. Stop is the reverse: the node says
//! that it is not ready, so that whoever spreads the load looks elsewhere, sockets are told to move, requests under way finish, shards are handed over, media ends, and the store is closed last.
//!
//! Invariants: nothing outside this module names two layers at once; several nodes can live in one test process, so
//! nothing is global but the log.

mod events;
mod start;
mod stores;

pub use start::StartError;

use crate::api::Api;
use crate::events::kafka::Kafka;
use crate::ops::Operations;
use crate::server::Server;
use axum::Router;
use mitalk_actors::Mitalk;
use mitalk_media::Engine;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use stores::State;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Audio, operators and the store have so long to end, beyond what the domain may take, before the process ends anyway.
const STOP_MARGIN: Duration = Duration::from_secs(10);
/// An operator's request under way when everything else has stopped is waited for so long.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Something did not stop in time and was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not everything stopped within {0:?}, and the rest was given up; nothing acknowledged is lost")]
pub struct Unfinished(pub Duration);

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
    state: State,
    kafka: Option<Kafka>,
    /// What clients get to leave.
    drain: Duration,
    /// What the domain takes at most to hand over what it has.
    hand_over: Duration,
}

impl Node {
    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Waits until the node cannot go on, and says why: a process whose renewal is refused ends (rule 1 of the protocol).
    pub async fn ended(&self) -> String {
        self.mitalk.cluster().ended().await
    }

    /// Stops everything in order. Clients have the drain's time to leave, all together; the domain and the store have
    /// times of their own, which no client can use up.
    ///
    /// # Errors
    /// [`Unfinished`] if some of it was given up.
    pub async fn stop(self) -> Result<(), Unfinished> {
        self.operator.stopping();
        let until = Instant::now() + self.drain;
        self.api.drain(self.drain).await;
        self.app.stop(until).await;
        let limit = self.hand_over + STOP_MARGIN;
        let inside = async move {
            // Operators see to the end how far it is.
            self.mitalk.stop().await;
            if let Some(kafka) = self.kafka {
                kafka.close().await;
            }
            let engine = self.engine;
            // It joins its threads.
            let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
            self.operations.stop(Instant::now() + LAST_LOOK).await;
            self.state.close().await;
        };
        tokio::time::timeout(limit, inside)
            .await
            .map_err(|_| Unfinished(limit))
    }
}

/// A listener that is being served.
struct Served {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    fn start(server: Server, router: Router) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.serve(router, stop.clone()));
        Self { stop, task }
    }

    /// Lets requests under way finish, at the latest at `until`; what is not done then is cut.
    async fn stop(mut self, until: Instant) {
        self.stop.cancel();
        // Otherwise it can only have panicked, and the panic is in the log.
        if tokio::time::timeout_at(until, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
