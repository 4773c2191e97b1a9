//! Budgets: so much for each key in each window of time. One-time codes have them, against pumping of text messages, per
//! address and hour, per block of numbers and day, and of all together per day (that per number is the `Phone` entity's);
//! people have them for opening rooms and for taking their data along.
//!
//! Each node counts for itself, in memory: after a restart everybody has a fresh budget. Addresses count as
//! [`network_of`](crate::caller::network_of) says.

use mitalk_cluster::BootInstant;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The window of addresses, and of rooms.
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
/// The window of blocks, of all codes, and of archives of people's data.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys counted at once; above it, those whose window is over are forgotten, and if that is not enough all new ones share
/// one budget: so many addresses are an attack, which must neither empty the till nor shut the door.
const KEYS: usize = 100_000;
/// What new keys share then, in budgets of one key.
const SHARED_FACTOR: u32 = 100;
/// While there is no room for a new key, those to forget are looked for every so many new ones: a look goes over all of them,
/// under the lock that everybody waits for.
const LOOK_EVERY: u64 = 1_024;

/// So much for each key in each window of time.
pub(crate) struct Budget<K> {
    window: Duration,
    counts: Mutex<Counts<K>>,
}

struct Counts<K> {
    each: HashMap<K, Window>,
    shared: Option<Window>,
    turned_away: u64,
}

#[derive(Clone, Copy)]
struct Window {
    since: BootInstant,
    spent: u32,
}

/// What was taken and where from, to be given back if it was for nothing.
#[must_use = "give it back if what it was taken for does not happen"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The window's beginning: one that is over has nothing to get back.
    since: BootInstant,
    shared: bool,
}

impl<K: Hash + Eq> Budget<K> {
    pub(crate) fn new(window: Duration) -> Self {
        let counts = Counts {
            each: HashMap::new(),
            shared: None,
            turned_away: 0,
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
    pub(crate) fn spend(&self, key: K, most: u32, now: BootInstant) -> Result<Taken, Duration> {
        let counts = &mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Window { since: now, spent: 0 };
        if counts.has_room_for(&key, self.window, now) {
            let window = counts.each.entry(key).or_insert(fresh);
            return window.spend(self.window, most, now, false);
        }
        let most = most.saturating_mul(SHARED_FACTOR);
        let window = counts.shared.get_or_insert(fresh);
        window.spend(self.window, most, now, true)
    }

    /// Gives back what [`spend`](Self::spend) took for this key.
    pub(crate) fn give_back(&self, key: &K, taken: Taken) {
        let counts = &mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let window = if taken.shared {
            counts.shared.as_mut()
        } else {
            counts.each.get_mut(key)
        };
        if let Some(window) = window.filter(|window| window.since == taken.since) {
            window.spent = window.spent.saturating_sub(1);
        }
    }
}

impl<K: Hash + Eq> Counts<K> {
    fn has_room_for(&mut self, key: &K, length: Duration, now: BootInstant) -> bool {
        if self.each.len() < KEYS || self.each.contains_key(key) {
            return true;
        }
        let look = self.turned_away.is_multiple_of(LOOK_EVERY);
        self.turned_away = self.turned_away.wrapping_add(1);
        if look {
            self.each.retain(|_, window| now.since(window.since) < length);
        }
        self.each.len() < KEYS
    }
}

impl Window {
    fn spend(
        &mut self,
        length: Duration,
        most: u32,
        now: BootInstant,
        shared: bool,
    ) -> Result<Taken, Duration> {
        if now.since(self.since) >= length {
            *self = Self { since: now, spent: 0 };
        }
        if self.spent >= most {
            return Err(length.saturating_sub(now.since(self.since)));
        }
        self.spent += 1;
        let since = self.since;
        Ok(Taken { since, shared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_comes_back_when_its_window_is_over() {
        let budget = Budget::new(HOUR);
        let start = BootInstant(7);
        assert!(budget.spend("a", 2, start).is_ok());
        assert!(budget.spend("a", 2, start).is_ok());
        assert_eq!(budget.spend("a", 2, start), Err(HOUR));
        assert!(budget.spend("b", 2, start).is_ok());
        assert!(budget.spend("a", 2, start + HOUR).is_ok());
    }

    #[test]
    fn what_was_for_nothing_is_given_back_to_its_own_window() {
        let budget = Budget::new(HOUR);
        let start = BootInstant(7);
        let first = budget.spend("a", 1, start).unwrap();
        budget.give_back(&"a", first);
        let second = budget.spend("a", 1, start).unwrap();
        assert_eq!(budget.spend("a", 1, start), Err(HOUR), "given back once");
        assert!(budget.spend("a", 1, start + HOUR).is_ok());
        budget.give_back(&"a", second);
        assert!(budget.spend("a", 1, start + HOUR).is_err(), "that window is over");
    }

    #[test]
    fn a_flood_of_keys_does_not_shut_the_door() {
        let budget = Budget::new(HOUR);
        let start = BootInstant(0);
        for key in 0..KEYS {
            assert!(budget.spend(key, 2, start).is_ok());
        }
        let served = (KEYS..)
            .take_while(|key| budget.spend(*key, 2, start).is_ok())
            .count();
        assert_eq!(
            served,
            2 * SHARED_FACTOR as usize,
            "new ones share a budget, which ends"
        );
        assert!(budget.spend(0, 2, start).is_ok(), "known ones have their own");
        let later = start + HOUR;
        assert!(budget.spend(usize::MAX, 2, later).is_ok());
        let room = (0..LOOK_EVERY).find(|_| {
            let newcomer = budget.spend(usize::MAX - 1, 2, later);
            newcomer.is_ok_and(|taken| !taken.shared)
        });
        assert!(room.is_some(), "who came long ago is forgotten after a while");
    }
}
