//! The event log over a real broker: the same suite, and what only Kafka has.
//!
//! `MITALK_TEST_KAFKA=host:port` names the broker; `make test` starts one (`deploy/local/kafka.sh`) and says so. Without it
//! these are left out. Each test has topics and groups of its own, by a prefix.

mod letters;
mod outage;
mod over_tls;
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use mitalk::config::Kafka as Config;
use mitalk::events::kafka::{Kafka, Metrics, State};
use mitalk_actors::events::AUDIT;
use mitalk_actors::ports::{EventSource as _, Ledger};
use mitalk_actors::testing::{contract, memory};
use mitalk_cluster::store::{Event, EventLog as _, StoreError};
use mitalk_cluster::{EntityId, SystemClock, Timestamp, Trace};
use mitalk_tests::kafka::named;
use mitalk_tests::stores;

use crate::{Fresh, for_seeds};

/// Seeds of the suite: members wait for their groups, which takes seconds.
const SEEDS: u64 = 2;
/// A broker that runs has answered by then.
const ANSWER: Duration = Duration::from_secs(30);
const PARTITIONS: u32 = 3;
/// Entities that append side by side, and how often each does.
const ENTITIES: u64 = 200;
const EACH: u64 = 20;

fn config(broker: &str) -> Config {
    Config {
        brokers: vec![broker.to_owned()],
        prefix: format!("test-{:016x}-", rand::random::<u64>()),
        partitions: PARTITIONS,
        replication: stores::brokers(),
        min_isr: stores::brokers() / 2 + 1,
        ..Config::default()
    }
}

fn start(config: &Config, ledger: Arc<dyn Ledger>) -> Kafka {
    let metrics = Metrics::new(&prometheus::Registry::new()).expect("a registry of its own");
    let topics = [contract::TOPIC, contract::OTHER, AUDIT];
    Kafka::start(config, &topics, ledger, Arc::new(SystemClock), metrics).expect("the settings are fine")
}

/// With the broker behind it.
async fn connected(config: &Config, ledger: Arc<dyn Ledger>) -> Kafka {
    let kafka = start(config, ledger);
    if tokio::time::timeout(ANSWER, kafka.connected()).await.is_err() {
        panic!(
            "MITALK_TEST_KAFKA is set, but {:?} does not answer: {:?}",
            config.brokers,
            kafka.state()
        );
    }
    kafka
}

fn event(source: u64, sequence: u64) -> Event {
    Event {
        source: EntityId::new("contract", &source.to_string()),
        sequence,
        at: Timestamp(1_800_000_000_000),
        payload: vec![7; 200],
        trace: Trace::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    let Some(broker) = named() else { return };
    let ledger = Fresh::new();
    let kafka = connected(&config(&broker), Arc::new(ledger.store.clone())).await;
    contract::events(&kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_with_faults() {
    let Some(broker) = named() else { return };
    connected(&config(&broker), Arc::new(memory::Log::default())).await;
    let fresh = || {
        let (store, directory) = Fresh::new().parts();
        (
            start(&config(&broker), Arc::new(store.clone())),
            (store, directory),
        )
    };
    for_seeds(SEEDS, fresh, async |kafka| contract::events(kafka).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_not_as_configured_are_explained_and_left_alone() {
    let Some(broker) = named() else { return };
    let first = config(&broker);
    let made = connected(&first, Arc::new(memory::Log::default())).await;
    assert_eq!(made.state(), State::Connected { mismatches: vec![] });
    let other = Config {
        partitions: PARTITIONS + 1,
        replication: first.replication + 1,
        retention_hours: 1,
        audit_retention_hours: 1,
        ..first.clone()
    };
    let kafka = connected(&other, Arc::new(memory::Log::default())).await;
    let State::Connected { mismatches } = kafka.state() else {
        panic!("{:?}", kafka.state());
    };
    let topic = format!("{}{}", first.prefix, contract::TOPIC);
    let audit = format!("{}{AUDIT}", first.prefix);
    for expected in [
        format!("the topic {topic} has 3 partitions, kafka.partitions asks for 4"),
        format!(
            "the topic {topic} has {} copies, kafka.replication asks for {}",
            first.replication, other.replication
        ),
        format!("the topic {topic} has retention.ms=604800000, the configuration asks for 3600000"),
        format!("the topic {audit} has retention.ms=-1, the configuration asks for 3600000"),
    ] {
        assert!(
            mismatches.iter().any(|mismatch| mismatch.starts_with(&expected)),
            "{expected}: {mismatches:?}"
        );
    }
    kafka
        .append(contract::TOPIC, &event(1, 1))
        .await
        .expect("it goes on all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_cannot_be_made_are_explained() {
    let Some(broker) = named() else { return };
    let config = Config {
        replication: 9,
        ..config(&broker)
    };
    let kafka = start(&config, Arc::new(memory::Log::default()));
    let reason = away_because(&kafka, "kafka.replication").await;
    let there = format!("there are {} brokers", stores::brokers());
    assert!(reason.contains(&there), "{reason}");
}

/// Needs no broker.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_appends_are_refused_at_once() {
    // Nobody listens there: the port was free a moment ago, and is not given out again so soon.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = nobody.expect("loopback has free ports").to_string();
    let kafka = start(&config(&address), Arc::new(memory::Log::default()));
    let refused = kafka.append(contract::TOPIC, &event(1, 1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let reason = away_because(&kafka, "no broker answers").await;
    let refused = kafka.append(contract::TOPIC, &event(1, 1)).await;
    assert_eq!(refused, Err(StoreError::Unavailable(reason)));
    let refused = kafka.browse(contract::TOPIC, &[], 1).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

/// Waits until the state says so.
async fn away_because(kafka: &Kafka, what: &str) -> String {
    let told = async {
        loop {
            match kafka.state() {
                State::Away { reason, .. } if reason.contains(what) => return reason,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(ANSWER, told)
        .await
        .unwrap_or_else(|_| panic!("{what} is never said: {:?}", kafka.state()))
}

/// Rule 10: one row of an entity on the wire, entities side by side.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout, reason = "the figure is the point")]
async fn entities_append_side_by_side() {
    let Some(broker) = named() else { return };
    let kafka = connected(&config(&broker), Arc::new(memory::Log::default())).await;
    let began = std::time::Instant::now();
    kafka
        .append(contract::TOPIC, &event(0, 1))
        .await
        .expect("connected");
    let first = began.elapsed();
    let began = std::time::Instant::now();
    let appends = (1..=ENTITIES).map(|source| {
        let kafka = kafka.clone();
        tokio::spawn(async move {
            for sequence in 1..=EACH {
                kafka.append(contract::TOPIC, &event(source, sequence)).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    for append in futures::future::join_all(appends).await {
        append.expect("no panic").expect("the broker is there");
    }
    let (all, took) = (ENTITIES * EACH, began.elapsed());
    println!(
        "kafka: first append {first:?}; {all} appends of {ENTITIES} entities in {took:?}, {:.0}/s",
        all as f64 / took.as_secs_f64()
    );
    let mut newest = std::collections::HashMap::<EntityId, u64>::new();
    let (mut after, mut read) = (std::collections::BTreeMap::new(), 0);
    loop {
        let places: Vec<_> = after.values().copied().collect();
        let page = kafka
            .browse(contract::TOPIC, &places, 1_000)
            .await
            .expect("readable");
        if page.is_empty() {
            break;
        }
        for delivered in page {
            after.insert(delivered.place.partition, delivered.place);
            let before = newest.insert(delivered.event.source, delivered.event.sequence);
            assert!(
                before.is_none_or(|before| before < delivered.event.sequence),
                "in order"
            );
            read += 1;
        }
    }
    assert_eq!(read, all + 1);
}

/// Needs no broker: what was three nodes is one again once it is wiped, as whoever sets nothing expects.
#[test]
fn a_wiped_cluster_forgets_its_size() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let run = |command: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/kafka.sh");
        let mut run = std::process::Command::new(script);
        run.arg(command)
            .env("KAFKA_DIR", directory.path())
            .env_remove("KAFKA_NODES");
        let output = run.output().expect("bash is here");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").lines().count()
    };
    for node in ["1", "2", "3"] {
        std::fs::create_dir(directory.path().join(node)).expect("an empty directory");
    }
    std::fs::write(directory.path().join("nodes"), "3").expect("writable");
    assert_eq!(run("status"), 3);
    run("wipe");
    assert_eq!(run("status"), 1);
    assert!(!directory.path().join("2").exists(), "nothing is left of it");
}
