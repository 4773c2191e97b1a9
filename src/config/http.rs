//! The application's listener.

use super::{Error, Network};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Longer than this no handler may take: clients and proxies in between give up as well.
const MAX_REQUEST_TIMEOUT_MS: u64 = 60_000;
/// With less, sockets would close between two pings.
const MIN_LIVE_IDLE_MS: u64 = 300;

/// The application's listener: API, live sockets and web app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port. TLS ends in front of it; browsers give the microphone only to `https://` and to localhost.
    pub listen: SocketAddr,
    /// The URL that people open, without a slash at the end, such as `https://talk.example.org`; empty: the address
    /// listened on. It stands in the banner and is the origin that live sockets may come from.
    pub public_url: String,
    /// Further origins that may open live sockets, such as `http://localhost:5173` of a development server. The host
    /// that was asked is always one.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed, by address or range (`10.0.0.7`, `10.0.0.0/8`). Empty: the peer's own
    /// address counts, so behind a proxy all people would be one address to every limit.
    pub trusted_proxies: Vec<Network>,
    /// Requests get an answer within so long, or 504.
    pub request_timeout_ms: u64,
    /// A live socket from which nothing came for so long, not even an answer to a ping, is closed. The server pings three
    /// times as often.
    pub live_idle_ms: u64,
    /// Connections at a time, live sockets included; further ones wait in the system's queue.
    pub max_connections: usize,
    /// Connections of one address (IPv6: of its /64) at a time; further ones are closed. Trusted proxies may have all.
    /// Offices and mobile networks share addresses.
    pub max_connections_per_address: usize,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080),
            public_url: String::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            request_timeout_ms: 10_000,
            live_idle_ms: 60_000,
            max_connections: 10_000,
            max_connections_per_address: 2_000,
            max_body_bytes: 64 * 1024,
        }
    }
}

impl Http {
    pub(super) fn validate(&self) -> Result<(), Error> {
        if !self.public_url.is_empty() && !is_origin(&self.public_url) {
            return Err(Error::value(
                "http.public_url",
                "must look like https://talk.example.org, without a path or a slash at the end",
            ));
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(Error::value(
                "http.allowed_origins",
                format!("has `{origin}`; write scheme, host and port only, such as http://localhost:5173"),
            ));
        }
        if self.request_timeout_ms == 0 || self.request_timeout_ms > MAX_REQUEST_TIMEOUT_MS {
            return Err(Error::value(
                "http.request_timeout_ms",
                format!("must be between 1 and {MAX_REQUEST_TIMEOUT_MS}"),
            ));
        }
        if self.live_idle_ms < MIN_LIVE_IDLE_MS {
            return Err(Error::value(
                "http.live_idle_ms",
                format!(
                    "must be at least {MIN_LIVE_IDLE_MS}: a phone's network takes that long to answer a ping"
                ),
            ));
        }
        for (key, value) in [
            ("http.max_connections", self.max_connections),
            (
                "http.max_connections_per_address",
                self.max_connections_per_address,
            ),
        ] {
            if value == 0 {
                return Err(Error::value(key, "must be at least 1"));
            }
        }
        if self.max_body_bytes < mitalk_actors::Limits::default().rooms.sdp_bytes {
            return Err(Error::value(
                "http.max_body_bytes",
                "is too small for an SDP offer: give at least 32768",
            ));
        }
        Ok(())
    }

    /// [`Http::live_idle_ms`].
    pub fn live_idle(&self) -> Duration {
        Duration::from_millis(self.live_idle_ms)
    }

    /// What people open: [`Http::public_url`], or the address in fact listened on.
    pub fn url(&self, listening: SocketAddr) -> String {
        if self.public_url.is_empty() {
            format!("http://{listening}")
        } else {
            self.public_url.clone()
        }
    }
}

fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ', '@']))
}
