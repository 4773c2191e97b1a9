//! How long to wait before the same thing is tried again.

use std::time::Duration;

use crate::id::{SHARDS, ShardId};

/// Doubles from `first` to `most`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
    /// By so many parts of [`SHARDS`] it waits longer than others.
    apart: u16,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
            apart: 0,
        }
    }

    /// For store calls: 20 ms, doubling to 2 s.
    pub(crate) const fn store() -> Self {
        Self::new(Duration::from_millis(20), Duration::from_secs(2))
    }

    /// Longer by a share of the shard's own, up to twice as long: all shards of a node fail at the same moment, and are not
    /// to come back at the same moment.
    pub(crate) const fn apart(mut self, shard: ShardId) -> Self {
        self.apart = shard.0;
        self
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
        wait + wait * u32::from(self.apart) / u32::from(SHARDS)
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shards_that_fail_together_come_back_one_after_the_other() {
        let waits: Vec<_> = (0..SHARDS)
            .map(|shard| {
                let mut backoff = Backoff::store().apart(ShardId(shard));
                [backoff.fail(), backoff.fail()]
            })
            .collect();
        assert_eq!(waits.iter().collect::<HashSet<_>>().len(), usize::from(SHARDS));
        let usual = Backoff::store().fail();
        assert!(waits.iter().all(|[first, _]| (usual..usual * 2).contains(first)));
        assert!(waits.iter().all(|[first, second]| first < second));
    }
}
