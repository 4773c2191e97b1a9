//! What operators see of the brokers.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// One per node.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) produced: IntCounterVec,
    pub(super) failed: IntCounterVec,
    pub(super) connected: IntGauge,
    pub(super) away: IntCounter,
    pub(super) mismatches: IntGauge,
    lag: IntGaugeVec,
}

impl Metrics {
    /// Shows them in `registry`.
    ///
    /// # Errors
    /// They are in it already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            produced: IntCounterVec::new(
                Opts::new(
                    "mitalk_kafka_produced_total",
                    "Events that the brokers hold, by topic.",
                ),
                &["topic"],
            )?,
            failed: IntCounterVec::new(
                Opts::new(
                    "mitalk_kafka_not_produced_total",
                    "Events that were not sent (refused, never) or perhaps (unknown).",
                ),
                &["outcome"],
            )?,
            connected: IntGauge::new(
                "mitalk_kafka_connected",
                "1 while a broker answers and the topics are there, else 0: then no event is tried.",
            )?,
            away: IntCounter::new("mitalk_kafka_away_total", "Times that the brokers went away.")?,
            mismatches: IntGauge::new(
                "mitalk_kafka_topic_mismatches",
                "Settings of topics that were not as configured when the brokers were last connected to; /readyz names them.",
            )?,
            lag: IntGaugeVec::new(
                Opts::new(
                    "mitalk_kafka_consumer_lag_events",
                    "Events that this node's part of a group has not dealt with, by group and topic; 0 until the first one was.",
                ),
                &["group", "topic"],
            )?,
        };
        registry.register(Box::new(metrics.produced.clone()))?;
        registry.register(Box::new(metrics.failed.clone()))?;
        registry.register(Box::new(metrics.connected.clone()))?;
        registry.register(Box::new(metrics.away.clone()))?;
        registry.register(Box::new(metrics.mismatches.clone()))?;
        registry.register(Box::new(metrics.lag.clone()))?;
        Ok(metrics)
    }

    pub(super) fn lag(&self, group: &str, topic: &str, events: i64) {
        self.lag.with_label_values(&[group, topic]).set(events);
    }
}
