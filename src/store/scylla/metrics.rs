//! What the CQL client tells Prometheus.

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Counters of one client; several in one process each register with a registry of their own.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Time of a call, by kind: read, serial, write, conditional.
    pub(super) seconds: HistogramVec,
    /// Calls without an answer, by kind and by what is known: unknown, unavailable, corrupt.
    pub(super) failures: IntCounterVec,
    /// Calls refused because too many wait.
    pub(super) overloaded: IntCounter,
    /// Calls under way.
    pub(super) in_flight: IntGauge,
    /// Calls waiting for a place.
    pub(super) waiting: IntGauge,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When the registry already has a client's metrics.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let buckets = prometheus::exponential_buckets(0.000_5, 2.0, 14)?;
        let seconds =
            HistogramOpts::new("mitalk_cql_seconds", "Time of a CQL call, by kind").buckets(buckets);
        let metrics = Self {
            seconds: HistogramVec::new(seconds, &["kind"])?,
            failures: IntCounterVec::new(
                Opts::new(
                    "mitalk_cql_failures_total",
                    "CQL calls without an answer, by kind and outcome",
                ),
                &["kind", "outcome"],
            )?,
            overloaded: IntCounter::new(
                "mitalk_cql_overloaded_total",
                "CQL calls refused because too many were waiting",
            )?,
            in_flight: IntGauge::new("mitalk_cql_in_flight", "CQL calls under way")?,
            waiting: IntGauge::new("mitalk_cql_waiting", "CQL calls waiting for a place")?,
        };
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.overloaded.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.waiting.clone()))?;
        Ok(metrics)
    }
}

/// One more in a gauge as long as it lives.
pub(super) struct Counted(IntGauge);

impl Counted {
    pub(super) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
