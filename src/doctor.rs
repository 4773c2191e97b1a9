//! `mitalk doctor`: looks at the configuration and at the machine, and says what is wrong and what to do.
//!
//! It changes nothing (a file that tries whether the data directory is writable is gone at once) and asks no other machines than
//! the clusters that state and events are to be in. Whether a NAT or firewall lets packets through cannot be seen from inside:
//! where that matters, it says what to check.

mod clock;
mod cql;
mod http;
mod kafka;
mod media;
mod push;
mod sms;
mod storage;

use crate::config::Config;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// Works, and will surprise somebody.
    Warning,
    /// The service will not start, or people will not hear each other.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was seen.
    pub what: String,
    /// What to do about it; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    fn fine(what: impl Into<String>) -> Self {
        Self {
            level: Level::Fine,
            what: what.into(),
            advice: String::new(),
        }
    }

    fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            what: what.into(),
            advice: advice.into(),
        }
    }

    fn error(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            what: what.into(),
            advice: advice.into(),
        }
    }
}

/// Looks at everything.
pub fn examine(config: &Config) -> Vec<Finding> {
    let running = storage::is_running(config);
    let mut findings = storage::examine(config);
    findings.extend(cql::examine(config));
    findings.extend(kafka::examine(config));
    findings.extend(http::examine(config, running));
    findings.extend(sms::examine(config));
    findings.extend(media::examine(config, running));
    findings.extend(push::examine(config));
    findings.extend(clock::examine(config));
    findings
}

/// Whether this machine has the address: only then a socket can be bound to it.
fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// Whether only this machine and its own network can reach the address.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared(v4.octets()),
        // Unique local (fc00::/7) and link local (fe80::/10).
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.segments()[0] & 0xfe00 == 0xfc00 || v6.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

/// RFC 6598, 100.64.0.0/10: the inside of a provider's NAT.
fn is_shared(octets: [u8; 4]) -> bool {
    octets[0] == 100 && octets[1] & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_addresses_stay_inside() {
        for inside in [
            "10.1.2.3",
            "192.168.0.1",
            "127.0.0.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
        ] {
            assert!(is_private(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(outside.parse().unwrap()), "{outside}");
        }
        assert!(is_ours("127.0.0.1".parse().unwrap()));
        assert!(!is_ours("192.0.2.1".parse().unwrap()));
    }
}
