//! Leases and shards of real nodes: restart, take-over, lapse, drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mitalk_cluster::testing::{Memory, TestClock};
use mitalk_cluster::{AskError, Builder, Config, Metrics, SHARDS, ShardId, ShardListener};

use crate::gate::Mode;
use crate::toy::{Command, Node, Recorder, Reply, Toy, WALL, eventually};

fn named(node: &str) -> Config {
    Config {
        node: node.to_owned(),
        ..Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_over_the_same_store_waits_for_nothing() {
    let memory = Memory::exclusive();
    let node = Node::over(memory.clone()).await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.cluster.shutdown().await;
    let started = tokio::time::Instant::now();
    let node = Node::over(memory.clone()).await;
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(node.applied("a").await, 1);
    let epochs: std::collections::BTreeSet<u64> =
        memory.content().shards.values().map(|r| r.epoch.0).collect();
    assert_eq!(
        epochs.into_iter().collect::<Vec<_>>(),
        [2],
        "every epoch is raised, once (rule 3)"
    );
}

/// As after a kill: nothing was released, and the old process still writes.
#[tokio::test(start_paused = true)]
async fn a_second_process_of_the_same_name_ends_the_first() {
    let memory = Memory::exclusive();
    let first = Node::over(memory.clone()).await;
    first.ask("a", Command::Add { id: 1 }).await.unwrap();
    let second = Node::over(memory.clone()).await;
    assert_eq!(
        second.ask("a", Command::Add { id: 2 }).await,
        Ok(Reply { applied: 2 })
    );
    let reason = first.cluster.ended().await;
    assert_eq!(reason, "another process has this node's name");
    assert!(!first.cluster.status().ready);
    assert!(first.ask("a", Command::Add { id: 3 }).await.is_err());
    assert_eq!(second.applied("a").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_over_at_once_and_a_silent_one_after_its_ttl() {
    let memory = Memory::new();
    let first = Node::with(memory.clone(), named("first")).await;
    first.ask("a", Command::Add { id: 1 }).await.unwrap();
    let second = Node::unready(memory.clone(), named("second")).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(second.cluster.status().shards, 0, "the first lives");
    let asked = tokio::time::Instant::now();
    first.cluster.shutdown().await;
    assert!(second.cluster.ready().await);
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    assert_eq!(second.applied("a").await, 1);

    let third = Node::unready(memory.clone(), named("third")).await;
    let cut = tokio::time::Instant::now();
    second.gate.set(Mode::Silent);
    assert!(third.cluster.ready().await);
    assert!(
        cut.elapsed() >= Duration::from_secs(12),
        "not before a TTL: {:?}",
        cut.elapsed()
    );
    assert!(!second.cluster.status().holds);
    assert_eq!(third.applied("a").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_hold_loses_every_shard_and_takes_it_again_with_a_raised_epoch() {
    let node = Node::with(Memory::new(), Config::default()).await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.gate.set(Mode::Silent);
    assert_eq!(node.metrics.holds.get(), 1);
    eventually("it does not hold", || !node.cluster.status().holds).await;
    assert_eq!(
        node.metrics.holds.get(),
        0,
        "nothing happens when a hold ends by time"
    );
    assert!(node.ask("a", Command::Look).await.is_err(), "not even reads");
    node.gate.set(Mode::Up);
    assert!(node.cluster.ready().await);
    eventually("all are taken again", || {
        node.memory.content().shards.values().all(|r| r.epoch.0 >= 2)
    })
    .await;
    assert_eq!(node.applied("a").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_under_way_and_takes_nothing_new() {
    let node = Node::start().await;
    let cluster = node.cluster.clone();
    let asks = (0..20).map(|id| node.ask("a", Command::Add { id: 100 + id }));
    let drain = async {
        tokio::task::yield_now().await;
        cluster.shutdown().await;
    };
    let (replies, ()) = tokio::join!(futures::future::join_all(asks), drain);
    let done = replies.iter().filter(|r| r.is_ok()).count();
    let told = node
        .memory
        .content()
        .rows
        .values()
        .map(|r| r.sequence)
        .max()
        .unwrap_or_default();
    assert_eq!(
        done as u64 * 2,
        told,
        "what was acknowledged is stored, and nothing else"
    );
    assert!(
        replies
            .iter()
            .all(|r| r.is_ok() || matches!(r, Err(AskError::Stopping | AskError::Unavailable { .. })))
    );
    assert!(matches!(
        node.ask("a", Command::Look).await,
        Err(AskError::Stopping)
    ));
    assert!(node.memory.content().nodes.values().all(|n| n.released));
}

#[derive(Default)]
struct Counter {
    taken: AtomicUsize,
    lost: AtomicUsize,
}

#[async_trait]
impl ShardListener for Counter {
    async fn taken(&self, _: ShardId) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    async fn lost(&self, _: ShardId) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_hear_of_every_shard() {
    let (counter, memory) = (Arc::new(Counter::default()), Memory::exclusive());
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let builder = Builder::new(
        Config::default(),
        memory.ports(),
        Arc::new(TestClock::new(WALL)),
        metrics,
    );
    let builder = builder
        .entity::<Toy>(Arc::new(Recorder::default()))
        .on_shard(counter.clone());
    let cluster = builder.start().await.unwrap();
    assert!(cluster.ready().await);
    let all = usize::from(SHARDS);
    eventually("all are taken", || counter.taken.load(Ordering::SeqCst) == all).await;
    cluster.shutdown().await;
    eventually("all are lost", || counter.lost.load(Ordering::SeqCst) == all).await;
}
