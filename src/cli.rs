//! The command line: `mitalk serve | admin | migrate | config | doctor | openapi`.
//!
//! Answers go to standard output, errors to standard error as one line that says what to do. Exit codes: 0 done, 1 it
//! could not be done, 2 the command line or the configuration is wrong.

mod admin;
mod banner;
mod config;
mod doctor;
mod migrate;
mod openapi;
mod output;
mod serve;
mod table;
mod when;

use crate::config::{Config, Error as ConfigError, Sources};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The command line or the configuration is wrong; as clap does.
const USAGE: u8 = 2;

/// Live audio rooms for professionals: the service and its tools in one binary.
///
/// `mitalk serve` without any configuration is a whole service in one process: state in ./var, the app on
/// http://127.0.0.1:8080, operations on 127.0.0.1:9090, audio on UDP port 7800.
#[derive(Debug, Parser)]
#[command(
    name = "mitalk",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    sources: SourceArgs,
    #[command(subcommand)]
    command: Command,
}

/// Where configuration comes from.
#[derive(Debug, Args)]
struct SourceArgs {
    /// The configuration file [default: mitalk.toml, if it exists]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MITALK_CONFIG",
        help_heading = "Configuration"
    )]
    config: Option<PathBuf>,
    /// Sets one key, such as http.listen=0.0.0.0:80; wins over file and environment
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Configuration")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Serve),
    /// Operate a running service: phase, allow-list, waitlist, people, invites, rooms
    Admin(admin::Admin),
    /// Bring the database up to this release
    Migrate(migrate::Migrate),
    /// Show the configuration, or change the service's keys
    Config(config::ConfigCommand),
    /// Check configuration, ports, data, media addresses and clock, and say what to do
    Doctor,
    /// Print the API's OpenAPI document
    Openapi,
}

/// Why a command ended badly.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
    /// All was said already.
    #[error("")]
    Told,
}

impl SourceArgs {
    fn load(self) -> Result<Config, ConfigError> {
        Sources {
            file: self.config,
            set: self.set,
        }
        .load()
    }
}

/// Runs the command of this process's command line.
pub fn main() -> ExitCode {
    crate::failpoints::arm();
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(failure) => {
            output::error(&failure);
            match failure {
                Failure::Config(_) => ExitCode::from(USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let sources = cli.sources;
    match cli.command {
        Command::Serve(serve) => serve.run(sources),
        Command::Admin(admin) => admin.run(sources.load()?),
        Command::Migrate(migrate) => migrate.run(&sources.load()?),
        Command::Config(command) => command.run(sources),
        Command::Doctor => doctor::run(sources),
        Command::Openapi => openapi::run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_fits_80_columns() {
        Cli::command().debug_assert();
        let mut command = Cli::command().term_width(80);
        command.build();
        let mut pending = vec![command];
        while let Some(mut command) = pending.pop() {
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
            pending.extend(command.get_subcommands().cloned());
        }
    }
}
