//! What operators see of people on a node: sign-ins, codes, what was told and pushed, live sockets.

use crate::person::Standing;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// One per node. Counts from its making on; registered by whoever shows them.
#[derive(Clone, Debug)]
pub struct Metrics {
    codes: IntCounterVec,
    sign_ins: IntCounterVec,
    told: IntCounterVec,
    pushes: IntCounterVec,
    under_way: IntGaugeVec,
    full: IntCounterVec,
    pub(crate) live_sockets: IntGauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let counters = |name, help, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("name and labels are well formed")
        };
        Self {
            codes: counters(
                "mitalk_people_codes_total",
                "One-time codes, by outcome.",
                &["outcome"],
            ),
            sign_ins: counters(
                "mitalk_people_sign_ins_total",
                "Devices signed in, by standing.",
                &["standing"],
            ),
            told: counters(
                "mitalk_people_events_total",
                "Events dealt with, by consumer group and outcome.",
                &["group", "outcome"],
            ),
            pushes: counters(
                "mitalk_push_sent_total",
                "Pushes given to push services, by outcome.",
                &["outcome"],
            ),
            under_way: IntGaugeVec::new(
                Opts::new(
                    "mitalk_people_events_under_way",
                    "Events from the oldest that is not dealt with, by consumer group and topic.",
                ),
                &["group", "topic"],
            )
            .expect("name and labels are well formed"),
            full: counters(
                "mitalk_people_events_full_total",
                "Times that a topic was not read on because too much was under way, by consumer group.",
                &["group"],
            ),
            live_sockets: IntGauge::new("mitalk_people_live_sockets", "Live sockets on this node.")
                .expect("the name is well formed"),
        }
    }
}

impl Metrics {
    /// Shows them in `registry`.
    ///
    /// # Errors
    /// They are in it already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.codes.clone()))?;
        registry.register(Box::new(self.sign_ins.clone()))?;
        registry.register(Box::new(self.told.clone()))?;
        registry.register(Box::new(self.pushes.clone()))?;
        registry.register(Box::new(self.under_way.clone()))?;
        registry.register(Box::new(self.full.clone()))?;
        registry.register(Box::new(self.live_sockets.clone()))
    }

    /// A one-time code was handed to the provider, or was not.
    pub(crate) fn code(&self, sent: bool) {
        self.codes
            .with_label_values(&[if sent { "sent" } else { "not_sent" }])
            .inc();
    }

    /// A device signed in with a code.
    pub(crate) fn signed_in(&self, standing: Standing) {
        let standing = match standing {
            Standing::Waiting => "waiting",
            Standing::Active => "active",
            Standing::Suspended => "suspended",
            Standing::Deleted => "deleted",
        };
        self.sign_ins.with_label_values(&[standing]).inc();
    }

    /// An event was `dealt_with`, is tried `again`, or is `dead`.
    pub(crate) fn event(&self, group: &str, outcome: &str) {
        self.told.with_label_values(&[group, outcome]).inc();
    }

    /// A push was `sent`, or why it was not.
    pub(crate) fn push(&self, outcome: &str) {
        self.pushes.with_label_values(&[outcome]).inc();
    }

    /// So much of a topic is held in memory for a group.
    pub(crate) fn events_under_way(&self, group: &str, topic: &str, events: usize) {
        let gauge = self.under_way.with_label_values(&[group, topic]);
        gauge.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// A topic is not read on for a group.
    pub(crate) fn events_full(&self, group: &str) {
        self.full.with_label_values(&[group]).inc();
    }
}
