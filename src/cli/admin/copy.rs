//! `mitalk admin copy`. The one command here that needs no running service, and none to run.

use super::super::table::table;
use super::super::{Failure, output};
use crate::config::Config;
use crate::copy::{self, Line};
use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;

/// Move a stopped service from its file to a CQL cluster and Kafka
///
/// Run it with the configuration of the new service (storage.store = "scylla",
/// storage.events = "kafka"), beside the data directory of the old one, which must be
/// stopped; `mitalk migrate` has made the tables. All is copied and compared; run again
/// after any interruption, it goes on where it was. From the first row on no service
/// starts on the file, and when all is the same the new one may: with the same
/// secrets.json.
#[derive(Debug, Args)]
pub(super) struct Copy {
    /// The file to copy [default: mitalk.db in the data directory]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Only compare; nothing is written
    #[arg(long)]
    verify_only: bool,
    /// Let the service start on the file again, as it was when the copy began
    #[arg(long, conflicts_with = "verify_only")]
    give_up: bool,
}

impl Copy {
    pub(super) fn run(&self, config: &Config, json: bool) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        runtime.block_on(Box::pin(self.copied(config, json)))
    }

    async fn copied(&self, config: &Config, json: bool) -> Result<(), Failure> {
        let say = |text: String| {
            if !json {
                output::line(text);
            }
        };
        if self.give_up {
            let given_up = copy::give_up(config, self.from.clone()).await;
            given_up.context("the copy was not given up")?;
            say("the service may start on the file again; drop the keyspace".to_owned());
            return Ok(());
        }
        let copy = copy::Copy::open(config, self.from.clone()).await;
        let copy = copy.context("nothing was copied")?;
        let lines = match self.verify_only {
            true => copy.verify_only(&say).await.context("not compared")?,
            false => copy.run(&say).await.context("not all was copied")?,
        };
        if json {
            let value = serde_json::json!({ "tables": lines });
            output::line(format_args!("{value:#}"));
        } else {
            output::text(shown(&lines));
        }
        if lines.iter().all(|line| line.same) {
            return Ok(());
        }
        Err(anyhow::anyhow!("the copy differs from its source: the new service does not start on it").into())
    }
}

fn shown(lines: &[Line]) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let verdict = if line.same { "the same" } else { "DIFFERS" };
            let name = line.name.clone();
            vec![
                name,
                line.source.to_string(),
                line.target.to_string(),
                verdict.to_owned(),
            ]
        })
        .collect();
    table(&["table", "in the file", "in the cluster", ""], &rows, "nothing")
}
