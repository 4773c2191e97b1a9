//! Stores that fail, callers that hurry, actors that die.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mitalk_cluster::testing::{Faulty, Memory};
use mitalk_cluster::{AskError, Call, Config, EntityId, Ports};

use crate::gate::{Gate, Mode};
use crate::toy::{Command, Node, Reply, Toy, eventually, request};

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_settled_by_the_identical_write() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.gate.set(Mode::Mute);
    let asked = node.ask("a", Command::Add { id: 2 });
    let healed = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        node.gate.set(Mode::Up);
    };
    let (reply, ()) = tokio::join!(asked, healed);
    assert_eq!(reply, Ok(Reply { applied: 2 }));
    assert_eq!(node.applied("a").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_says_no_changes_nothing() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.gate.set(Mode::Down);
    let refused = node.ask("a", Command::Add { id: 2 }).await;
    assert!(
        matches!(refused, Err(AskError::Unavailable { .. })),
        "{refused:?}"
    );
    assert_eq!(node.applied("a").await, 1, "reads are served");
    node.gate.set(Mode::Up);
    assert_eq!(
        node.ask("a", Command::Add { id: 3 }).await,
        Ok(Reply { applied: 2 })
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_the_deadline() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.gate.set(Mode::Silent);
    let started = tokio::time::Instant::now();
    let call = || Call::within(Duration::from_millis(700));
    let asks = (2..10).map(|id| node.cluster.ask::<Toy>("a", Command::Add { id }, call()));
    for reply in futures::future::join_all(asks).await {
        assert_eq!(reply, Err(AskError::TimedOut));
    }
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    node.gate.set(Mode::Up);
    // Only what was taken from the queue in time may have been carried out.
    eventually("the store is asked again", || node.memory.topic("toys").len() > 1).await;
    assert_eq!(node.applied("a").await, 2);
}

#[tokio::test(start_paused = true)]
async fn over_its_bound_an_entity_refuses_at_once() {
    let config = Config {
        entity_in_flight: 16,
        ..Config::default()
    };
    let node = Node::with(Memory::exclusive(), config).await;
    node.ask("a", Command::Add { id: 0 }).await.unwrap();
    node.gate.set(Mode::Silent);
    let asks = (1..=40).map(|id| node.ask("a", Command::Add { id }));
    let started = tokio::time::Instant::now();
    let refused = |r: &Result<Reply, _>| matches!(r, Err(AskError::Overloaded { .. }));
    let mut replies = futures::future::join_all(asks.map(|ask| async {
        let reply = ask.await;
        (started.elapsed(), reply)
    }))
    .await;
    replies.retain(|(_, r)| refused(r));
    assert!(replies.len() >= 24, "{}", replies.len());
    assert!(
        replies.iter().all(|(after, _)| after.is_zero()),
        "refused only after a while"
    );
    node.gate.set(Mode::Up);
    eventually("all places are free again", || node.metrics.in_flight.get() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_node_refuses_at_once() {
    let config = Config {
        in_flight: 10,
        ..Config::default()
    };
    let node = Node::with(Memory::exclusive(), config).await;
    node.gate.set(Mode::Silent);
    let keys: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
    let replies = futures::future::join_all(keys.iter().map(|k| node.ask(k, Command::Look))).await;
    let refused = replies
        .iter()
        .filter(|r| matches!(r, Err(AskError::Overloaded { .. })))
        .count();
    assert_eq!(refused, 20);
}

/// Queues and nodes that are full of commands which wait for the store have a place left for taking rights away.
#[tokio::test(start_paused = true)]
async fn urgent_commands_find_a_place_when_all_others_are_taken() {
    let config = Config {
        in_flight: 64,
        entity_in_flight: 16,
        ..Config::default()
    };
    for others in ["a", "another"] {
        let node = Node::with(Memory::exclusive(), config.clone()).await;
        node.ask("a", Command::Add { id: 0 }).await.unwrap();
        node.gate.set(Mode::Stuck);
        // One entity is full; or the node is, and this entity idle.
        let asks = (1..=200).map(|id| {
            let key = if others == "a" {
                "a".to_owned()
            } else {
                format!("{others} {id}")
            };
            let node = &node;
            async move { node.ask(&key, Command::Add { id }).await }
        });
        let mute = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let ordinary = node.ask("a", Command::Add { id: 999 }).await;
            assert!(
                matches!(ordinary, Err(AskError::Overloaded { .. })),
                "{ordinary:?}"
            );
            node.ask("a", Command::Mute { id: 7 }).await
        };
        let (_, muted) = tokio::join!(futures::future::join_all(asks), mute);
        assert!(muted.is_ok(), "pending, not {muted:?}");
        assert!(node.recorder.effects().contains(&"Mute(7)".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn urgent_commands_act_without_the_store_and_are_committed_later() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    for mode in [Mode::Down, Mode::Silent] {
        node.gate.set(mode);
        let id = 100 + mode as u32;
        let started = tokio::time::Instant::now();
        assert!(node.ask("a", Command::Mute { id }).await.is_ok(), "pending");
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!(node.recorder.effects().contains(&format!("Mute({id})")));
        node.gate.set(Mode::Up);
        // It runs its effects once more with the commit.
        let twice = || {
            node.recorder
                .effects()
                .iter()
                .filter(|e| **e == format!("Mute({id})"))
                .count()
                == 2
        };
        eventually("it is committed", twice).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_dies_takes_nobody_with_it() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.ask("b", Command::Visit).await.unwrap();
    let started = tokio::time::Instant::now();
    let died = node.ask("a", Command::Panic).await;
    assert!(matches!(died, Err(AskError::Unavailable { .. })), "{died:?}");
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "a dropped reply port hangs nobody"
    );
    assert_eq!(node.applied("a").await, 1);
    assert_eq!(
        node.ask("b", Command::Visit).await,
        Ok(Reply { applied: 2 }),
        "its sibling lives"
    );
    assert_eq!(node.metrics.restarts.with_label_values(&["shard"]).get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_dies_again_and_again_rests() {
    let node = Node::start().await;
    for _ in 0..5 {
        node.ask("a", Command::Panic).await.unwrap_err();
    }
    let rests = node.ask("a", Command::Look).await;
    assert!(
        matches!(&rests, Err(AskError::Unavailable { reason, .. }) if reason.contains("repeatedly")),
        "{rests:?}"
    );
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(node.applied("a").await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_dies_with_a_full_outbox_is_activated_again() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    eventually("told", || node.memory.topic("toys").len() == 1).await;
    node.gate.set(Mode::Silent);
    let _unknown = node.ask("a", Command::Add { id: 2 }).await;
    node.gate.set(Mode::Mute);
    // Its commit lands without an answer; then it dies, and nobody asks for it any more (rule 6).
    tokio::time::sleep(Duration::from_secs(4)).await;
    let _died = node.ask("a", Command::Panic).await;
    node.gate.set(Mode::Up);
    eventually("its row is told", || node.memory.topic("toys").len() >= 2).await;
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_once_through_a_faulty_store() {
    for seed in 0..5 {
        let memory = Memory::exclusive();
        let faulty = || Arc::new(Faulty::new(memory.clone(), seed, 0.1));
        let ports = Ports {
            lease: faulty(),
            entity: faulty(),
            timer: faulty(),
            events: faulty(),
            tables: faulty(),
        };
        let gate = Gate::new(memory.clone());
        let node = Node::on(ports, gate, memory.clone(), Config::default()).await;
        assert!(node.cluster.ready().await);
        let clients = (0..30_u8).map(|n| {
            let id = 100 + u32::from(n);
            let (node, key) = (&node, format!("k{}", n % 4));
            async move { node.insist(&key, Command::Add { id }, request(n)).await }
        });
        futures::future::join_all(clients).await;
        for key in 0..4 {
            let expected = (0..30).filter(|n| n % 4 == key).count();
            assert_eq!(node.applied(&format!("k{key}")).await, expected, "seed {seed}");
        }
        let all_told = || {
            let content = memory.content();
            content.rows.values().all(|r| r.published == r.sequence)
        };
        eventually("all is published", all_told).await;
        assert_eq!(told_in_order(&memory, seed), 30, "seed {seed}");
        node.cluster.shutdown().await;
    }
}

/// How many rows reached the topic, repeats aside; no source's rows may have come in another order than theirs.
fn told_in_order(memory: &Memory, seed: u64) -> usize {
    let mut told: BTreeMap<EntityId, Vec<u64>> = BTreeMap::new();
    for event in memory.topic("toys") {
        told.entry(event.source).or_default().push(event.sequence);
    }
    for (source, sequences) in &mut told {
        // Rule 10: a row may be repeated until the next one goes, and not after it.
        assert!(sequences.is_sorted(), "seed {seed}, {source}: {sequences:?}");
        sequences.dedup();
    }
    told.values().map(Vec::len).sum()
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_row_says_so() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    eventually("it leaves memory", || node.cluster.status().entities == 0).await;
    for row in node.memory.content().rows.values_mut() {
        row.blob = Arc::from(*b"rubbish");
    }
    assert_eq!(node.ask("a", Command::Look).await, Err(AskError::Corrupt));
}
