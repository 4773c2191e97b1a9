//! What a run found, for people (a table) and for programs (JSON).

use crate::ear::Counts;
use crate::sockets;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Three significant digits are more than loopback noise allows.
const DIGITS: u8 = 3;
const HIGHEST_US: u64 = 600_000_000;
/// A slot that falls silent says so in three frames.
const QUIET_FRAMES: u64 = 3;

/// Collects times. Holds 1 us to 10 minutes with 0.1 % error; longer ones count as 10 minutes.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_max(HIGHEST_US, DIGITS).expect("constant bounds are valid"))
    }
}

impl Times {
    /// Notes one time.
    pub fn note(&mut self, time: Duration) {
        self.0
            .saturating_record(u64::try_from(time.as_micros()).unwrap_or(HIGHEST_US).max(1));
    }

    /// Takes over all times of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("equal bounds");
    }

    /// The spread, in milliseconds; `None` if nothing was noted.
    pub fn spread(&self) -> Option<Spread> {
        let ms = |us: u64| us as f64 / 1000.0;
        (!self.0.is_empty()).then(|| Spread {
            p50_ms: ms(self.0.value_at_quantile(0.5)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            max_ms: ms(self.0.max()),
        })
    }
}

/// Median, 99th percentile and greatest of some times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Median, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile, milliseconds.
    pub p99_ms: f64,
    /// Greatest, milliseconds.
    pub max_ms: f64,
}

/// What the server used for it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ServerUse {
    /// Resident memory that was added per listener, bytes (negative if it shrank).
    pub memory_per_listener_bytes: f64,
    /// Resident memory while all were there, bytes.
    pub memory_bytes: u64,
    /// CPU time per join, microseconds, forwarding to those already there included.
    pub cpu_per_join_us: f64,
    /// CPU time per listener and second while all were there, microseconds.
    pub cpu_per_listener_us_per_s: f64,
    /// CPU time per packet that a listener received meanwhile, microseconds.
    pub cpu_per_packet_us: f64,
    /// Part of one core that the server used meanwhile, 0 to the number of cores.
    pub cores: f64,
}

/// The result of `mitalk-load join`. Times are in the unit that their names say.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Rooms that were open.
    pub rooms: u32,
    /// Speakers in each.
    pub speakers: u32,
    /// Joins that were to be made.
    pub listeners: u32,
    /// Listeners who heard a speaker.
    pub joined: u32,
    /// Joins that were refused or took too long.
    pub failed: u32,
    /// Why, with how often, the most frequent first; at most 10.
    pub failures: Vec<(String, u32)>,
    /// Sessions that ended before they were to.
    pub dropped: u32,
    /// Joins that were due per second.
    pub rate_per_s: f64,
    /// Joins that were done per second, from the first due to the last done.
    pub joins_per_s: f64,
    /// From due to first audio.
    pub first_audio: Option<Spread>,
    /// From due to the answer of the join request.
    pub join_request: Option<Spread>,
    /// From a frame's due time to its decryption by a listener.
    pub latency: Option<Spread>,
    /// Time that all were there, seconds.
    pub stayed_s: f64,
    /// All listeners' packets, judged.
    pub heard: Counts,
    /// What the listeners' live sockets said; absent with `--no-sockets`.
    pub sockets: Option<sockets::Heard>,
    /// The part of all audio that did not arrive, in per cent.
    pub lost_percent: f64,
    /// How often this machine was too slow to speak in time; then it says more of this machine than of the server.
    pub stalls: u32,
    /// The server's CPU and memory; absent if neither metrics nor process id told.
    pub server: Option<ServerUse>,
    /// Ended by Ctrl-C: the figures are of a part of the run.
    pub interrupted: bool,
}

impl Report {
    /// Everybody joined, stayed, and heard everything.
    pub fn passed(&self) -> bool {
        self.failed == 0
            && self.dropped == 0
            && self.heard.clean()
            && self.sockets.is_none_or(|sockets| sockets.clean())
            && (self.interrupted || self.joined == self.listeners)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heard = &self.heard;
        let rows = [
            (
                "rooms, speakers each",
                format!("{}, {}", self.rooms, self.speakers),
            ),
            (
                "listeners joined",
                format!("{} of {}", self.joined, self.listeners),
            ),
            (
                "joins failed, sessions dropped",
                format!("{}, {}", self.failed, self.dropped),
            ),
            (
                "joins/s (due at)",
                format!("{:.1} ({:.1})", self.joins_per_s, self.rate_per_s),
            ),
            ("first audio, p50/p99/max ms", spread(self.first_audio)),
            ("join request, p50/p99/max ms", spread(self.join_request)),
            ("audio latency, p50/p99/max ms", spread(self.latency)),
            (
                "packets in",
                format!("{} in {:.1} s together", heard.packets, self.stayed_s),
            ),
            (
                "lost, missing, unheard",
                format!(
                    "{}, {}, {} ({:.4} %)",
                    heard.lost, heard.missing, heard.unheard, self.lost_percent
                ),
            ),
            (
                "silences, stalls of this tool",
                format!("{}, {}", heard.quiet / QUIET_FRAMES, self.stalls),
            ),
            (
                "duplicates, reordered",
                format!("{}, {}", heard.duplicates, heard.reordered),
            ),
            (
                "foreign, breaks in time",
                format!("{}, {}", heard.foreign, heard.time_breaks),
            ),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<34}{value}")?;
        }
        if let Some(sockets) = &self.sockets {
            let value = format!(
                "{}, {}, {}, {}",
                sockets.opened, sockets.messages, sockets.cut, sockets.gaps
            );
            writeln!(f, "{:<34}{value}", "live sockets, messages, cut, gaps")?;
        }
        match &self.server {
            Some(server) => write!(f, "{server}")?,
            None => writeln!(
                f,
                "{:<34}not known: neither metrics nor --server-pid told",
                "server"
            )?,
        }
        for (why, count) in &self.failures {
            writeln!(f, "failed {count} times: {why}")?;
        }
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        writeln!(
            f,
            "{verdict}{}",
            if self.interrupted { " (interrupted)" } else { "" }
        )
    }
}

impl fmt::Display for ServerUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            (
                "server memory per listener, KB",
                format!("{:.1}", self.memory_per_listener_bytes / 1024.0),
            ),
            (
                "server memory, MB",
                format!("{:.1}", self.memory_bytes as f64 / (1024.0 * 1024.0)),
            ),
            (
                "server CPU per join, ms",
                format!("{:.2}", self.cpu_per_join_us / 1000.0),
            ),
            (
                "server CPU per listener, us/s",
                format!("{:.1}", self.cpu_per_listener_us_per_s),
            ),
            (
                "server CPU per packet, us",
                format!("{:.2}", self.cpu_per_packet_us),
            ),
            ("server cores in use", format!("{:.2}", self.cores)),
        ];
        rows.into_iter()
            .try_for_each(|(name, value)| writeln!(f, "{name:<34}{value}"))
    }
}

fn spread(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |s| {
        format!("{:.1} / {:.1} / {:.1}", s.p50_ms, s.p99_ms, s.max_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            rooms: 1,
            speakers: 1,
            listeners: 2,
            joined: 2,
            failed: 0,
            failures: Vec::new(),
            dropped: 0,
            rate_per_s: 100.0,
            joins_per_s: 98.5,
            first_audio: None,
            join_request: None,
            latency: None,
            stayed_s: 1.0,
            heard: Counts {
                packets: 100,
                ..Counts::default()
            },
            sockets: None,
            lost_percent: 0.0,
            stalls: 0,
            server: None,
            interrupted: false,
        }
    }

    #[test]
    fn any_fault_fails_the_run() {
        assert!(report().passed());
        assert!(
            !Report {
                joined: 1,
                ..report()
            }
            .passed()
        );
        assert!(
            !Report {
                failed: 1,
                ..report()
            }
            .passed()
        );
        assert!(
            !Report {
                dropped: 1,
                ..report()
            }
            .passed()
        );
        assert!(
            !Report {
                heard: Counts {
                    lost: 1,
                    ..Counts::default()
                },
                ..report()
            }
            .passed()
        );
        assert!(
            !Report {
                heard: Counts {
                    foreign: 1,
                    ..Counts::default()
                },
                ..report()
            }
            .passed()
        );
        for (cut, gaps) in [(1, 0), (0, 1)] {
            let sockets = Some(sockets::Heard {
                cut,
                gaps,
                ..Default::default()
            });
            assert!(!Report { sockets, ..report() }.passed());
        }
        assert!(
            Report {
                joined: 1,
                interrupted: true,
                ..report()
            }
            .passed()
        );
    }

    #[test]
    fn spreads_are_in_milliseconds() {
        let mut times = Times::default();
        assert_eq!(times.spread(), None);
        (1..=100).for_each(|n| times.note(Duration::from_millis(n)));
        times.note(Duration::from_secs(9999));
        let spread = times.spread().expect("there are some");
        assert!(
            (50.0..=51.5).contains(&spread.p50_ms) && spread.max_ms >= 599_000.0,
            "{spread:?}"
        );
    }

    #[test]
    fn the_table_names_what_failed() {
        let failed = Report {
            failed: 3,
            failures: vec![("room_closed".to_owned(), 3)],
            ..report()
        };
        let text = failed.to_string();
        assert!(
            text.contains("failed 3 times: room_closed") && text.contains("FAILED"),
            "{text}"
        );
    }
}
