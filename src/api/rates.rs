//! Rate limits by key (address, account) in bounded memory.
//!
//! Each key has its own allowance (GCRA, by `governor`): a burst, refilled at a steady rate. Keys whose allowance is full
//! again are forgotten from time to time. While more keys are in use than are remembered, all share one allowance: a
//! flood from very many addresses costs everybody, but no memory.

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Keys are counted, and idle ones forgotten, every so many requests: at most so many more are remembered than said.
const COUNT_EVERY: u64 = 1_024;
/// The shared allowance of a crowded limiter is so many times that of one key.
const SHARED_FACTOR: u32 = 100;

type Keyed<K, C> = RateLimiter<K, DashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;
type Shared<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limiter over keys. Checked by many threads at once.
pub struct Limiter<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    keyed: Keyed<K, C>,
    shared: Shared<C>,
    clock: C,
    remembered: usize,
    checks: AtomicU64,
    crowded: AtomicBool,
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
        Self {
            keyed: RateLimiter::new(quota(1), DashMapStateStore::default(), clock.clone()),
            shared: RateLimiter::direct_with_clock(quota(SHARED_FACTOR), clock.clone()),
            clock,
            remembered,
            checks: AtomicU64::new(0),
            crowded: AtomicBool::new(false),
        }
    }

    /// Takes one from the key's allowance.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        if self
            .checks
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(COUNT_EVERY)
        {
            self.count();
        }
        if self.crowded.load(Ordering::Relaxed) {
            self.shared.check().map_err(|until| self.wait(&until))
        } else {
            self.keyed.check_key(key).map_err(|until| self.wait(&until))
        }
    }

    fn wait(&self, until: &governor::NotUntil<C::Instant>) -> Duration {
        until.wait_time_from(self.clock.now())
    }

    fn count(&self) {
        if self.keyed.len() >= self.remembered {
            self.keyed.retain_recent();
        }
        self.crowded
            .store(self.keyed.len() >= self.remembered, Ordering::Relaxed);
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
        assert!(
            limiter.keyed.len() <= 100 + COUNT_EVERY as usize,
            "{}",
            limiter.keyed.len()
        );
        assert!(limiter.crowded.load(Ordering::Relaxed));
        clock.advance(Duration::from_secs(10));
        for _ in 0..COUNT_EVERY {
            let _ = limiter.check(&1);
        }
        assert!(!limiter.crowded.load(Ordering::Relaxed));
        assert!(limiter.keyed.len() <= 2);
    }
}
