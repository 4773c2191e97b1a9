//! The wall clock: tokens, codes and expiries depend on it.

use super::Finding;
use crate::config::Config;
use crate::secrets;
use mitalk_cluster::{Clock as _, SystemClock};
use std::time::UNIX_EPOCH;

/// No release of this service was made before 2026 (milliseconds since 1970).
const EARLIEST_MS: u64 = 1_767_225_600_000;
/// Files may be so much newer than the clock without anybody having set it back (milliseconds).
const SLACK_MS: u64 = 60_000;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let now = SystemClock.wall().0;
    if now < EARLIEST_MS {
        return vec![Finding::error(
            "the clock is years behind",
            "set the machine's clock (timedatectl set-ntp true): tokens and codes depend on it",
        )];
    }
    if let Some(written) = written_ms(config)
        && written > now + SLACK_MS
    {
        return vec![Finding::error(
            format!(
                "the clock is {} s behind what was written here before",
                (written - now) / 1_000
            ),
            "it was set back: set the machine's clock, or sessions will not expire when they should",
        )];
    }
    vec![synchronised()]
}

/// When the data directory's files were last written, by the clock of then.
fn written_ms(config: &Config) -> Option<u64> {
    let files = [
        config.storage.database(),
        config.storage.data_dir.join(secrets::FILE),
    ];
    files
        .iter()
        .filter_map(|path| {
            path.metadata()
                .ok()?
                .modified()
                .ok()?
                .duration_since(UNIX_EPOCH)
                .ok()
        })
        .filter_map(|since| u64::try_from(since.as_millis()).ok())
        .max()
}

#[cfg(target_os = "linux")]
fn synchronised() -> Finding {
    // SAFETY: all zeros is a valid `timex`: plain numbers, and no mode, which only reads.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is valid for the whole call, which only writes to it.
    let status = unsafe { libc::adjtimex(&raw mut state) };
    if status == libc::TIME_ERROR || status < 0 {
        return Finding::warning(
            "nobody keeps the clock right, as far as the system knows",
            "run a time service (chrony, systemd-timesyncd) here or on the host of this container",
        );
    }
    Finding::fine("the clock is kept right by a time service")
}

#[cfg(not(target_os = "linux"))]
fn synchronised() -> Finding {
    Finding::fine("the clock is plausible")
}
