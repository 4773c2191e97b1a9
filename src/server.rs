//! A listener: HTTP/1.1 on accepted sockets, bounded in all and per address, without Nagle's delay, and with an end.
//!
//! A connection keeps its place until its stream ends, also when it became a WebSocket; what a stream may take up meanwhile
//! is bounded there too (`stream`).
//!
//! `axum::serve` has no bound on connections, no limit on slow heads and no bound on its shutdown, hence this loop. An
//! answer written in two pieces without TCP_NODELAY costs 40 ms (measured, once per join).

mod guests;
mod stream;

use crate::config::Network;
use axum::Router;
use axum::extract::Request;
use guests::Guests;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// A head must have arrived within so long, also the first byte of the next one on a kept connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// After a failed accept (usually: no file descriptors left) the next try comes so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The other end of the connection that a request came by.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Default for Peer {
    fn default() -> Self {
        Self(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))
    }
}

/// How many connections a listener holds.
#[derive(Clone, Debug)]
pub struct Connections {
    /// In all; further ones wait in the system's queue.
    pub most: usize,
    /// Of one address, or of its /64; further ones are closed.
    pub most_per_address: usize,
    /// Proxies, which may have all there are.
    pub proxies: Vec<Network>,
}

/// A listener that is bound and not yet served.
pub struct Server {
    listener: TcpListener,
    name: &'static str,
    connections: Connections,
}

impl Server {
    /// Binds; clients that connect from now on wait until it is served. `name` is for logs.
    ///
    /// # Errors
    /// The system's, for example that the port is busy.
    pub async fn bind(name: &'static str, address: SocketAddr, connections: Connections) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            listener,
            name,
            connections,
        })
    }

    /// The address in fact listened on.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets requests under way finish; dropping it cuts them.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let permits = Arc::new(Semaphore::new(self.connections.most));
        let guests = Guests::new(self.connections.most_per_address, self.connections.proxies);
        loop {
            let permit = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                permit = permits.clone().acquire_owned() => permit.expect("this semaphore is never closed"),
            };
            let (stream, peer) = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(listener = self.name, %error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Some(guest) = guests.admit(peer.ip()) else {
                tracing::debug!(
                    listener = self.name,
                    "an address has all the connections it may have"
                );
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot switch TCP_NODELAY on");
            }
            let stream = Stream::new(stream, guests.is_unlimited(peer.ip()), (permit, guest));
            connections.spawn(connection(stream, peer, router.clone(), stop.clone()));
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

/// Serves one connection until it ends; after `stop` it ends with the answer under way.
async fn connection<P: Send + Unpin + 'static>(
    stream: Stream<P>,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
) {
    let service = router.map_request(move |request: axum::http::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = pin!(connection);
    // Errors are peers that go away in the middle: everyday life.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
