//! How often clients may ask. Per node: several nodes allow several times as much.

use super::Error;
use serde::{Deserialize, Serialize};

/// How often clients may ask. Over it they get 429 and are told when to come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Requests of one address per second, in the long run. Offices and mobile networks share addresses.
    pub per_address_rps: u32,
    /// Requests of one address at once.
    pub per_address_burst: u32,
    /// Requests of one account per second, in the long run.
    pub per_account_rps: u32,
    /// Requests of one account at once.
    pub per_account_burst: u32,
    /// Messages of one live socket per second, in the long run.
    pub per_socket_rps: u32,
    /// Messages of one live socket at once.
    pub per_socket_burst: u32,
    /// Addresses and accounts remembered at a time, about 100 bytes each; further ones share one allowance.
    pub remembered: usize,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            per_address_rps: 50,
            per_address_burst: 500,
            per_account_rps: 10,
            per_account_burst: 60,
            per_socket_rps: 5,
            per_socket_burst: 30,
            remembered: 100_000,
        }
    }
}

impl Rates {
    pub(super) fn validate(&self) -> Result<(), Error> {
        let all = [
            ("rates.per_address_rps", self.per_address_rps),
            ("rates.per_address_burst", self.per_address_burst),
            ("rates.per_account_rps", self.per_account_rps),
            ("rates.per_account_burst", self.per_account_burst),
            ("rates.per_socket_rps", self.per_socket_rps),
            ("rates.per_socket_burst", self.per_socket_burst),
        ];
        match all.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(Error::value(key, "must be at least 1, else nobody may ask")),
            None if self.remembered == 0 => Err(Error::value("rates.remembered", "must be at least 1")),
            None => Ok(()),
        }
    }
}
