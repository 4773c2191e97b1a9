//! Rate limits by key (address, account) in bounded memory.
//!
//! Each key has its own allowance (GCRA, by `governor`): a burst, refilled at a steady rate. Keys whose allowance is full
//! again are forgotten from time to time. While as many keys are in use as are remembered, those keep their own allowance
//! and all new ones share one: a flood from very many addresses costs newcomers, but neither memory nor those who were there.

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// While there is no room for a new key, idle ones are looked for every so many of its requests.
const LOOK_EVERY: u64 = 1_024;
/// The shared allowance of a crowded limiter is so many times that of one key.
const SHARED_FACTOR: u32 = 100;

type Keyed<K, C> = RateLimiter<K, Table<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;
type Shared<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limiter over keys. Checked by many threads at once.
pub struct Limiter<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    keyed: Keyed<K, C>,
    /// What `keyed` counts in.
    table: Table<K>,
    shared: Shared<C>,
    clock: C,
    remembered: usize,
    turned_away: AtomicU64,
}

/// The state of each key. One lock for all: it is held for a look-up and a subtraction.
#[derive(Clone)]
struct Table<K>(Arc<Mutex<HashMap<K, Nanos>>>);

impl<K> Table<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Nanos>> {
        // Each change below is one insertion or removal, so a panic elsewhere while it was held does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> StateStore for Table<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        match self.lock().entry(key.clone()) {
            Entry::Occupied(mut state) => {
                let (answer, new) = measure(Some(*state.get()))?;
                state.insert(new);
                Ok(answer)
            }
            Entry::Vacant(state) => {
                let (answer, new) = measure(None)?;
                state.insert(new);
                Ok(answer)
            }
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Table<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().retain(|_, state| *state > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Allows each key `per_second` in the long run and `burst` at once, and remembers so many keys.
    pub fn new(per_second: u32, burst: u32, remembered: usize) -> Self {
        Self::with_clock(per_second, burst, remembered, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Limiter<K, C> {
    fn with_clock(per_second: u32, burst: u32, remembered: usize, clock: C) -> Self {
        // The configuration refuses zeros; one is what comes nearest.
        let positive = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = |factor: u32| {
            Quota::per_second(positive(per_second.saturating_mul(factor)))
                .allow_burst(positive(burst.saturating_mul(factor)))
        };
        let table = Table(Arc::default());
        Self {
            keyed: RateLimiter::new(quota(1), table.clone(), clock.clone()),
            table,
            shared: RateLimiter::direct_with_clock(quota(SHARED_FACTOR), clock.clone()),
            clock,
            remembered,
            turned_away: AtomicU64::new(0),
        }
    }

    /// Takes one from the key's allowance.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        if self.has_room_for(key) {
            self.keyed.check_key(key).map_err(|until| self.wait(&until))
        } else {
            self.shared.check().map_err(|until| self.wait(&until))
        }
    }

    fn has_room_for(&self, key: &K) -> bool {
        let has_room = || {
            let table = self.table.lock();
            table.len() < self.remembered || table.contains_key(key)
        };
        if has_room() {
            return true;
        }
        let turned_away = self.turned_away.fetch_add(1, Ordering::Relaxed);
        if turned_away.is_multiple_of(LOOK_EVERY) {
            self.keyed.retain_recent();
            return has_room();
        }
        false
    }

    fn wait(&self, until: &governor::NotUntil<C::Instant>) -> Duration {
        until.wait_time_from(self.clock.now())
    }
}

/// One allowance without a key: the messages of one socket.
pub(super) struct Allowance<C: Clock = DefaultClock>(Shared<C>);

impl Allowance {
    /// Allows `per_second` in the long run and `burst` at once.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let positive = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(positive(per_second)).allow_burst(positive(burst));
        Self(RateLimiter::direct(quota))
    }

    /// Takes one; false if there is none.
    pub(super) fn take(&self) -> bool {
        self.0.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn a_key_waits_for_its_own_allowance_only() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(1, 2, 10, clock.clone());
        assert_eq!((limiter.check(&"a"), limiter.check(&"a")), (Ok(()), Ok(())));
        assert_eq!(limiter.check(&"a"), Err(Duration::from_secs(1)));
        assert_eq!(limiter.check(&"b"), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.check(&"a"), Ok(()));
    }

    #[test]
    fn memory_stays_bounded_under_a_flood_and_recovers() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(1, 1, 100, clock.clone());
        for key in 0..100_000_u64 {
            let _ = limiter.check(&key);
        }
        assert_eq!(limiter.table.lock().len(), 100);
        assert!(
            limiter.check(&1_000_000).is_err(),
            "newcomers share what is used up"
        );
        clock.advance(Duration::from_secs(1));
        assert_eq!(
            limiter.check(&7),
            Ok(()),
            "who was there has an allowance of their own"
        );
        clock.advance(Duration::from_secs(10));
        for key in 0..LOOK_EVERY {
            let _ = limiter.check(&(1_000_000 + key));
        }
        assert!(
            limiter.table.lock().keys().any(|key| *key >= 1_000_000),
            "there is room again"
        );
        assert!(limiter.table.lock().len() <= 100);
    }
}
