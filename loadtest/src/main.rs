//! The binary `mitalk-load`: reads the command line, runs, prints the report, and says by its exit code how it went.

use clap::Parser;
use mitalk_load::cli::{Cli, Command, Join};
use mitalk_load::progress::say;
use mitalk_load::run::{self, Stop};
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// Nothing was measured: wrong usage, or no server. As clap's own.
const NOT_RUN: u8 = 2;
/// As shells have it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Command::Join(args) = Cli::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return not_run(&error.into()),
    };
    match runtime.block_on(join(&args)) {
        Ok(code) => code,
        Err(error) => not_run(&error),
    }
}

async fn join(args: &Join) -> anyhow::Result<ExitCode> {
    let report = run::run(args, interrupted()).await?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(match (report.passed(), report.interrupted) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::from(INTERRUPTED),
        (true, false) => ExitCode::SUCCESS,
    })
}

/// Ctrl-C ends the run tidily; a second one ends it at once.
fn interrupted() -> Stop {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        say("ending: everybody leaves (Ctrl-C again ends at once)");
        let _ = stop.send(true);
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(INTERRUPTED.into());
        }
    });
    stopped
}

fn not_run(error: &anyhow::Error) -> ExitCode {
    say(&format!("error: {error:#}"));
    ExitCode::from(NOT_RUN)
}
