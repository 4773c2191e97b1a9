//! The command line, and its check into a run.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// More sessions than this need several machines anyway.
const MAX_LISTENERS: u32 = 50_000;
/// A stage holds 50.
const MAX_SPEAKERS: u32 = 50;
const MAX_ROOMS: u32 = 1_000;
const MAX_RATE: f64 = 10_000.0;
const MAX_CONCURRENCY: usize = 1_000;
const MAX_THREADS: usize = 64;
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// Simulates people who join live audio rooms, with real ICE, DTLS and SRTP, and checks what each of them hears.
#[derive(Debug, Parser)]
#[command(name = "mitalk-load", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to simulate.
    #[command(subcommand)]
    pub command: Command,
}

/// What to simulate.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A mass join: speakers talk, listeners arrive at a given rate, stay, and every packet is checked.
    #[command(after_help = JOIN_HELP)]
    Join(Join),
}

const JOIN_HELP: &str = "\
The server must run with `admin.test_admission = true`: accounts are made by its admin API, and it gives
them active without a phone number. Use it on a server of your own only.

A join counts from the moment it was due by --rate, not from when this tool got round to it, so a slow
server can not hide behind a slow client. It is done when the first intact frame of a speaker was
decrypted. Opening the live socket, which every listener holds, is a part of it.

Exit code: 0 everybody joined and heard everything; 1 a join failed or audio was lost; 2 wrong usage or no
server; 130 ended by Ctrl-C (with a report of what there was).

Example, on the machine of the server:
  mitalk-load join --url http://127.0.0.1:8080 --operations http://127.0.0.1:9090 \\
    --admin-token-file var/admin-token --listeners 500 --speakers 3 --rate 100 --duration 30s";

/// Arguments of `mitalk-load join`.
#[derive(Clone, Debug, Args)]
pub struct Join {
    /// The app's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The operations listener's address (accounts, metrics).
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    pub operations: String,
    /// File with the admin token.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: PathBuf,
    /// Rooms to open.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ROOMS)))]
    pub rooms: u32,
    /// Listeners in all, spread evenly over the rooms.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LISTENERS)))]
    pub listeners: u32,
    /// People talking in each room, all the time. With more than 3 the server chooses, and only the
    /// slots' sequence can be checked, not that everybody was heard.
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SPEAKERS)))]
    pub speakers: u32,
    /// How long everybody stays after the last join, such as 500ms, 30s, 5m or 1h.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub duration: Duration,
    /// Joins that are due per second.
    #[arg(long, value_name = "PER_S", default_value_t = 100.0, value_parser = rate)]
    pub rate: f64,
    /// Joins under way at most; those that are due wait, and their waiting counts.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_most::<MAX_CONCURRENCY>)]
    pub concurrency: usize,
    /// A join that took so long has failed.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub join_timeout: Duration,
    /// Threads that carry the listeners' media; about 6,000 listeners each.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_most::<MAX_THREADS>)]
    pub threads: usize,
    /// The server's process id, if it runs on this machine: its CPU and memory are read from /proc instead of
    /// its metrics.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Leave out the listeners' live sockets: media only.
    #[arg(long)]
    pub no_sockets: bool,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl Join {
    /// Room of a listener: they take turns, so that all rooms fill evenly.
    pub fn room_of(&self, listener: u32) -> u32 {
        listener % self.rooms
    }

    /// When a listener is due, counted from the start of the joins.
    pub fn due(&self, listener: u32) -> Duration {
        Duration::from_secs_f64(f64::from(listener) / self.rate)
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number
        .parse()
        .map_err(|_| "start with a number, such as 30s".to_owned())?;
    let value = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err("end with a unit: ms, s, m or h".to_owned()),
    };
    if value.is_zero() || value > MAX_DURATION {
        return Err("give more than 0 and at most 24h".to_owned());
    }
    Ok(value)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "give a number".to_owned())?;
    if rate > 0.0 && rate <= MAX_RATE {
        Ok(rate)
    } else {
        Err(format!("give more than 0 and at most {MAX_RATE}"))
    }
}

fn at_most<const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MAX).contains(&n) => Ok(n),
        _ => Err(format!("give 1 to {MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn join(extra: &[&str]) -> Result<Join, clap::Error> {
        let base = [
            "mitalk-load",
            "join",
            "--admin-token-file",
            "t",
            "--listeners",
            "500",
        ];
        let Command::Join(join) = Cli::try_parse_from(base.iter().chain(extra))?.command;
        Ok(join)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn listeners_are_due_at_the_rate_and_spread_over_the_rooms() {
        let join = join(&["--rate", "50", "--rooms", "3"]).expect("valid");
        assert_eq!(join.due(100), Duration::from_secs(2));
        assert_eq!([0, 1, 2, 3].map(|n| join.room_of(n)), [0, 1, 2, 0]);
    }

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "0s", "25h", "1d", "-1s", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loads_are_bounded() {
        for wrong in [
            ["--rate", "0"],
            ["--rate", "NaN"],
            ["--concurrency", "100000"],
            ["--threads", "0"],
            ["--speakers", "51"],
            ["--rooms", "0"],
        ] {
            assert!(join(&wrong).is_err(), "{wrong:?}");
        }
    }
}
