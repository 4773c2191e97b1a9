//! The real parts, by the project's own scripts.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use mitalk::store::scylla::{self, Config};
use tokio::process::Command;

/// A CQL cluster that `deploy/local/cassandra.sh` runs; its settings are in this process's environment.
#[derive(Debug)]
pub(crate) struct Store {
    first: String,
    nodes: u32,
}

impl Store {
    /// The cluster of this run, if there is one.
    pub(crate) fn found() -> Option<Self> {
        // They kill what others may be using, and take minutes.
        std::env::var_os("MITALK_TEST_FAULTS")?;
        let first = std::env::var("MITALK_TEST_CQL").ok()?;
        let nodes = std::env::var("CASSANDRA_NODES").ok();
        Some(Self {
            first,
            nodes: nodes.map_or(1, |nodes| nodes.parse().expect("CASSANDRA_NODES is a number")),
        })
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = u32> + use<> {
        1..=self.nodes
    }

    /// Which one it is shows that no node is special.
    pub(crate) fn any_node(&self) -> u32 {
        rand::random_range(1..=self.nodes)
    }

    /// The settings of a service over a keyspace that nobody else has.
    pub(crate) async fn fresh_keyspace(&self) -> Result<Vec<String>> {
        let config = Config {
            nodes: vec![self.first.clone()],
            keyspace: format!("faults_{:08x}", rand::random::<u32>()),
            replication_factor: self.nodes.min(3).try_into()?,
            ..Config::default()
        };
        scylla::migrate(&config)
            .await
            .context("the keyspace is not made")?;
        Ok(vec![
            "storage.store=scylla".to_owned(),
            format!("scylla.nodes=[\"{}\"]", self.first),
            format!("scylla.keyspace={}", config.keyspace),
            "admin.test_admission=true".to_owned(),
        ])
    }

    pub(crate) async fn kill(&self, node: u32) -> Result<()> {
        script("kill", node).await
    }

    pub(crate) async fn start(&self, node: u32) -> Result<()> {
        script("start", node).await
    }

    pub(crate) async fn pause(&self, node: u32) -> Result<()> {
        script("pause", node).await
    }

    pub(crate) async fn resume(&self, node: u32) -> Result<()> {
        script("resume", node).await
    }
}

async fn script(command: &str, node: u32) -> Result<()> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/local/cassandra.sh");
    let status = Command::new(script)
        .arg(command)
        .arg(node.to_string())
        .status()
        .await?;
    if !status.success() {
        bail!("cassandra.sh {command} {node} ended with {status}");
    }
    Ok(())
}
