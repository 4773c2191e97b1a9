//! A range of addresses, as `10.0.0.0/8` or a single address.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is of this range. An IPv4 address that came in IPv6's clothes counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Neither an address nor a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an address such as 10.0.0.7 nor a range such as 10.0.0.0/8")]
pub struct Invalid;

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let single = || {
            text.parse::<IpAddr>()
                .map(|address| address.to_canonical().into())
        };
        text.parse().or_else(|_| single()).map(Self).map_err(|_| Invalid)
    }
}

impl TryFrom<String> for Network {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_ranges() {
        for (network, inside, outside) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.0.0.0/8", "::ffff:10.9.9.9", "11.0.0.1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::1", "::1", "::2"),
        ] {
            let read: Network = network.parse().unwrap();
            assert_eq!(read.to_string(), network);
            assert!(read.contains(inside.parse().unwrap()), "{inside} is of {network}");
            assert!(
                !read.contains(outside.parse().unwrap()),
                "{outside} is not of {network}"
            );
        }
        for bad in ["", "proxy", "10.0.0.0/33", "10.0.0.0/8/8"] {
            assert_eq!(bad.parse::<Network>(), Err(Invalid), "{bad}");
        }
    }
}
