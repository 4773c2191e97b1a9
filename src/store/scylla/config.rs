//! The configuration of the CQL adapter.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A CQL cluster: ScyllaDB, or another server that speaks CQL version 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the cluster is asked for its nodes, as `host:port`; a few of them are enough.
    pub nodes: Vec<String>,
    /// The keyspace. `mitalk migrate` makes it when it is missing.
    pub keyspace: String,
    /// The datacenter of this region: the only one that is asked. Conditional writes are decided within it.
    pub datacenter: String,
    /// Copies of each row in that datacenter; used when the keyspace is made. 3 survive the loss of one node.
    pub replication_factor: u16,
    /// The user, if the cluster wants one.
    pub user: String,
    /// The file with the user's password; its end of line does not count.
    pub password_file: Option<PathBuf>,
    /// The file with the certificates that sign the nodes' own ones, in PEM; given, all connections are encrypted.
    pub tls_ca_file: Option<PathBuf>,
    /// How long a call may take, and a connection be silent, in milliseconds. Keep it below `cluster.store_timeout_ms`, so
    /// that the driver's words reach the log.
    pub request_timeout_ms: u64,
    /// How long to go on trying to reach the cluster at start, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Calls under way at once from this process; as many again times eight may wait, further ones are refused. What keeps
    /// the node's lease and its shards does not count.
    pub in_flight: u32,
    /// Whether the keyspace is made with tablets (`true` or `false`, ScyllaDB only); left out: the server's default.
    /// Conditional writes in tablets need ScyllaDB 2025.4 or newer.
    pub tablets: Option<bool>,
    /// Connect to ScyllaDB's shard-aware port. Turn it off behind address translation.
    pub shard_aware_port: bool,
    /// Tell the server the time limit of each read (`USING TIMEOUT`, ScyllaDB only).
    pub using_timeout: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: vec!["127.0.0.1:9042".to_owned()],
            keyspace: "mitalk".to_owned(),
            datacenter: "datacenter1".to_owned(),
            replication_factor: 3,
            user: String::new(),
            password_file: None,
            tls_ca_file: None,
            request_timeout_ms: 2_500,
            connect_timeout_ms: 30_000,
            in_flight: 1_024,
            tablets: None,
            shard_aware_port: true,
            using_timeout: false,
        }
    }
}

impl Config {
    /// What can never work: the key and what to do.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        let named = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        if self.nodes.is_empty() {
            return Some(("scylla.nodes", "must name at least one host:port".to_owned()));
        }
        if !named(&self.keyspace) || self.keyspace.len() > KEYSPACE_BYTES {
            let text = format!(
                "must be 1 to {KEYSPACE_BYTES} lower-case letters, digits or underscores, not {:?}",
                self.keyspace
            );
            return Some(("scylla.keyspace", text));
        }
        // It is part of a statement.
        if self.datacenter.is_empty() || self.datacenter.contains(['\'', '\\', '\n']) {
            return Some(("scylla.datacenter", "must be a datacenter's name".to_owned()));
        }
        if self.replication_factor == 0 {
            return Some(("scylla.replication_factor", "must be at least 1".to_owned()));
        }
        if self.in_flight == 0 || self.request_timeout_ms == 0 {
            let key = if self.in_flight == 0 {
                "scylla.in_flight"
            } else {
                "scylla.request_timeout_ms"
            };
            return Some((key, "must be at least 1".to_owned()));
        }
        None
    }
}

/// The longest keyspace name that CQL servers take.
const KEYSPACE_BYTES: usize = 48;
