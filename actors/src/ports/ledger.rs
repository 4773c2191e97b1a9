//! What consumer groups dealt with, for an event log that can not keep it itself.

use async_trait::async_trait;
use mitalk_cluster::{EntityId, StoreError};

/// The highest sequence dealt with, per group, topic and source (rule 11). It belongs to the store, so a group that lost its
/// places still recognises what it knows.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// For each of these sources, in their order; 0: none yet.
    async fn recorded(&self, group: &str, topic: &str, sources: &[EntityId]) -> Result<Vec<u64>, StoreError>;
    /// Records one. Never goes back, whatever comes late or again.
    async fn record(
        &self,
        group: &str,
        topic: &str,
        source: &EntityId,
        sequence: u64,
    ) -> Result<(), StoreError>;
}
