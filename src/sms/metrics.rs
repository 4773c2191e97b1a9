//! What operators see of text messages.

use mitalk_actors::ports::SmsError;
use prometheus::{IntCounterVec, Opts, Registry};

/// One per node.
#[derive(Clone, Debug)]
pub struct Metrics {
    sent: IntCounterVec,
    receipts: IntCounterVec,
}

impl Metrics {
    /// Shows them in `registry`.
    ///
    /// # Errors
    /// They are in it already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            sent: IntCounterVec::new(
                Opts::new(
                    "mitalk_sms_sent_total",
                    "Text messages given to the provider, by kind and by what it said: taken, busy, unavailable, refused.",
                ),
                &["kind", "outcome"],
            )?,
            receipts: IntCounterVec::new(
                Opts::new(
                    "mitalk_sms_receipts_total",
                    "What the provider reported of text messages: delivered, failed, unknown.",
                ),
                &["kind", "outcome"],
            )?,
        };
        registry.register(Box::new(metrics.sent.clone()))?;
        registry.register(Box::new(metrics.receipts.clone()))?;
        Ok(metrics)
    }

    pub(super) fn sent(&self, kind: &str, sent: &Result<(), SmsError>) {
        let outcome = match sent {
            Ok(()) => "taken",
            Err(SmsError::Busy { .. }) => "busy",
            Err(SmsError::Unavailable { .. }) => "unavailable",
            Err(SmsError::Refused { .. }) => "refused",
        };
        self.sent.with_label_values(&[kind, outcome]).inc();
    }

    pub(super) fn received(&self, kind: &str, outcome: &str) {
        self.receipts.with_label_values(&[kind, outcome]).inc();
    }
}
