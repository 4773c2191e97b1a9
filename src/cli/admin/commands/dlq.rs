//! `mitalk admin dlq` and `mitalk admin audit`: events that could not be dealt with, and what was done by whom.

use super::super::super::output;
use super::super::super::table::{facts, table};
use super::super::Answer;
use crate::client::AdminClient;
use clap::Subcommand;

/// Events per request of the export.
const PAGE: usize = 500;

#[derive(Debug, Subcommand)]
pub(in super::super) enum DlqCommand {
    /// List the dead letters, oldest first
    List,
    /// Show one, with its event
    Show {
        /// Its id, as the list has it
        id: String,
    },
    /// Give its event to its group once more
    Retry {
        /// Its id, as the list has it
        id: String,
    },
    /// Remove it; its event is not dealt with
    Drop {
        /// Its id, as the list has it
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(in super::super) enum AuditCommand {
    /// Write all that is kept, one JSON object (a CloudEvent) per line
    Export,
}

impl DlqCommand {
    pub(super) async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        match self {
            Self::List => {
                let letters = client.dead_letters().await?;
                let rows: Vec<_> = letters
                    .letters
                    .iter()
                    .map(|letter| {
                        vec![
                            letter.id.clone(),
                            letter.dead_since.clone(),
                            letter.reason.clone(),
                        ]
                    })
                    .collect();
                let list = table(&["id", "since", "reason"], &rows, "no dead letters");
                Answer::new(list, &letters)
            }
            Self::Show { id } => {
                let shown = client.dead_letter(&id).await?;
                let letter = &shown.letter;
                let facts = facts(&[
                    ("id", letter.id.clone()),
                    ("group", letter.group.clone()),
                    ("topic", letter.topic.clone()),
                    ("since", letter.dead_since.clone()),
                    ("reason", letter.reason.clone()),
                    ("trace", letter.trace.clone().unwrap_or_else(|| "-".to_owned())),
                ]);
                Answer::new(format!("{facts}{:#}\n", shown.event), &shown)
            }
            Self::Retry { id } => {
                client.retry_dead_letter(&id).await?;
                Answer::done("given to its group again; it comes back here if that fails")
            }
            Self::Drop { id } => {
                client.drop_dead_letter(&id).await?;
                Answer::done("dropped")
            }
        }
    }
}

impl AuditCommand {
    pub(super) async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        let Self::Export = self;
        let mut after = None;
        loop {
            let page = client.audit(after.as_deref(), PAGE).await?;
            // As it comes: a large audit is not held in memory.
            page.events.iter().for_each(output::line);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Answer::nothing()),
            }
        }
    }
}
