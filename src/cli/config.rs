//! `mitalk config`.

use super::{Failure, SourceArgs, output};
use crate::config::Config;
use crate::secrets::Secrets;
use anyhow::Context as _;
use clap::{Args, Subcommand};

/// `mitalk config ...`.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print every key with its meaning and its value, as a configuration file
    Print {
        /// The built-in values, whatever file, environment and flags say
        #[arg(long)]
        defaults: bool,
    },
    /// Make a new master key; older ones stay valid. Restart the service to use it
    RotateKey,
}

impl ConfigCommand {
    pub(super) fn run(self, sources: SourceArgs) -> Result<(), Failure> {
        match self.what {
            What::Print { defaults: true } => output::text(Config::default().to_documented_toml()),
            What::Print { defaults: false } => output::text(sources.load()?.to_documented_toml()),
            What::RotateKey => {
                let config = sources.load()?;
                let kid = Secrets::rotate(&config.storage.data_dir).context("no key was made")?;
                output::line(format_args!(
                    "made the master key {kid}; restart the service to use it"
                ));
            }
        }
        Ok(())
    }
}
