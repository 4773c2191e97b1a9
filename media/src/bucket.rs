//! A token bucket: how much of something is allowed at once, and for long.

use std::time::Instant;

/// Allowances that come back with time.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    per_second: f32,
    burst: f32,
    left: f32,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(burst: u16, per_second: u16, now: Instant) -> Self {
        let burst = f32::from(burst);
        Self {
            per_second: f32::from(per_second),
            burst,
            left: burst,
            at: now,
        }
    }

    /// Takes one allowance, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        self.left = (self.left + passed.as_secs_f32() * self.per_second).min(self.burst);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(30, 100, start);
        let taken = (0..1000).filter(|_| bucket.take(start)).count();
        assert_eq!(taken, 30);
        let taken = (1..=1000).filter(|ms| bucket.take(start + Duration::from_millis(*ms)));
        assert!((99..=100).contains(&taken.count()));
        let taken = (0..1000).filter(|_| bucket.take(start + Duration::from_secs(60)));
        assert_eq!(taken.count(), 30, "what is not used is not saved up for ever");
    }
}
