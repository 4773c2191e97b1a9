//! The one place that chooses what keeps the event log.

use super::StartError;
use super::stores::{State, Stores};
use crate::config::{Config, Events};
use crate::events::kafka::{self, Kafka};
use crate::failpoints::Pointed;
use mitalk_actors::events::TOPICS;
use mitalk_actors::ports::{DeadLetters, EventSource};
use mitalk_cluster::SystemClock;
use mitalk_cluster::store::EventLog;
use prometheus::Registry;
use std::sync::Arc;

/// The event log, by its sides.
pub(super) struct Log {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) source: Arc<dyn EventSource>,
    pub(super) letters: Arc<dyn DeadLetters>,
    /// For readiness.
    pub(super) kafka: Option<Kafka>,
}

impl Log {
    /// What the configuration says. Brokers that do not answer yet are waited for in the background.
    pub(super) fn open(config: &Config, registry: &Registry, stores: &Stores) -> Result<Self, StartError> {
        match (config.storage.events, &stores.state) {
            (Events::Sqlite, State::File(store)) => Ok(Self::over(store.clone(), None)),
            (Events::Sqlite, State::Cluster(_)) => Err(StartError::EventsOfOneNode),
            (Events::Kafka, _) => {
                let metrics = kafka::Metrics::new(registry)?;
                let (ledger, clock) = (stores.ledger.clone(), Arc::new(SystemClock));
                let kafka = Kafka::start(&config.kafka, &TOPICS, ledger, clock, metrics)?;
                Ok(Self::over(kafka.clone(), Some(kafka)))
            }
        }
    }

    fn over<P: EventLog + EventSource + DeadLetters>(port: P, kafka: Option<Kafka>) -> Self {
        let port = Arc::new(Pointed(port));
        Self {
            log: port.clone(),
            source: port.clone(),
            letters: port,
            kafka,
        }
    }
}
