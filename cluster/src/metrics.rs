//! What this crate counts. One struct per node, passed in: several nodes share a test process.

mod backlog;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub(crate) use self::backlog::Account;
pub use self::backlog::Backlog;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The node's metrics, `mitalk_cluster_*`. Labels are enums, never ids.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Commands asked of this node's entities, by outcome.
    pub commands: IntCounterVec,
    /// Commands per commit.
    pub batch_commands: Histogram,
    /// Seconds from the first send of a commit to its known outcome.
    pub commit_seconds: Histogram,
    /// Store calls that failed, by operation.
    pub store_failures: IntCounterVec,
    /// Outbox rows delivered.
    pub relayed: IntCounter,
    /// Failed attempts to deliver an outbox row.
    pub relay_failures: IntCounter,
    /// Outbox rows not delivered yet.
    pub backlog: Backlog,
    /// Attempts to deliver a row that its target will not take as it is, by lane.
    pub relay_rejections: IntCounterVec,
    /// Timer rows delivered.
    pub timers: IntCounter,
    /// Actors that were started again after a failure, by supervisor.
    pub restarts: IntCounterVec,
    /// Entities activated.
    pub entities: IntGauge,
    /// Shards run.
    pub shards: IntGauge,
    /// Commands under way.
    pub in_flight: IntGauge,
    /// 1 while the lease holds.
    pub holds: Holds,
}

/// Whether the lease holds, asked at the very moment: a hold ends by time alone, and nothing happens when it does.
#[derive(Clone)]
pub struct Holds {
    gauge: IntGauge,
    asked: Arc<OnceLock<Question>>,
}

type Question = Box<dyn Fn() -> bool + Send + Sync>;

impl Holds {
    fn new(opts: Opts) -> Result<Self, prometheus::Error> {
        Ok(Self {
            gauge: IntGauge::with_opts(opts)?,
            asked: Arc::default(),
        })
    }

    /// Whom to ask from now on: the node that these metrics were given to, once.
    pub(crate) fn ask(&self, question: impl Fn() -> bool + Send + Sync + 'static) {
        let _already = self.asked.set(Box::new(question));
    }

    /// As it is now.
    pub fn get(&self) -> i64 {
        i64::from(self.asked.get().is_some_and(|holds| holds()))
    }
}

impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Holds").field(&self.get()).finish()
    }
}

impl Collector for Holds {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(self.get());
        self.gauge.collect()
    }
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// A name is taken in this registry.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self::unregistered()?;
        registry.register(Box::new(metrics.commands.clone()))?;
        registry.register(Box::new(metrics.batch_commands.clone()))?;
        registry.register(Box::new(metrics.commit_seconds.clone()))?;
        registry.register(Box::new(metrics.store_failures.clone()))?;
        registry.register(Box::new(metrics.relayed.clone()))?;
        registry.register(Box::new(metrics.relay_failures.clone()))?;
        registry.register(Box::new(metrics.backlog.clone()))?;
        registry.register(Box::new(metrics.relay_rejections.clone()))?;
        registry.register(Box::new(metrics.timers.clone()))?;
        registry.register(Box::new(metrics.restarts.clone()))?;
        registry.register(Box::new(metrics.entities.clone()))?;
        registry.register(Box::new(metrics.shards.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.holds.clone()))?;
        Ok(metrics)
    }

    fn unregistered() -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("mitalk_cluster_{name}"), help);
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            Histogram::with_opts(HistogramOpts::from(opts(name, help)).buckets(buckets))
        };
        Ok(Self {
            commands: IntCounterVec::new(opts("commands_total", "commands by outcome"), &["outcome"])?,
            batch_commands: histogram(
                "batch_commands",
                "commands per commit",
                vec![1., 2., 4., 8., 16., 32., 64., 128.],
            )?,
            commit_seconds: histogram(
                "commit_seconds",
                "time from first send to known outcome of a commit",
                prometheus::exponential_buckets(0.0005, 2.0, 14)?,
            )?,
            store_failures: IntCounterVec::new(
                opts("store_failures_total", "store calls that failed"),
                &["operation"],
            )?,
            relayed: IntCounter::with_opts(opts("relayed_total", "outbox rows delivered"))?,
            relay_failures: IntCounter::with_opts(opts(
                "relay_failures_total",
                "failed attempts to deliver an outbox row",
            ))?,
            backlog: Backlog::new(
                opts("outbox_rows", "outbox rows not delivered yet, by lane"),
                opts(
                    "outbox_oldest_seconds",
                    "age of the oldest outbox row not delivered yet, by lane",
                ),
            )?,
            relay_rejections: IntCounterVec::new(
                opts(
                    "relay_rejections_total",
                    "attempts to deliver an outbox row that its target will not take as it is",
                ),
                &["lane"],
            )?,
            timers: IntCounter::with_opts(opts("timers_total", "timer rows delivered"))?,
            restarts: IntCounterVec::new(
                opts("restarts_total", "actors started again after a failure"),
                &["supervisor"],
            )?,
            entities: IntGauge::with_opts(opts("entities_active", "entities in memory"))?,
            shards: IntGauge::with_opts(opts("shards_owned", "shards this node runs"))?,
            in_flight: IntGauge::with_opts(opts("commands_in_flight", "commands under way"))?,
            holds: Holds::new(opts("lease_holds", "1 while the node lease holds"))?,
        })
    }
}
