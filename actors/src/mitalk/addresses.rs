//! The budget of one-time codes per address, against pumping of text messages.
//!
//! Each node counts for itself, in memory. IPv6 addresses count by their /64, which is what one customer has.

use mitalk_cluster::BootInstant;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Addresses counted at once; above it, those whose hour is over are forgotten, and if that is not enough nobody new is
/// served until an hour is over.
const ADDRESSES: usize = 100_000;

#[derive(Default)]
pub(super) struct Addresses(Mutex<HashMap<IpAddr, Window>>);

struct Window {
    since: BootInstant,
    spent: u32,
}

impl Addresses {
    /// Takes one from the address's budget.
    ///
    /// # Errors
    /// How long until it has one again.
    pub(super) fn spend(&self, address: IpAddr, most: u32, now: BootInstant) -> Result<(), Duration> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = counted(address);
        if windows.len() >= ADDRESSES && !windows.contains_key(&address) {
            windows.retain(|_, window| now.since(window.since) < HOUR);
            if windows.len() >= ADDRESSES {
                return Err(HOUR);
            }
        }
        let window = windows.entry(address).or_insert(Window { since: now, spent: 0 });
        if now.since(window.since) >= HOUR {
            *window = Window { since: now, spent: 0 };
        }
        if window.spent >= most {
            return Err(HOUR.saturating_sub(now.since(window.since)));
        }
        window.spent += 1;
        Ok(())
    }
}

fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_comes_back_after_an_hour() {
        let addresses = Addresses::default();
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let start = BootInstant(7);
        assert_eq!(addresses.spend(a, 2, start), Ok(()));
        assert_eq!(addresses.spend(a, 2, start), Ok(()));
        assert_eq!(addresses.spend(a, 2, start), Err(HOUR));
        assert_eq!(addresses.spend(b, 2, start), Ok(()));
        assert_eq!(addresses.spend(a, 2, start + HOUR), Ok(()));
    }

    #[test]
    fn neighbours_in_ipv6_share_one() {
        let addresses = Addresses::default();
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        assert_eq!(addresses.spend(a, 1, BootInstant(0)), Ok(()));
        assert!(addresses.spend(b, 1, BootInstant(0)).is_err());
    }
}
