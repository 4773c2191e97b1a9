//! Logs: text for a person at a terminal, one JSON object per line for machines. No personal data goes in.
//!
//! Lines go to standard output by a thread of their own, through a bounded queue. Nobody waits for whoever reads them: a
//! collector that stalls or goes away costs lines, which are counted, and never a request.

use crate::config::{Format, Log};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntCounter, Registry};
use std::io::IsTerminal as _;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Lines that wait to be written, about 300 bytes each; further ones are lost.
const WAITING_LINES: usize = 16_384;

/// The last lines are tried for so long.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Lines lost by this process. The log is the one thing that all nodes of a process share, and so is this.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// Started logging. Dropping it writes what waits, for two seconds at most.
#[must_use = "dropping it ends the log"]
pub struct Logging(Option<WorkerGuard>);

impl Drop for Logging {
    fn drop(&mut self) {
        let guard = self.0.take();
        let (done, wait) = mpsc::channel();
        // On a thread of its own: the guard complains on standard error, which may be the pipe that nobody reads.
        std::thread::spawn(move || {
            drop(guard);
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(LAST_LINES);
    }
}

/// Starts logging to standard output for the whole process.
///
/// # Errors
/// If logging was started before.
pub fn start(log: &Log) -> Result<Logging, TryInitError> {
    // The driver's connections come and go at `info`; whoever wants to see that says so.
    let level = format!("scylla=warn,{}", log.level);
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stdout().is_terminal();
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(std::io::stdout());
    // Nobody else sets it: the log starts once.
    let _ = LOST.set(writer.error_counter());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // Else a line that cannot be written is said on standard error, which may be the same broken pipe: a panic.
        .log_internal_errors(false);
    match log.format {
        Format::Auto if terminal => builder.with_ansi(true).with_target(false).finish().try_init(),
        Format::Text => builder.with_ansi(terminal).finish().try_init(),
        Format::Auto | Format::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    }?;
    Ok(Logging(Some(guard)))
}

/// Lets operators see how many lines were lost, and what the process costs.
///
/// # Errors
/// If `registry` has them already.
pub fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    registry.register(Box::new(Cpu(Counter::new(
        "mitalk_process_cpu_seconds_total",
        "User and system time of this process, to the microsecond (process_cpu_seconds_total counts whole seconds)",
    )?)))?;
    registry.register(Box::new(Lost(IntCounter::new(
        "mitalk_log_lost_lines_total",
        "Log lines lost because whoever reads the log is too slow or gone",
    )?)))
}

/// Reads the log's own counter when it is asked for.
struct Lost(IntCounter);

impl Collector for Lost {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let lost = LOST.get().map_or(0, |lost| lost.dropped_lines() as u64);
        self.0.inc_by(lost.saturating_sub(self.0.get()));
        self.0.collect()
    }
}

/// Asks the system when it is asked.
struct Cpu(Counter);

impl Collector for Cpu {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.inc_by((cpu_time().as_secs_f64() - self.0.get()).max(0.0));
        self.0.collect()
    }
}

/// User and system time of all threads since the process began.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is valid for the call; on failure it stays 0.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of seconds is measured by the difference of two readings: whole seconds would be no figure at all.
    #[test]
    fn cpu_time_is_told_in_fractions_of_a_second() {
        let registry = Registry::new();
        register(&registry).unwrap();
        let read = || {
            let families = registry.gather();
            let family = families
                .iter()
                .find(|f| f.name() == "mitalk_process_cpu_seconds_total");
            family.unwrap().get_metric()[0].get_counter().get_value()
        };
        let (first, mut last) = (read(), read());
        while last == first {
            last = read();
        }
        assert!(last > first && last - first < 1.0, "from {first} to {last}");
    }
}
