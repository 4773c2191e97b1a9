//! The real parts, by the project's own scripts; `deploy/local/with-stores.sh` started them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use mitalk_tests::stores::{Clusters, Fresh};
use tokio::process::Command;

/// A cluster that a script of `deploy/local` runs. The script's settings are in this process's environment.
#[derive(Debug)]
pub(crate) struct Cluster {
    script: &'static str,
    nodes: u32,
}

/// Both of them.
#[derive(Debug)]
pub(crate) struct Parts {
    clusters: Clusters,
    pub(crate) store: Cluster,
    pub(crate) broker: Cluster,
}

impl Parts {
    /// Those of this run, if there are any and it may damage them.
    pub(crate) fn found() -> Option<Self> {
        std::env::var_os("MITALK_TEST_FAULTS")?;
        let clusters = Clusters::found()?;
        let cluster = |script, nodes| Cluster { script, nodes };
        Some(Self {
            store: cluster("cassandra.sh", clusters.cql_nodes),
            broker: cluster("kafka.sh", clusters.brokers),
            clusters,
        })
    }

    /// Holds them together for a scenario.
    pub(crate) fn whole_again(&self) -> WholeAgain<'_> {
        WholeAgain(self)
    }

    /// A keyspace and topics that nobody else has.
    pub(crate) async fn fresh(&self) -> Result<Fresh> {
        Box::pin(self.clusters.fresh()).await
    }
}

impl Cluster {
    pub(crate) fn nodes(&self) -> u32 {
        self.nodes
    }

    /// Which one it is shows that no node is special.
    pub(crate) fn any_node(&self) -> u32 {
        rand::random_range(1..=self.nodes)
    }

    fn path(&self) -> PathBuf {
        let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/local");
        scripts.join(self.script)
    }

    /// `kill`, `start`, `pause` or `resume`, of one node or of all.
    pub(crate) async fn run(&self, command: &str, node: Option<u32>) -> Result<()> {
        let mut run = Command::new(self.path());
        run.arg(command).args(node.map(|node| node.to_string()));
        let status = run.status().await?;
        if !status.success() {
            bail!("{} {command} {node:?} ended with {status}", self.script);
        }
        Ok(())
    }
}

/// Brings all nodes back when it is dropped, however the scenario ended: else one failure would be everybody's.
pub(crate) struct WholeAgain<'a>(&'a Parts);

impl Drop for WholeAgain<'_> {
    fn drop(&mut self) {
        for cluster in [&self.0.store, &self.0.broker] {
            for command in ["resume", "start"] {
                // What does not come back fails the next scenario by its own words.
                let _ = std::process::Command::new(cluster.path()).arg(command).status();
            }
        }
    }
}
