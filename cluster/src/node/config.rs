//! What an operator may set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A node's place and its bounds. All durations are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The node's name: unique in the cluster, stable over restarts.
    pub node: String,
    /// Where it stands.
    pub region: String,
    /// How long a beat must not change before another node takes over.
    pub ttl_ms: u64,
    /// How often a beat is sent and shard rows are read.
    pub beat_ms: u64,
    /// An idle entity leaves memory after that time.
    pub passivate_ms: u64,
    /// How long one call to a store may take before its outcome counts as unknown.
    pub store_timeout_ms: u64,
    /// How long an urgent command waits for the store before it answers `pending`.
    pub urgent_ms: u64,
    /// How long a drain may take.
    pub drain_ms: u64,
    /// Commands under way in this node; over it, `Overloaded`. Urgent ones have an eighth more.
    pub in_flight: usize,
    /// Commands waiting in one entity, behind those being committed; over it, `Overloaded`. The last eighth is for urgent
    /// ones.
    pub entity_in_flight: usize,
    /// Entities in memory; over it, commands to others get `Overloaded`. What is owed is activated all the same, 64 at once
    /// beyond it.
    pub entities: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: "one".to_owned(),
            region: "local".to_owned(),
            ttl_ms: 12_000,
            beat_ms: 2_000,
            passivate_ms: 60_000,
            store_timeout_ms: 3_000,
            urgent_ms: 300,
            drain_ms: 20_000,
            in_flight: 16_384,
            entity_in_flight: 1_024,
            entities: 100_000,
        }
    }
}

/// A configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cluster.{field}: {reason}")]
pub struct ConfigError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong and what would do.
    pub reason: String,
}

impl Config {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first field that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |field, reason: &str| {
            Err(ConfigError {
                field,
                reason: reason.to_owned(),
            })
        };
        if self.node.is_empty() || self.node.len() > 64 {
            return wrong("node", "give the node a name of 1 to 64 bytes");
        }
        if self.beat_ms == 0 || self.beat_ms.saturating_mul(4) > self.ttl_ms {
            return wrong("beat_ms", "must be at least 1 and at most a quarter of ttl_ms");
        }
        if self.store_timeout_ms == 0 {
            return wrong("store_timeout_ms", "must be at least 1");
        }
        if self.in_flight == 0 {
            return wrong("in_flight", "must be at least 1");
        }
        if self.entity_in_flight < 8 {
            return wrong("entity_in_flight", "must be at least 8");
        }
        if self.entities == 0 {
            return wrong("entities", "must be at least 1");
        }
        Ok(())
    }

    /// The longest that [`Cluster::shutdown`](crate::Cluster::shutdown) takes: the drain, and the last words to the store.
    pub fn shutdown_limit(&self) -> Duration {
        Duration::from_millis(self.drain_ms) + self.store_timeout() * 2
    }

    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    pub(crate) fn beat(&self) -> Duration {
        Duration::from_millis(self.beat_ms)
    }

    pub(crate) fn store_timeout(&self) -> Duration {
        Duration::from_millis(self.store_timeout_ms)
    }
}
