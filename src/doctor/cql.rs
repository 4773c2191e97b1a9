//! The CQL cluster.

use super::Finding;
use crate::config::{Config, Store};
use crate::store::scylla::{self, OpenError};

/// Nothing where the state is in a file.
pub(super) fn examine(config: &Config) -> Option<Finding> {
    if config.storage.store != Store::Scylla {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let planned = match runtime {
        Ok(runtime) => runtime.block_on(scylla::plan(&config.scylla)),
        Err(error) => return Some(Finding::error("the CQL cluster was not asked", error.to_string())),
    };
    Some(match planned {
        Ok(missing) if missing.is_empty() => Finding::fine(format!(
            "the CQL cluster answers, and keyspace {} is of this release",
            config.scylla.keyspace
        )),
        Ok(missing) => Finding::error(
            format!(
                "keyspace {} lacks {} migrations of this release",
                config.scylla.keyspace,
                missing.len()
            ),
            "run `mitalk migrate`; with --plan it shows what it would do",
        ),
        Err(error @ OpenError::Newer { .. }) => {
            Finding::error("the keyspace was written by a newer release", error.to_string())
        }
        Err(error) => Finding::error("the CQL cluster cannot be used", error.to_string()),
    })
}
