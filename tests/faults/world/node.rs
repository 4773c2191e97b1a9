//! A node that can die without a word.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use mitalk::events::kafka::{self, Kafka};
use mitalk::store::scylla::{self, Store};
use mitalk_actors::ports::EventSource as _;
use mitalk_actors::testing::memory;
use mitalk_cluster::testing::Faulty;
use mitalk_cluster::{AskError, Builder, Call, Cluster, Config, Metrics, Ports, SystemClock, wire};
use mitalk_tests::stores::Fresh;
use prometheus::Registry;
use tokio::runtime::Runtime;

use super::PATIENCE;
use super::account::{Account, Command, Never, Nothing, Reply, TOPIC};

/// More than a world sends.
const ALL_EVENTS: usize = 100_000;

/// What a node stands on, and how badly.
#[derive(Clone)]
pub(super) struct Parts {
    fresh: Fresh,
    seed: u64,
    faults: f64,
}

impl Parts {
    pub(super) fn of(fresh: &Fresh, seed: u64, faults: f64) -> Self {
        Self {
            fresh: fresh.clone(),
            seed,
            faults,
        }
    }

    /// Sessions of a node's own.
    async fn ports(&self, registry: &Registry) -> Result<Ports> {
        let store = Box::pin(Store::open(self.fresh.cql(), scylla::Metrics::new(registry)?)).await?;
        let kafka = self.kafka(registry).await?;
        let store = Arc::new(Faulty::new(store, self.seed, self.faults));
        Ok(Ports {
            lease: store.clone(),
            entity: store.clone(),
            timer: store.clone(),
            tables: store,
            events: Arc::new(Faulty::new(kafka, self.seed, self.faults)),
        })
    }

    async fn kafka(&self, registry: &Registry) -> Result<Kafka> {
        let ledger = Arc::new(memory::Log::default());
        let metrics = kafka::Metrics::new(registry)?;
        let kafka = Kafka::start(
            self.fresh.topics(),
            &[TOPIC],
            ledger,
            Arc::new(SystemClock),
            metrics,
        )?;
        kafka.connected().await;
        Ok(kafka)
    }

    /// Ids and entries in the topic, in its order.
    pub(super) async fn events(&self) -> Result<Vec<(String, u32)>> {
        let kafka = self.kafka(&Registry::new()).await?;
        let batch = kafka.browse(TOPIC, &[], ALL_EVENTS).await?;
        let events = batch.into_iter().map(|delivered| {
            let event = delivered.event;
            Ok((event.id(), wire::decode(&event.payload)?))
        });
        events.collect()
    }
}

/// A node. It dies when this is dropped, and nothing that is under way is finished.
pub(super) struct Life {
    runtime: Mortal,
    cluster: Arc<Cluster>,
}

/// Ends without waiting for anybody.
struct Mortal(Option<Runtime>);

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Life {
    /// Starts one, with short leases, and waits until it has its shards.
    pub(super) async fn start(name: &str, parts: &Parts) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let config = Config {
            node: name.to_owned(),
            ttl_ms: 3_000,
            beat_ms: 500,
            store_timeout_ms: 1_500,
            ..Config::default()
        };
        let parts = parts.clone();
        let start = async move {
            let registry = Registry::new();
            let ports = parts.ports(&registry).await?;
            let builder = Builder::new(config, ports, Arc::new(SystemClock), Metrics::new(&registry)?);
            anyhow::Ok(builder.entity::<Account>(Arc::new(Nothing)).start().await?)
        };
        let started = runtime.spawn(start);
        let runtime = Mortal(Some(runtime));
        let cluster = started.await.context("its start was cut short")??;
        Ok(Self {
            runtime,
            cluster: Arc::new(cluster),
        })
    }

    pub(super) fn cluster(&self) -> Arc<Cluster> {
        self.cluster.clone()
    }

    pub(super) async fn ask(&self, account: &str, command: Command) -> Result<Reply, AskError<Never>> {
        self.cluster
            .ask::<Account>(account, command, Call::within(PATIENCE))
            .await
    }

    pub(super) fn die(self) {
        drop(self.runtime);
    }
}
