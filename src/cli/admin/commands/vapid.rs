//! The keys that push services know this service by: a file of the data directory, so these commands ask no service.

use super::Answer;
use crate::config::Config;
use crate::push::vapid::{FILE, Keys};
use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(in crate::cli::admin) enum VapidCommand {
    /// Show the public key
    Show,
    /// Make new keys; all subscriptions end, and apps that are opened subscribe anew
    New,
}

impl VapidCommand {
    pub(in crate::cli::admin) fn run(self, config: &Config) -> anyhow::Result<Answer> {
        let directory = &config.storage.data_dir;
        let (keys, advice) = match self {
            Self::Show => (
                Keys::load(directory).context("the keys are made when the service first starts")?,
                String::new(),
            ),
            Self::New => (
                Keys::renew(directory).context("no keys were made")?,
                format!(
                    "Restart the service to use them. Where it has several nodes, copy {FILE} to all of them first.\n"
                ),
            ),
        };
        let text = format!("{}\n{advice}", keys.public());
        Answer::new(text, &json!({ "public_key": keys.public() }))
    }
}
