//! What the database tells Prometheus.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

/// Counters of one database; several in one process each register with a registry of their own.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Transactions committed.
    pub(super) commits: IntCounter,
    /// Writes asked for, refused and failed ones included.
    pub(super) writes: IntCounter,
    /// Writes turned away because the queue was full.
    pub(super) overloaded: IntCounter,
    /// Writes that failed because the disk is full.
    pub(super) full: IntCounter,
    /// Writes waiting for the writer thread.
    pub(super) queued: IntGauge,
    /// Writes per transaction.
    pub(super) group: Histogram,
    /// Time of a COMMIT with its fsync.
    pub(super) commit_time: Histogram,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When the registry already has a store's metrics.
    pub fn new(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let metrics = Metrics {
            commits: IntCounter::new("mitalk_store_commits_total", "Transactions committed")?,
            writes: IntCounter::new("mitalk_store_writes_total", "Writes asked of the store")?,
            overloaded: IntCounter::new(
                "mitalk_store_overloaded_total",
                "Requests refused because a queue was full",
            )?,
            full: IntCounter::new(
                "mitalk_store_full_total",
                "Writes refused because the disk is full",
            )?,
            queued: IntGauge::new(
                "mitalk_store_queued_writes",
                "Writes waiting for the writer thread",
            )?,
            group: Histogram::with_opts(
                HistogramOpts::new("mitalk_store_group_writes", "Writes carried by one transaction")
                    .buckets(prometheus::exponential_buckets(1.0, 2.0, 9)?),
            )?,
            commit_time: Histogram::with_opts(
                HistogramOpts::new("mitalk_store_commit_seconds", "Time of a commit with its fsync")
                    .buckets(prometheus::exponential_buckets(0.000_1, 2.0, 16)?),
            )?,
        };
        registry.register(Box::new(metrics.commits.clone()))?;
        registry.register(Box::new(metrics.writes.clone()))?;
        registry.register(Box::new(metrics.overloaded.clone()))?;
        registry.register(Box::new(metrics.full.clone()))?;
        registry.register(Box::new(metrics.queued.clone()))?;
        registry.register(Box::new(metrics.group.clone()))?;
        registry.register(Box::new(metrics.commit_time.clone()))?;
        Ok(metrics)
    }
}
