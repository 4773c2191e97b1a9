//! `mitalk admin allow-list`: numbers of a file, in batches.

use super::super::super::table::facts;
use super::super::Answer;
use crate::client::AdminClient;
use crate::wire::admin::AllowEntry;
use anyhow::{Context as _, bail};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Numbers sent in one request.
const IMPORT_BATCH: usize = 500;

#[derive(Debug, Subcommand)]
pub(in super::super) enum AllowListCommand {
    /// Register the numbers of a file: one per line, in E.164; `,disabled` after a number registers it without letting
    /// it in yet
    Import {
        /// The file, or - for standard input
        file: PathBuf,
    },
    /// Count the registered numbers
    Count,
    /// Forget a number; an account of that number stays
    Remove {
        /// In E.164
        phone: String,
    },
}

impl AllowListCommand {
    pub(super) async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        let count = match self {
            Self::Import { file } => {
                let entries = read_numbers(&file)?;
                let mut done = 0;
                for batch in entries.chunks(IMPORT_BATCH) {
                    client.import_allowed(batch.to_vec()).await.with_context(|| {
                        format!(
                            "stopped after {done} of {} numbers, or a few more; repeat the import until it succeeds",
                            entries.len()
                        )
                    })?;
                    done += batch.len();
                }
                client.count_allowed().await?
            }
            Self::Count => client.count_allowed().await?,
            Self::Remove { phone } => {
                client.remove_allowed(&phone).await?;
                client.count_allowed().await?
            }
        };
        let text = facts(&[
            ("registered", count.registered.to_string()),
            ("of these enabled", count.enabled.to_string()),
        ]);
        Answer::new(text, &count)
    }
}

fn read_numbers(file: &Path) -> anyhow::Result<Vec<AllowEntry>> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    parse_numbers(&text)
}

fn parse_numbers(text: &str) -> anyhow::Result<Vec<AllowEntry>> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (phone, state) = line.split_once(',').unwrap_or((line, "enabled"));
        let enabled = match state.trim() {
            "enabled" => true,
            "disabled" => false,
            // The number itself stays out of the message: it may end in a log.
            _ => bail!("line {}: after the comma, write enabled or disabled", index + 1),
        };
        if !phone.is_empty() {
            entries.push(AllowEntry {
                phone: phone.trim().to_owned(),
                enabled,
            });
        }
    }
    if entries.is_empty() {
        bail!("there are no numbers in it: write one per line, such as +4915112345678");
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_numbers_is_read_and_its_faults_are_named() {
        let entries = parse_numbers("+491511 # Ann\n\n+491512,disabled\n").unwrap();
        assert_eq!((entries[0].phone.as_str(), entries[0].enabled), ("+491511", true));
        assert_eq!(
            (entries[1].phone.as_str(), entries[1].enabled),
            ("+491512", false)
        );
        let error = parse_numbers("+491511\n+491512,off\n").unwrap_err().to_string();
        assert_eq!(error, "line 2: after the comma, write enabled or disabled");
        assert!(parse_numbers("# nothing\n").is_err());
    }
}
