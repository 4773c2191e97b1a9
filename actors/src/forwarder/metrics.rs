//! What operators see of the forwarders of a node.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// One per node, passed in: several nodes share a test process.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) forwarders: IntGauge,
    pub(super) people: IntGauge,
    pub(super) joins: IntCounterVec,
    pub(crate) resyncs: IntCounter,
    pub(super) restarts: IntCounter,
    pub(super) refused: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        let gauge = |name, help| IntGauge::new(name, help).expect("the name is well formed");
        let counter = |name, help| IntCounter::new(name, help).expect("the name is well formed");
        let joins = Opts::new(
            "mitalk_rooms_joins_total",
            "Joins of rooms on this node, by outcome.",
        );
        Self {
            forwarders: gauge("mitalk_rooms_forwarders", "Rooms that this node has people of."),
            people: gauge("mitalk_rooms_people", "People in rooms on this node."),
            joins: IntCounterVec::new(joins, &["outcome"]).expect("the name is well formed"),
            resyncs: counter(
                "mitalk_rooms_resyncs_total",
                "Times a forwarder asked a home for everything.",
            ),
            restarts: counter("mitalk_rooms_forwarder_restarts_total", "Forwarders that failed."),
            refused: counter(
                "mitalk_rooms_letters_refused_total",
                "Letters refused by a full mailbox.",
            ),
        }
    }
}

impl Metrics {
    /// Shows them in `registry`.
    ///
    /// # Errors
    /// They are in it already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.forwarders.clone()))?;
        registry.register(Box::new(self.people.clone()))?;
        registry.register(Box::new(self.joins.clone()))?;
        registry.register(Box::new(self.resyncs.clone()))?;
        registry.register(Box::new(self.restarts.clone()))?;
        registry.register(Box::new(self.refused.clone()))
    }
}
