//! How many connections one address has.
//!
//! Without this the first one who opens `http.max_connections` of them, from one machine and without sending a byte,
//! shuts everybody else out.

use crate::config::Network;
use mitalk_actors::caller::network_of;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections by [`network_of`] their address. Bounded by the listener's connections.
#[derive(Debug)]
pub(super) struct Guests {
    most: usize,
    /// Proxies carry other people's connections: they may have all there are.
    unlimited: Vec<Network>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    guests: Arc<Guests>,
    network: IpAddr,
}

impl Guests {
    pub(super) fn new(most: usize, unlimited: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            most,
            unlimited,
            open: Mutex::default(),
        })
    }

    /// Takes one more of this address, if it may have one.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let network = network_of(address);
        let mut open = self.lock();
        let count = open.entry(network).or_default();
        if *count >= self.most && !self.is_unlimited(address) {
            return None;
        }
        *count += 1;
        Some(Guest {
            guests: self.clone(),
            network,
        })
    }

    /// Whether the address is a proxy's.
    pub(super) fn is_unlimited(&self, address: IpAddr) -> bool {
        self.unlimited.iter().any(|network| network.contains(address))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Each change below leaves the counts right, so a panic elsewhere while they were held does no harm.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut open = self.guests.lock();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_have_all_connections_and_a_proxy_can() {
        let guests = Guests::new(2, vec!["10.0.0.0/8".parse().unwrap()]);
        let admit = |text: &str| guests.admit(text.parse().unwrap());
        let (first, _second) = (admit("192.0.2.1"), admit("192.0.2.1"));
        assert!(first.is_some() && admit("192.0.2.1").is_none());
        let _other = admit("192.0.2.2").expect("another address has its own");
        drop(first);
        let _again = admit("192.0.2.1").expect("one went");

        let _neighbours = [admit("2001:db8::1"), admit("2001:db8::2")];
        assert!(admit("2001:db8::3").is_none(), "one customer's /64 counts as one");
        let proxied: Vec<_> = (0..5).map(|_| admit("10.0.0.9")).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop(proxied);
        drop((_second, _other, _again, _neighbours));
        assert!(guests.lock().is_empty(), "nothing is kept of those who went");
    }
}
