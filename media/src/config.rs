//! The engine's configuration and its checks.

use crate::StartError;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The UDP port where clients send audio unless configured otherwise.
pub(crate) const DEFAULT_PORT: u16 = 7400;
/// Sessions one node holds unless configured otherwise: up to 90 KiB each, so about 900 MiB.
const DEFAULT_MAX_SESSIONS: usize = 10_000;
/// More threads than any machine has cores is a typing error.
const MAX_THREADS: usize = 256;

/// Configuration of the media engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Local UDP addresses, at most one of IPv4 and one of IPv6. With several threads, thread `n` takes
    /// the port `n` above; port 0 lets the system choose.
    pub bind: Vec<SocketAddr>,
    /// Addresses that clients are told to send to: a NAT's or load balancer's outside, with the ports
    /// unchanged. Empty: the bound address, or, bound to all, those of the machine's outbound
    /// interfaces and loopback.
    pub announce: Vec<IpAddr>,
    /// Forwarding threads, one shard each. A room lives on one of them.
    pub threads: usize,
    /// Sessions this node holds; further joins are refused as full.
    pub max_sessions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: vec![SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), DEFAULT_PORT)],
            announce: Vec::new(),
            threads: 1,
            max_sessions: DEFAULT_MAX_SESSIONS,
        }
    }
}

impl Config {
    /// Checks what can be checked without opening a socket.
    ///
    /// # Errors
    /// [`StartError::Config`] names the field and says what to do.
    pub fn validate(&self) -> Result<(), StartError> {
        let wrong = |field, what: &str| {
            Err(StartError::Config {
                field,
                what: what.to_owned(),
            })
        };
        let families = |v4: bool| self.bind.iter().filter(|a| a.is_ipv4() == v4).count();
        if self.bind.is_empty() || families(true) > 1 || families(false) > 1 {
            return wrong("bind", "give one IPv4 address, one IPv6 address, or one of each");
        }
        for address in &self.announce {
            if address.is_unspecified() || address.is_multicast() {
                return wrong(
                    "announce",
                    "give addresses that clients can send to, not a wildcard or multicast",
                );
            }
            if families(address.is_ipv4()) == 0 {
                return wrong(
                    "announce",
                    "an announced address needs a bound address of the same IP version",
                );
            }
        }
        if self.threads == 0 || self.threads > MAX_THREADS {
            return wrong(
                "threads",
                "give at least 1 and not more than the machine has cores",
            );
        }
        if self
            .bind
            .iter()
            .any(|a| usize::from(a.port()) + self.threads - 1 > usize::from(u16::MAX))
        {
            return wrong(
                "bind",
                "the port must leave room above it for one port per thread",
            );
        }
        if self.max_sessions == 0 {
            return wrong("max_sessions", "give at least 1");
        }
        Ok(())
    }
}
