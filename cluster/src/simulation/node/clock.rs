//! A node's clocks.

use crate::protocol::Now;
use crate::simulation::network::Ms;
use crate::simulation::world::{MS, Time};
use crate::time::{BootInstant, Timestamp};

/// The wall clock of the world's beginning: close before the end of an hour.
const WALL_MS: Ms = 1_800_000_000_000 / 3_600_000 * 3_600_000 + 3_580_000;

/// A node's clocks: the boot clock runs at its own rate, and stands still in pauses that it cannot see.
pub(super) struct Clock {
    pub(super) rate: f64,
    pub(super) boot_offset: u64,
    /// Of pauses that were invisible.
    pub(super) missed: Time,
    pub(super) skew_ms: i64,
}

impl Clock {
    pub(super) fn now(&self, now: Time) -> Now {
        let boot = (now.saturating_sub(self.missed) as f64 * self.rate) as u64 + self.boot_offset;
        let wall = (WALL_MS + now / MS).saturating_add_signed(self.skew_ms);
        Now {
            boot: BootInstant(boot),
            wall: Timestamp(wall),
        }
    }

    /// When the boot clock will show `at`, at the earliest.
    pub(super) fn when(&self, at: BootInstant) -> Time {
        let local = at.0.saturating_sub(self.boot_offset) as f64;
        (local / self.rate) as u64 + self.missed + 1_000
    }
}
