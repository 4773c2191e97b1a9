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

    /// `kill`, `start`, `pause` or `resume`, of one node or of all.
    pub(crate) async fn run(&self, command: &str, node: Option<u32>) -> Result<()> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/local");
        let mut run = Command::new(script.join(self.script));
        run.arg(command).args(node.map(|node| node.to_string()));
        let status = run.status().await?;
        if !status.success() {
            bail!("{} {command} {node:?} ended with {status}", self.script);
        }
        Ok(())
    }
}
