//! A broker of the test's own is killed and started again under appends: everything acknowledged is there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mitalk::events::kafka::{Kafka, State};
use mitalk_actors::ports::{Batch, Delivered, EventSource as _, Place};
use mitalk_actors::testing::{contract, memory};
use mitalk_cluster::EntityId;
use mitalk_cluster::store::{EventLog as _, StoreError};
use mitalk_tests::kafka::{Broker, named};

use super::{Config, config, event, start};

/// Entities that append all the time.
const WRITERS: u64 = 32;
/// Kills.
const KILLS: usize = 2;
/// Acknowledged between two kills.
const BETWEEN: u64 = 2_000;
/// Whatever is waited for has happened by then, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// What the writers saw.
#[derive(Default)]
struct Seen {
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
    /// The last sequence of each entity that was acknowledged.
    last: Mutex<HashMap<u64, u64>>,
    /// The longest that an append went without an answer of `Ok`.
    stall: Mutex<Duration>,
}

/// As the relay does: the next row only when this one is there (rule 10).
async fn write(kafka: Kafka, seen: Arc<Seen>, source: u64) -> Result<(), StoreError> {
    for sequence in 1.. {
        let began = Instant::now();
        while let Err(error) = kafka.append(contract::TOPIC, &event(source, sequence)).await {
            match error {
                StoreError::Unknown(_) => seen.unknown.fetch_add(1, Ordering::SeqCst),
                StoreError::Unavailable(_) => seen.refused.fetch_add(1, Ordering::SeqCst),
                error => return Err(error),
            };
            tokio::time::sleep(LOOK).await;
        }
        let mut stall = seen.stall.lock().expect("no panic");
        *stall = began.elapsed().max(*stall);
        drop(stall);
        seen.last.lock().expect("no panic").insert(source, sequence);
        seen.acknowledged.fetch_add(1, Ordering::SeqCst);
        if seen.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok(())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let wait = async {
        while !holds() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .with_context(|| format!("never: {what}"))
}

/// Those brokers are alone, however many the run has.
fn of_one(broker: &Broker) -> Config {
    Config {
        replication: 1,
        min_isr: 1,
        ..config(&broker.address())
    }
}

/// Away at start, killed twice under load.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout, reason = "the figures are the point")]
async fn a_broker_that_dies_under_appends_loses_nothing_acknowledged() -> Result<()> {
    if named().is_none() {
        return Ok(());
    }
    let broker = Broker::new()?;
    let config = of_one(&broker);
    let kafka = start(&config, Arc::new(memory::Log::default()));
    until("away", || matches!(kafka.state(), State::Away { .. })).await?;
    let seen = Arc::new(Seen::default());
    let writers: Vec<_> = (1..=WRITERS)
        .map(|source| tokio::spawn(write(kafka.clone(), seen.clone(), source)))
        .collect();
    until("refused while away", || {
        seen.refused.load(Ordering::SeqCst) >= WRITERS
    })
    .await?;
    ensure!(seen.acknowledged.load(Ordering::SeqCst) == 0, "nobody was there");
    broker.run("start").await?;

    for kill in 1..=KILLS {
        let before = seen.acknowledged.load(Ordering::SeqCst);
        let enough = || seen.acknowledged.load(Ordering::SeqCst) >= before + BETWEEN;
        until("appends are acknowledged", enough).await?;
        broker.run("kill").await?;
        until("the loss is noticed", || {
            matches!(kafka.state(), State::Away { .. })
        })
        .await?;
        let began = Instant::now();
        let at = seen.acknowledged.load(Ordering::SeqCst);
        broker.run("start").await?;
        until("appends go on", || seen.acknowledged.load(Ordering::SeqCst) > at).await?;
        println!(
            "kafka: kill {kill}: goes on {:?} after the start was asked for",
            began.elapsed()
        );
    }
    seen.stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await?.context("a writer")?;
    }
    check(&kafka, &seen).await
}

/// The sender hears how it ended, and so does the state: nobody waits for an answer that the node would not listen to.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout, reason = "the figure is the point")]
async fn an_append_to_a_broker_that_stands_still_ends_by_itself() -> Result<()> {
    if named().is_none() {
        return Ok(());
    }
    let broker = Broker::new()?;
    broker.run("start").await?;
    let config = of_one(&broker);
    let kafka = start(&config, Arc::new(memory::Log::default()));
    tokio::time::timeout(PATIENCE, kafka.connected()).await?;
    broker.run("pause").await?;
    let began = Instant::now();
    let event = event(1, 1);
    let ended = tokio::time::timeout(PATIENCE, kafka.append(contract::TOPIC, &event)).await?;
    ensure!(matches!(ended, Err(StoreError::Unknown(_))), "{ended:?}");
    println!(
        "kafka: an append that must end within {:?} ended after {:?}",
        config.message_timeout(),
        began.elapsed()
    );
    until("the loss is noticed", || {
        matches!(kafka.state(), State::Away { .. })
    })
    .await?;
    broker.run("resume").await?;
    tokio::time::timeout(PATIENCE, kafka.connected()).await?;
    kafka.append(contract::TOPIC, &event).await?;
    Ok(())
}

/// Everything that is in the topic.
async fn read(kafka: &Kafka) -> Result<Batch> {
    let (mut after, mut all) = (BTreeMap::new(), vec![]);
    loop {
        let places: Vec<_> = after.values().copied().collect();
        let page = kafka.browse(contract::TOPIC, &places, 1_000).await?;
        if page.is_empty() {
            return Ok(all);
        }
        let last = page
            .iter()
            .map(|delivered| (delivered.place.partition, delivered.place));
        after.extend(last);
        all.extend(page);
    }
}

/// The first of a source, in the order in which they were read.
fn places_of(all: &Batch, source: &EntityId) -> Vec<(u64, Place)> {
    let own = all.iter().filter(|delivered| delivered.event.source == *source);
    own.map(|delivered| (delivered.event.sequence, delivered.place))
        .take(10)
        .collect()
}

/// Reads it all: nothing acknowledged is missing, repeats stand directly behind what they repeat.
#[allow(clippy::print_stdout, reason = "the figures are the point")]
async fn check(kafka: &Kafka, seen: &Seen) -> Result<()> {
    let all = read(kafka).await?;
    let (mut found, mut repeats) = (HashSet::new(), 0);
    let mut newest = HashMap::<&EntityId, u64>::new();
    for Delivered { event, place, .. } in &all {
        let last = newest.entry(&event.source).or_default();
        ensure!(
            event.sequence <= *last + 1,
            "{} at {place:?} leaves a gap behind {last}; of its source there are {:?}",
            event.id(),
            places_of(&all, &event.source)
        );
        *last = event.sequence.max(*last);
        repeats += usize::from(!found.insert((event.source.clone(), event.sequence)));
    }
    let acknowledged = seen.acknowledged.load(Ordering::SeqCst);
    let last = seen.last.lock().expect("no panic").clone();
    for (source, last) in last {
        for sequence in 1..=last {
            let id = (EntityId::new("contract", &source.to_string()), sequence);
            ensure!(found.contains(&id), "{id:?} was acknowledged and is gone");
        }
    }
    println!(
        "kafka: {KILLS} kills, {acknowledged}/{acknowledged} acknowledged found, {repeats} repeats, {} unknown and {} refused \
         answers, longest stall {:?}",
        seen.unknown.load(Ordering::SeqCst),
        seen.refused.load(Ordering::SeqCst),
        seen.stall.lock().expect("no panic")
    );
    Ok(())
}
