//! How long to wait before the same thing is tried again.

use std::time::Duration;

/// Doubles from `first` to `most`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
        }
    }

    /// For store calls: 20 ms, doubling to 2 s.
    pub(crate) const fn store() -> Self {
        Self::new(Duration::from_millis(20), Duration::from_secs(2))
    }

    /// For deliveries of outbox rows: 50 ms, doubling to 15 s.
    pub(crate) const fn delivery() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(15))
    }

    /// For looking whether what failed for long works again: 1 s, doubling to 30 s.
    pub(crate) const fn probe() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(30))
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and says how long to wait.
    pub(crate) fn fail(&mut self) -> Duration {
        let wait = self
            .first
            .saturating_mul(1 << self.failures.min(16))
            .min(self.most);
        self.failures += 1;
        wait
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
