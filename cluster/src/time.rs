//! The two clocks, both arguments everywhere: how long something took on this machine, and what the wall says.
//!
//! Invariants: [`BootInstant`]s of two machines are never compared; a [`Timestamp`] is for stored facts only and
//! decides nothing about ownership. `std::time::Instant` is not used for leases because it stands still while a
//! machine sleeps (protocol rule 1).

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since this machine booted, its sleep included (CLOCK_BOOTTIME).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BootInstant(pub u64);

impl BootInstant {
    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for BootInstant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

/// Milliseconds since 1970 by some machine's wall clock; for stored facts only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The hour it falls into.
    pub fn hour(self) -> Hour {
        Hour(self.0 / 3_600_000)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

/// Hours since 1970: the bucket of a timer row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hour(pub u64);

/// Where a shell reads the time from.
pub trait Clock: Send + Sync + 'static {
    /// CLOCK_BOOTTIME.
    fn boot(&self) -> BootInstant;
    /// The wall clock.
    fn wall(&self) -> Timestamp;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> BootInstant {
        let mut at = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `at` is a valid timespec for the whole call, which only writes to it.
        let failed = unsafe { libc::clock_gettime(BOOT_CLOCK, &raw mut at) };
        assert_eq!(failed, 0, "every supported kernel has this clock");
        BootInstant(at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64)
    }

    #[allow(clippy::disallowed_methods)] // a shell's clock: the one place that reads it
    fn wall(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(target_os = "linux")]
const BOOT_CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
/// Elsewhere (developers' machines) CLOCK_MONOTONIC counts sleep on macOS; one node needs no more.
#[cfg(not(target_os = "linux"))]
const BOOT_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
