//! Commands, replies, effects, outboxes, timers, memory: a node without faults.

use std::time::Duration;

use mitalk_cluster::store::Event;
use mitalk_cluster::{AskError, Call, Config, EntityId, NodeId, wire};

use crate::toy::{Command, No, Node, PATIENCE, Reply, Toy, UNLUCKY, WALL, eventually, request};
use mitalk_cluster::testing::Memory;

#[tokio::test(start_paused = true)]
async fn a_command_is_committed_answered_and_told() {
    let node = Node::start().await;
    assert_eq!(
        node.ask("a", Command::Add { id: 7 }).await,
        Ok(Reply { applied: 1 })
    );
    assert_eq!(
        node.ask("a", Command::Add { id: UNLUCKY }).await,
        Err(AskError::Refused(No))
    );
    assert_eq!(node.applied("a").await, 1);
    eventually("the topic has it", || node.memory.topic("toys").len() == 1).await;
    eventually("the table has it", || node.memory.table("toys").len() == 1).await;
    assert_eq!(wire::decode(&node.memory.topic("toys")[0].payload), Ok(7_u32));
    assert_eq!(node.recorder.effects(), ["Tell(7)"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_commands_share_a_commit() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 0 }).await.unwrap();
    let before = node.gate.writes();
    let asks = (1..=100).map(|id| node.ask("a", Command::Add { id }));
    for reply in futures::future::join_all(asks).await {
        reply.unwrap();
    }
    let writes = node.gate.writes() - before;
    assert!(writes <= 20, "{writes} writes for 100 commands");
    assert_eq!(node.applied("a").await, 101);
    eventually("all are told", || node.memory.topic("toys").len() == 101).await;
    let sequences: Vec<u64> = node
        .memory
        .topic("toys")
        .iter()
        .map(|e: &Event| e.sequence)
        .collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_gets_the_first_answer_also_after_a_restart() {
    let memory = Memory::exclusive();
    let node = Node::over(memory.clone()).await;
    let call = || Call::within(PATIENCE).request(request(1));
    let add = || Command::Add { id: 1 };
    assert_eq!(
        node.cluster.ask::<Toy>("a", add(), call()).await,
        Ok(Reply { applied: 1 })
    );
    node.ask("a", Command::Add { id: 2 }).await.unwrap();
    assert_eq!(
        node.cluster.ask::<Toy>("a", add(), call()).await,
        Ok(Reply { applied: 1 })
    );
    node.cluster.shutdown().await;
    let node = Node::over(memory).await;
    assert_eq!(
        node.cluster.ask::<Toy>("a", add(), call()).await,
        Ok(Reply { applied: 1 })
    );
    assert_eq!(node.applied("a").await, 2);
    // Ten minutes later it is forgotten.
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(
        node.cluster.ask::<Toy>("a", add(), call()).await,
        Ok(Reply { applied: 3 })
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_memory_refuses_and_evicts_nothing() {
    let node = Node::start().await;
    let call = |n: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        Call::within(PATIENCE).request(mitalk_cluster::RequestId(id))
    };
    for n in 0..256 {
        node.cluster
            .ask::<Toy>(
                "a",
                Command::Add {
                    id: 1000 + u32::from(n),
                },
                call(n),
            )
            .await
            .unwrap();
    }
    let refused = node
        .cluster
        .ask::<Toy>("a", Command::Add { id: 1 }, call(999))
        .await;
    assert!(
        matches!(refused, Err(AskError::Overloaded { retry_after }) if retry_after > Duration::from_secs(60))
    );
    assert_eq!(
        node.cluster
            .ask::<Toy>("a", Command::Add { id: 1000 }, call(0))
            .await,
        Ok(Reply { applied: 1 })
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_reaches_another_entity_exactly_once() {
    let node = Node::start().await;
    for id in 1..=20 {
        node.ask(
            "payer",
            Command::Pay {
                id,
                to: "payee".to_owned(),
            },
        )
        .await
        .unwrap();
    }
    eventually("all rows are published", || {
        let content = node.memory.content();
        content
            .rows
            .get(&EntityId::of::<Toy>("payer"))
            .is_some_and(|r| r.published == 20)
    })
    .await;
    assert_eq!(node.applied("payee").await, 20);
}

#[tokio::test(start_paused = true)]
async fn volatile_state_needs_no_commit_and_ends_with_the_activation() {
    let node = Node::start().await;
    let before = node.gate.writes();
    assert_eq!(node.ask("a", Command::Visit).await, Ok(Reply { applied: 1 }));
    assert_eq!(node.ask("a", Command::Visit).await, Ok(Reply { applied: 2 }));
    assert_eq!(node.gate.writes(), before);
    eventually("it passivates", || node.cluster.status().entities == 0).await;
    assert_eq!(node.ask("a", Command::Visit).await, Ok(Reply { applied: 1 }));
}

#[tokio::test(start_paused = true)]
async fn idle_entities_leave_memory_and_pinned_ones_stay() {
    let node = Node::start().await;
    node.ask("pinned", Command::Pin { on: true }).await.unwrap();
    for n in 0..50 {
        node.ask(&format!("k{n}"), Command::Add { id: n }).await.unwrap();
    }
    assert_eq!(node.cluster.status().entities, 51);
    eventually("the idle ones are gone", || node.cluster.status().entities == 1).await;
    assert!(
        node.memory
            .content()
            .lists
            .values()
            .all(std::collections::BTreeSet::is_empty)
    );
    assert_eq!(node.applied("k1").await, 1);
    node.ask("pinned", Command::Pin { on: false }).await.unwrap();
    eventually("nobody is left", || node.cluster.status().entities == 0).await;
}

#[tokio::test(start_paused = true)]
async fn timers_fire_from_memory_and_from_their_rows() {
    let memory = Memory::exclusive();
    let node = Node::over(memory.clone()).await;
    for (name, after) in [("soon", 3), ("later", 4_000), ("another hour", 8_000)] {
        let due = WALL + Duration::from_secs(after);
        node.ask(
            "a",
            Command::Remind {
                name: name.to_owned(),
                due,
            },
        )
        .await
        .unwrap();
    }
    assert_eq!(memory.content().timers.len(), 3);
    eventually("the first fired and its row is gone", || {
        memory.content().timers.len() == 2
    })
    .await;
    eventually("it passivated meanwhile", || node.cluster.status().entities == 0).await;
    eventually("the second fired from its row", || {
        memory.content().timers.len() == 1
    })
    .await;
    node.cluster.shutdown().await;
    let clock = node.clock;
    let node = Node::over_at(memory.clone(), clock).await;
    eventually("the third fired in another life", || {
        memory.content().timers.is_empty()
    })
    .await;
    let fired = node.ask("a", Command::Fired).await.unwrap().applied;
    assert_eq!(fired, 3);
}

#[tokio::test(start_paused = true)]
async fn a_state_too_large_is_refused_alone() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    let commands = [
        Command::Add { id: 2 },
        Command::Grow { bytes: 70_000 },
        Command::Add { id: 3 },
        Command::Add { id: 4 },
    ];
    let replies = futures::future::join_all(commands.map(|c| node.ask("a", c))).await;
    assert_eq!(replies[1], Err(AskError::TooLarge));
    assert!(
        replies.iter().enumerate().all(|(i, r)| i == 1 || r.is_ok()),
        "{replies:?}"
    );
    assert_eq!(node.applied("a").await, 4);
    let long = "x".repeat(97);
    assert_eq!(node.ask(&long, Command::Look).await, Err(AskError::TooLarge));
}

#[tokio::test(start_paused = true)]
async fn services_answer_by_name() {
    let node = Node::start().await;
    let (here, call) = (node.cluster.node().clone(), || Call::within(PATIENCE));
    let ask = |name: &'static str, payload: &[u8]| node.cluster.ask_at(&here, name, payload.to_vec(), call());
    assert_eq!(ask("echo", b"hi").await, Ok(b"hi".to_vec()));
    assert_eq!(ask("echo", b"hang").await, Err(AskError::TimedOut));
    assert!(matches!(
        ask("echo", b"fail").await,
        Err(AskError::Unavailable { .. })
    ));
    assert!(matches!(
        ask("nobody", b"hi").await,
        Err(AskError::Unavailable { .. })
    ));
    let elsewhere = node
        .cluster
        .ask_at(&NodeId::new("elsewhere"), "echo", vec![], call())
        .await;
    assert!(matches!(elsewhere, Err(AskError::Unavailable { .. })));
}

/// One-way: it arrives, with nobody waiting, and one to nobody harms nobody.
#[tokio::test(start_paused = true)]
async fn what_is_cast_arrives() {
    let node = Node::start().await;
    let here = node.cluster.node().clone();
    node.cluster.cast_at(&here, "nobody", b"lost".to_vec());
    node.cluster
        .cast_at(&NodeId::new("elsewhere"), "echo", b"lost".to_vec());
    node.cluster.cast_at(&here, "echo", b"hang".to_vec());
    node.cluster.cast_at(&here, "echo", b"hi".to_vec());
    eventually("it arrives", || node.echo.heard().contains(&b"hi".to_vec())).await;
    assert!(!node.echo.heard().contains(&b"lost".to_vec()));
    // A handler that never ends gives its place back.
    eventually("nothing is under way", || node.metrics.in_flight.get() == 0).await;
}

/// Not a limit, a figure: real threads, many entities, a commit per entity under way at a time.
#[tokio::test(flavor = "multi_thread")]
async fn many_commands_on_real_threads() {
    let node = std::sync::Arc::new(Node::with(Memory::exclusive(), Config::default()).await);
    let started = std::time::Instant::now();
    let clients = (0..200_u32).map(|client| {
        let node = node.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                let key = format!("k{}", client % 50);
                node.ask(
                    &key,
                    Command::Add {
                        id: 1000 + client * 100 + n,
                    },
                )
                .await
                .unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let took = started.elapsed();
    println!(
        "10,000 commands of 200 clients to 50 entities: {took:?}, {} commits",
        node.gate.writes()
    );
    for key in 0..50 {
        assert_eq!(node.applied(&format!("k{key}")).await, 200);
    }
}
