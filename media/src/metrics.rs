//! The engine's figures for Prometheus. Shards count in plain integers and publish once a second.

use prometheus::{IntCounter, IntGauge, Registry};

/// All metrics of one engine. Several engines in one process need a registry each.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) sessions: IntGauge,
    pub(crate) packets_in: IntCounter,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// A metric of the same name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            sessions: IntGauge::new("mitalk_media_sessions", "Sessions on this node")?,
            packets_in: IntCounter::new(
                "mitalk_media_packets_in_total",
                "RTP packets received from speakers",
            )?,
        };
        registry.register(Box::new(metrics.sessions.clone()))?;
        registry.register(Box::new(metrics.packets_in.clone()))?;
        Ok(metrics)
    }
}
