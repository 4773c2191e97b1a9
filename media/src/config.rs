//! The engine's configuration and its checks.

use crate::StartError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

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
    /// Addresses that clients are told to send to: a NAT's or load balancer's outside. An address alone has the
    /// bound ports; `"203.0.113.7:30400"` has ports of its own, as NodePorts do, and thread `n` the port `n` above.
    /// Empty: the bound address, or, bound to all, those of the machine's outbound interfaces and loopback.
    pub announce: Vec<Announced>,
    /// Forwarding threads, one shard each. A room lives on one of them.
    pub threads: usize,
    /// Sessions this node holds; further joins are refused as full.
    pub max_sessions: usize,
}

/// An address that clients are told, written `"203.0.113.7"`, `"203.0.113.7:30400"`, `"2001:db8::7"` or
/// `"[2001:db8::7]:30400"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Announced {
    /// Where clients send to.
    pub ip: IpAddr,
    /// The outside's port for the first thread; `None` if it is the bound one.
    pub port: Option<u16>,
}

impl Announced {
    /// The port that clients of a thread are told, which is bound to this one.
    pub(crate) fn port(self, shard: usize, bound: u16) -> u16 {
        self.port
            .map_or(bound, |first| first.saturating_add(shard as u16))
    }
}

impl From<IpAddr> for Announced {
    fn from(ip: IpAddr) -> Self {
        Self { ip, port: None }
    }
}

impl FromStr for Announced {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        let with_port = |address: SocketAddr| Self {
            ip: address.ip(),
            port: Some(address.port()),
        };
        text.parse::<IpAddr>()
            .map(Self::from)
            .or_else(|error| text.parse().map(with_port).map_err(|_| error))
    }
}

impl TryFrom<String> for Announced {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let advice = |_| format!("{text:?} is no IP address, nor one with a port such as 203.0.113.7:30400");
        text.parse().map_err(advice)
    }
}

impl From<Announced> for String {
    fn from(announced: Announced) -> Self {
        announced.to_string()
    }
}

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
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
        for Announced { ip: address, port } in &self.announce {
            let last = port.map_or(1, |port| usize::from(port) + self.threads.max(1) - 1);
            if *port == Some(0) || last > usize::from(u16::MAX) {
                return wrong(
                    "announce",
                    "an announced port must not be 0, and leave room above it for one port per thread",
                );
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_announced_with_and_without_a_port() {
        for (text, ip, port) in [
            ("203.0.113.7", "203.0.113.7", None),
            ("203.0.113.7:30400", "203.0.113.7", Some(30400)),
            ("2001:db8::7", "2001:db8::7", None),
            ("[2001:db8::7]:30400", "2001:db8::7", Some(30400)),
        ] {
            let json = serde_json::to_string(text).unwrap();
            let announced: Announced = serde_json::from_str(&json).unwrap();
            assert_eq!((announced.ip, announced.port), (ip.parse().unwrap(), port));
            assert_eq!(serde_json::to_string(&announced).unwrap(), json);
        }
        let refused = serde_json::from_str::<Announced>("\"example.org:30400\"").unwrap_err();
        assert!(refused.to_string().contains("203.0.113.7:30400"), "{refused}");
    }

    #[test]
    fn each_thread_is_announced_with_its_own_port() {
        let announced: Announced = "203.0.113.7:30400".parse().unwrap();
        assert_eq!((announced.port(0, 7400), announced.port(2, 7402)), (30400, 30402));
        assert_eq!(Announced::from(announced.ip).port(2, 7402), 7402);
        for (port, threads, fits) in [(0, 1, false), (65_535, 1, true), (65_535, 2, false)] {
            let config = Config {
                announce: vec![Announced {
                    port: Some(port),
                    ..announced
                }],
                threads,
                ..Config::default()
            };
            assert_eq!(config.validate().is_ok(), fits, "{port} for {threads} threads");
        }
    }
}
