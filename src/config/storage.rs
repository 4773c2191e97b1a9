//! Where state lives.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which store keeps the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// One file in the data directory, for one process.
    #[default]
    Sqlite,
    /// A CQL cluster.
    Scylla,
}

/// What keeps the event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Events {
    /// The database in the data directory.
    #[default]
    Sqlite,
    /// A Kafka cluster.
    Kafka,
}

/// Where state lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The data directory: database, secrets and the operators' token. It is made when it is missing; a relative path
    /// starts where the process was started. Back it up as a whole.
    pub data_dir: PathBuf,
    /// `sqlite`: one file in the data directory, for one process. `scylla`: a CQL cluster; see there.
    pub store: Store,
    /// What keeps the event log. `sqlite`: the same file; `kafka`: the cluster of the section `kafka`.
    pub events: Events,
    /// Writes are refused as if the disk were full once the database has so many bytes; 0: the disk is the limit. For
    /// machines where something else needs the rest.
    pub max_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("var"),
            store: Store::Sqlite,
            events: Events::Sqlite,
            max_bytes: 0,
        }
    }
}

impl Storage {
    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("mitalk.db")
    }
}
