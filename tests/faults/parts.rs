//! The real parts, by the project's own scripts; `deploy/local/with-stores.sh` started them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use mitalk::store::scylla::{self, Config};
use tokio::process::Command;

/// A cluster that a script of `deploy/local` runs. The script's settings are in this process's environment.
#[derive(Debug)]
pub(crate) struct Cluster {
    script: &'static str,
    /// `host:port` of the first node.
    first: String,
    nodes: u32,
}

/// Both of them.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Cluster,
    pub(crate) broker: Cluster,
}

impl Parts {
    /// Those of this run, if there are any and it may damage them.
    pub(crate) fn found() -> Option<Self> {
        std::env::var_os("MITALK_TEST_FAULTS")?;
        Some(Self {
            store: Cluster::found("cassandra.sh", "MITALK_TEST_CQL", "CASSANDRA_NODES")?,
            broker: Cluster::found("kafka.sh", "MITALK_TEST_KAFKA", "KAFKA_NODES")?,
        })
    }

    /// The settings of a service over a keyspace and topics that nobody else has.
    pub(crate) async fn fresh(&self) -> Result<Vec<String>> {
        let name = format!("faults_{:08x}", rand::random::<u32>());
        let config = Config {
            nodes: vec![self.store.first.clone()],
            keyspace: name.clone(),
            replication_factor: self.store.nodes.min(3).try_into()?,
            ..Config::default()
        };
        scylla::migrate(&config)
            .await
            .context("the keyspace is not made")?;
        let copies = self.broker.nodes;
        Ok(vec![
            "storage.store=scylla".to_owned(),
            format!("scylla.nodes=[\"{}\"]", self.store.first),
            format!("scylla.keyspace={name}"),
            "storage.events=kafka".to_owned(),
            format!("kafka.brokers=[\"{}\"]", self.broker.first),
            format!("kafka.prefix=\"{name}.\""),
            format!("kafka.replication={copies}"),
            format!("kafka.min_isr={}", copies / 2 + 1),
            "admin.test_admission=true".to_owned(),
            "limits.rooms.opened_per_hour=100000".to_owned(),
        ])
    }
}

impl Cluster {
    fn found(script: &'static str, first: &str, nodes: &str) -> Option<Self> {
        let nodes = std::env::var(nodes).ok();
        Some(Self {
            script,
            first: std::env::var(first).ok()?,
            nodes: nodes.map_or(1, |nodes| nodes.parse().expect("a number of nodes")),
        })
    }

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
