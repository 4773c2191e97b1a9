//! The restart policies of the root, tested by killing its children; those of a shard are in `tests/node/faults.rs`.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorCell;

use super::{Builder, Cluster, Config, keeper, shard};
use crate::id::ShardId;
use crate::metrics::Metrics;
use crate::testing::{Memory, TestClock};
use crate::time::Timestamp;

async fn start(memory: &Memory) -> Cluster {
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let clock = Arc::new(TestClock::new(Timestamp(1_800_000_000_000)));
    let cluster = Builder::new(Config::default(), memory.ports(), clock, metrics)
        .start()
        .await
        .unwrap();
    assert!(cluster.ready().await);
    cluster
}

fn children<M: ractor::Message>(cluster: &Cluster) -> Vec<ActorCell> {
    let children = cluster.root.get_children();
    children
        .into_iter()
        .filter(|c| c.is_message_type_of::<M>() == Some(true))
        .collect()
}

fn epochs(memory: &Memory) -> Vec<u64> {
    let mut epochs: Vec<u64> = memory.content().shards.values().map(|r| r.epoch.0).collect();
    epochs.dedup();
    epochs
}

async fn until(mut is: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never");
}

#[tokio::test(start_paused = true)]
async fn a_failed_shard_is_claimed_again_with_a_raised_epoch() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    children::<shard::Msg>(&cluster)[0].kill();
    until(|| {
        memory
            .content()
            .shards
            .values()
            .filter(|r| r.epoch.0 == 2)
            .count()
            == 1
    })
    .await;
    assert!(cluster.ready().await);
    assert_eq!(
        memory
            .content()
            .shards
            .values()
            .filter(|r| r.epoch.0 == 1)
            .count(),
        1023
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_lease_keeper_raises_the_incarnation_and_every_epoch() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    assert_eq!(epochs(&memory), [1]);
    children::<keeper::Msg>(&cluster)[0].kill();
    until(|| epochs(&memory) == [2]).await;
    until(|| cluster.status().ready).await;
    assert!(memory.content().nodes.values().all(|n| n.incarnation == 2));
    assert!(cluster.shared.route(ShardId(0)).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeper_that_fails_again_and_again_ends_the_node() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    for _ in 0..4 {
        until(|| !children::<keeper::Msg>(&cluster).is_empty()).await;
        children::<keeper::Msg>(&cluster)[0].kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(cluster.ended().await, "the lease keeper failed repeatedly");
}

#[tokio::test(start_paused = true)]
async fn a_root_that_dies_ends_the_node() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    cluster.root.kill();
    assert!(!cluster.ended().await.is_empty());
    assert!(!cluster.status().holds);
}
