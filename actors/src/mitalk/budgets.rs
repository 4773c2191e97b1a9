//! Budgets of one-time codes, against pumping of text messages: per address and hour, per block of numbers and day, and of
//! all together per day. That per number is the `Phone` entity's.
//!
//! Each node counts for itself, in memory: after a restart everybody has a fresh budget. Addresses count as
//! [`network_of`](crate::caller::network_of) says.

use mitalk_cluster::BootInstant;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The window of addresses.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
/// The window of blocks, and of all codes.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys counted at once; above it, those whose window is over are forgotten, and if that is not enough all new ones share
/// one budget: so many addresses are an attack, which must neither empty the till nor shut the door.
const KEYS: usize = 100_000;
/// What new keys share then, in budgets of one key.
const SHARED_FACTOR: u32 = 100;

/// So much for each key in each window of time.
pub(super) struct Budget<K> {
    window: Duration,
    counts: Mutex<Counts<K>>,
}

struct Counts<K> {
    each: HashMap<K, Window>,
    shared: Option<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    since: BootInstant,
    spent: u32,
}

impl<K: Hash + Eq> Budget<K> {
    pub(super) fn new(window: Duration) -> Self {
        let counts = Counts {
            each: HashMap::new(),
            shared: None,
        };
        Self {
            window,
            counts: Mutex::new(counts),
        }
    }

    /// Takes one from the key's budget.
    ///
    /// # Errors
    /// How long until it has one again.
    pub(super) fn spend(&self, key: K, most: u32, now: BootInstant) -> Result<(), Duration> {
        let Counts { each, shared } = &mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Window { since: now, spent: 0 };
        if each.len() >= KEYS && !each.contains_key(&key) {
            each.retain(|_, window| now.since(window.since) < self.window);
            if each.len() >= KEYS {
                let most = most.saturating_mul(SHARED_FACTOR);
                return shared.get_or_insert(fresh).spend(self.window, most, now);
            }
        }
        each.entry(key).or_insert(fresh).spend(self.window, most, now)
    }
}

impl Window {
    fn spend(&mut self, length: Duration, most: u32, now: BootInstant) -> Result<(), Duration> {
        if now.since(self.since) >= length {
            *self = Self { since: now, spent: 0 };
        }
        if self.spent >= most {
            return Err(length.saturating_sub(now.since(self.since)));
        }
        self.spent += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_comes_back_when_its_window_is_over() {
        let budget = Budget::new(HOUR);
        let start = BootInstant(7);
        assert_eq!(budget.spend("a", 2, start), Ok(()));
        assert_eq!(budget.spend("a", 2, start), Ok(()));
        assert_eq!(budget.spend("a", 2, start), Err(HOUR));
        assert_eq!(budget.spend("b", 2, start), Ok(()));
        assert_eq!(budget.spend("a", 2, start + HOUR), Ok(()));
    }

    #[test]
    fn a_flood_of_keys_does_not_shut_the_door() {
        let budget = Budget::new(HOUR);
        let start = BootInstant(0);
        for key in 0..KEYS {
            assert_eq!(budget.spend(key, 2, start), Ok(()));
        }
        let served = (KEYS..)
            .take_while(|key| budget.spend(*key, 2, start).is_ok())
            .count();
        assert_eq!(
            served,
            2 * SHARED_FACTOR as usize,
            "new ones share a budget, which ends"
        );
        assert_eq!(budget.spend(0, 2, start), Ok(()), "known ones have their own");
        assert_eq!(budget.spend(usize::MAX, 2, start + HOUR), Ok(()));
    }
}
