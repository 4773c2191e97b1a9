//! So many people per hour, and when the next of them is due.

use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const HOUR_MS: u64 = 60 * 60 * 1_000;
/// A rate calls people at most so often.
const RATE_EVERY: Duration = Duration::from_secs(1);

/// So many people per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rate {
    pub(super) per_hour: u32,
    pub(super) since: Timestamp,
    /// Of those due since then.
    pub(super) given: u64,
}

impl Rate {
    /// How many are due by `now`, beside those given.
    pub(super) fn due(&self, now: Timestamp) -> u64 {
        let elapsed = now.0.saturating_sub(self.since.0);
        (elapsed.saturating_mul(u64::from(self.per_hour)) / HOUR_MS).saturating_sub(self.given)
    }

    /// When the next one is due, but not before `RATE_EVERY` after the last.
    pub(super) fn next(&self) -> Timestamp {
        let one = ((self.given + 1) * HOUR_MS).div_ceil(u64::from(self.per_hour.max(1)));
        let last = self.given * HOUR_MS / u64::from(self.per_hour.max(1));
        let soonest = last + RATE_EVERY.as_millis() as u64;
        self.since + Duration::from_millis(one.max(soonest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_rate_is_called_once_a_second() {
        let rate = Rate {
            per_hour: 36_000,
            since: Timestamp(0),
            given: 10,
        };
        assert_eq!(rate.next(), Timestamp(2_000));
        assert_eq!(rate.due(Timestamp(2_000)), 10);
    }
}
