//! `mitalk admin`: operating a running service over its admin API.

mod commands;
mod copy;

use super::{Failure, output};
use crate::client::AdminClient;
use crate::config::Config;
use anyhow::Context as _;
use clap::Args;
use commands::Action;
use serde::Serialize;
use std::path::PathBuf;

/// `mitalk admin ...`. Talks to the operations listener of a running service and shows the operators' token.
#[derive(Debug, Args)]
pub(super) struct Admin {
    /// The operations listener [default: the configured one]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MITALK_ADMIN_URL",
        help_heading = "Connection"
    )]
    url: Option<String>,
    /// The file with the operators' token [default: the configured one]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    token_file: Option<PathBuf>,
    /// The operators' token itself, from the environment
    #[arg(
        long,
        global = true,
        hide = true,
        env = "MITALK_ADMIN_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print the answer as JSON
    #[arg(long, global = true, help_heading = "Connection")]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

/// What a command answers: a text for people, and a value for programs.
pub(super) struct Answer {
    text: String,
    value: serde_json::Value,
}

impl Answer {
    fn new(text: impl Into<String>, value: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text: text.into(),
            value: serde_json::to_value(value)?,
        })
    }

    /// All was said while it was done.
    fn nothing() -> Self {
        Self {
            text: String::new(),
            value: serde_json::Value::Null,
        }
    }

    /// Something was done, and there is no more to say.
    fn done(text: impl Into<String>) -> anyhow::Result<Self> {
        Self::new(format!("{}\n", text.into()), &serde_json::json!({ "done": true }))
    }
}

impl Admin {
    pub(super) fn run(self, config: Config) -> Result<(), Failure> {
        let json = self.json;
        let answer = match self.action {
            Action::Copy(copy) => return copy.run(&config, json),
            Action::Vapid { what } => what.run(&config)?,
            _ => self.ask(&config)?,
        };
        if answer.value.is_null() {
            return Ok(());
        }
        if json {
            output::line(format_args!("{:#}", answer.value));
        } else {
            output::text(answer.text);
        }
        Ok(())
    }

    /// Has it done by the running service.
    fn ask(self, config: &Config) -> anyhow::Result<Answer> {
        let url = self
            .url
            .clone()
            .unwrap_or_else(|| format!("http://{}", config.operations.listen));
        let client = AdminClient::new(&url, &self.token(config)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        runtime
            .block_on(self.action.run(&client))
            .with_context(|| format!("asking {url}"))
    }

    fn token(&self, config: &Config) -> anyhow::Result<String> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let path = self
            .token_file
            .clone()
            .unwrap_or_else(|| config.admin.token_path(&config.storage.data_dir));
        let token = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read the operators' token from {}; it is made when the service first starts (name another \
                 file with --token-file)",
                path.display()
            )
        })?;
        Ok(token.trim().to_owned())
    }
}
