//! What the server process uses: CPU time and memory, from `/proc` or from its metrics.

use anyhow::{Context, bail};
use std::fs;
use std::time::Duration;

/// A reading of the server process. CPU counts from its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Resident memory.
    pub memory_bytes: u64,
}

/// Reads a process of this machine.
///
/// # Errors
/// No such process, or this is not Linux.
pub fn of_process(pid: u32) -> anyhow::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("no process {pid} on this machine (--server-pid)"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("reading the process's memory")?;
    from_proc(&stat, &status, ticks_per_second())
}

/// Reads the process metrics from a Prometheus text exposition; `None` if it has none. The standard
/// `process_cpu_seconds_total` counts whole seconds, which is no measure of a run of seconds: the service has its own.
pub fn of_metrics(text: &str) -> Option<Usage> {
    let value = |name: &str| -> Option<f64> {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    Some(Usage {
        cpu: Duration::try_from_secs_f64(value("mitalk_process_cpu_seconds_total")?).ok()?,
        memory_bytes: value("process_resident_memory_bytes")? as u64,
    })
}

fn from_proc(stat: &str, status: &str, ticks_per_second: u64) -> anyhow::Result<Usage> {
    // The name in parentheses may hold anything; fields count from behind it (proc(5): utime is 14, stime 15).
    let (_, fields) = stat
        .rsplit_once(')')
        .context("unexpected form of /proc/PID/stat")?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (Some(Ok(user)), Some(Ok(system))) = (ticks.next(), ticks.next()) else {
        bail!("unexpected form of /proc/PID/stat");
    };
    let resident_kb: u64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .context("unexpected form of /proc/PID/status")?;
    Ok(Usage {
        cpu: Duration::from_secs_f64((user + system) as f64 / ticks_per_second as f64),
        memory_bytes: resident_kb * 1024,
    })
}

fn ticks_per_second() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_whatever_the_process_is_called() {
        let stat = "42 (mi) talk 1 2) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 100 0 0";
        let usage = from_proc(stat, "Name:\tmitalk\nVmRSS:\t   2048 kB\n", 100).expect("well formed");
        assert_eq!(
            usage,
            Usage {
                cpu: Duration::from_secs(3),
                memory_bytes: 2048 * 1024
            }
        );
        assert!(from_proc("42", "", 100).is_err());
    }

    #[test]
    fn this_process_can_be_read() {
        assert!(
            of_process(std::process::id())
                .expect("our own process")
                .memory_bytes
                > 0
        );
        assert!(of_process(u32::MAX).is_err());
    }

    #[test]
    fn metrics_are_read_or_absent() {
        let text = "# HELP process_cpu_seconds_total x\nprocess_cpu_seconds_total 1\nprocess_resident_memory_bytes 1.048576e+06\n\
                    # HELP mitalk_process_cpu_seconds_total x\nmitalk_process_cpu_seconds_total 1.5\n";
        let usage = of_metrics(text).expect("both are there");
        assert_eq!(
            usage,
            Usage {
                cpu: Duration::from_millis(1500),
                memory_bytes: 1 << 20
            }
        );
        assert_eq!(of_metrics("mitalk_media_sessions 3\n"), None);
        let coarse = "process_cpu_seconds_total 1\nprocess_resident_memory_bytes 1.048576e+06\n";
        assert_eq!(of_metrics(coarse), None, "whole seconds are no figure");
    }
}
