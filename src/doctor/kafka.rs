//! The Kafka cluster.

use super::Finding;
use crate::config::{Config, Events};
use crate::events::kafka;
use mitalk_actors::events::TOPICS;

/// Nothing where the event log is in the database.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    if config.storage.events != Events::Kafka {
        return vec![];
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let looked = match runtime {
        Ok(runtime) => runtime.block_on(kafka::look(&config.kafka, &TOPICS)),
        Err(error) => {
            return vec![Finding::error(
                "the Kafka brokers were not asked",
                error.to_string(),
            )];
        }
    };
    let brokers = config.kafka.brokers.join(", ");
    let looked = match looked {
        Ok(looked) => looked,
        Err(reason) => {
            return vec![Finding::error(
                format!("the Kafka brokers at {brokers} cannot be used"),
                format!("{reason}; check kafka.brokers, kafka.security and whether they run"),
            )];
        }
    };
    let mut findings = vec![Finding::fine(format!("the Kafka brokers at {brokers} answer"))];
    if !looked.missing.is_empty() {
        findings.push(Finding::fine(format!(
            "{} topics will be made at the first start, {} among them",
            looked.missing.len(),
            looked.missing[0]
        )));
    }
    let differs = |what| Finding::warning("a Kafka topic is not as configured", what);
    findings.extend(looked.mismatches.into_iter().map(differs));
    findings
}
