//! A clock that follows tokio's, so that a paused runtime is virtual time.

use crate::time::{BootInstant, Clock, Timestamp};

/// Follows tokio's clock from a fixed wall-clock start; create it inside the runtime.
#[derive(Clone, Copy, Debug)]
pub struct TestClock {
    origin: tokio::time::Instant,
    wall: Timestamp,
}

impl TestClock {
    /// Starts now, with the wall at `wall`.
    pub fn new(wall: Timestamp) -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            wall,
        }
    }
}

impl Clock for TestClock {
    fn boot(&self) -> BootInstant {
        BootInstant::default() + self.origin.elapsed()
    }

    fn wall(&self) -> Timestamp {
        self.wall + self.origin.elapsed()
    }
}
