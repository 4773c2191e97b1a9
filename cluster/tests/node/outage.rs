//! The event log is away, and the domain goes on.

use std::time::Duration;

use mitalk_cluster::testing::Memory;
use mitalk_cluster::{Config, Lane};

use crate::gate::Mode;
use crate::toy::{Command, Node, WALL, eventually, request};

/// Rows that wait for the event log, of more entities than there are places, hold nothing that is meant for others.
#[tokio::test(start_paused = true)]
async fn an_event_log_that_is_away_takes_no_place_from_the_rest() {
    let node = Node::start().await;
    node.gate.set_events(Mode::Silent);
    let keys: Vec<String> = (0..600).map(|n| format!("k{n}")).collect();
    let asks = keys.iter().map(|key| node.ask(key, Command::Add { id: 1 }));
    for reply in futures::future::join_all(asks).await {
        reply.unwrap();
    }
    let pay = Command::Pay {
        id: 2,
        to: "payee".to_owned(),
    };
    node.ask("k0", pay).await.unwrap();
    let started = tokio::time::Instant::now();
    eventually("all tables are written", || {
        node.memory.table("toys").len() == 600
    })
    .await;
    assert_eq!(node.applied("payee").await, 1);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert!(node.memory.topic("toys").is_empty());

    let backlog = &node.metrics.backlog;
    assert_eq!((backlog.rows(Lane::Topics), backlog.rows(Lane::Inside)), (600, 0));

    node.gate.set_events(Mode::Up);
    eventually("all topics are written", || {
        node.memory.topic("toys").len() >= 600
    })
    .await;
    let all_told = || {
        let content = node.memory.content();
        content.rows.values().all(|r| r.published == r.sequence)
    };
    eventually("all is published", all_told).await;
    assert_eq!(node.memory.table("toys").len(), 600, "nothing was repeated");
}

/// What is owed to the event log does not fill the node: who is idle leaves, its timers fire, and it comes back.
#[tokio::test(start_paused = true)]
async fn entities_that_wait_for_the_event_log_leave_memory() {
    let config = Config {
        entities: 10,
        passivate_ms: 5_000,
        ..Config::default()
    };
    let node = Node::with(Memory::exclusive(), config).await;
    node.gate.set_events(Mode::Down);
    let due = WALL + Duration::from_secs(300);
    let remind = Command::Remind {
        name: "t".to_owned(),
        due,
    };
    node.insist("k0", remind, request(255)).await;
    for n in 0..40 {
        node.insist(&format!("k{n}"), Command::Add { id: 1 }, request(n))
            .await;
        assert!(
            node.cluster.status().entities <= 11,
            "{:?}",
            node.cluster.status()
        );
    }
    eventually("all tables are written", || node.memory.table("toys").len() >= 40).await;
    let noted = || {
        node.memory
            .content()
            .lists
            .values()
            .map(|l| l.len())
            .sum::<usize>()
    };
    let idle = || node.cluster.status().entities == 0;
    eventually("nobody is in memory", idle).await;
    assert_eq!(noted(), 40, "rule 9: who owes stays in the list");
    eventually("rule 14: the timer fired", || {
        node.memory.content().timers.is_empty()
    })
    .await;
    assert_eq!(node.ask("k0", Command::Fired).await.unwrap().applied, 1);

    let before = node.memory.table("toys").len();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(node.memory.table("toys").len(), before, "nothing was repeated");
    assert!(node.memory.topic("toys").is_empty());
    let backlog = &node.metrics.backlog;
    assert_eq!((backlog.rows(Lane::Topics), backlog.rows(Lane::Inside)), (40, 0));
    assert!(backlog.oldest(Lane::Topics) > Duration::from_secs(600));
    node.gate.set_events(Mode::Up);
    let back = tokio::time::Instant::now();
    eventually("nobody owes anything", || noted() == 0).await;
    // Each shard by itself would look after 25 s; the first that gets through tells the others.
    assert!(back.elapsed() < Duration::from_secs(15), "{:?}", back.elapsed());
    assert!(node.memory.topic("toys").len() >= 40);
    eventually("nobody is in memory", || node.cluster.status().entities == 0).await;
    assert_eq!((backlog.rows(Lane::Topics), backlog.rows(Lane::Inside)), (0, 0));
    assert!(backlog.oldest(Lane::Topics).is_zero());
}

/// A row that the event log never takes as it is stays, counted, in order; it holds its own topics and nothing else.
#[tokio::test(start_paused = true)]
async fn a_rejected_row_holds_only_its_own_topics() {
    let node = Node::start().await;
    node.gate.set_events(Mode::Picky);
    for id in 1..=3 {
        node.ask("rejected", Command::Add { id }).await.unwrap();
        node.ask("other", Command::Add { id }).await.unwrap();
    }
    eventually("all tables are written", || node.memory.table("toys").len() == 6).await;
    let rejections = node.metrics.relay_rejections.with_label_values(&["topics"]);
    eventually("it is tried again", || rejections.get() > 10).await;
    assert_eq!(node.memory.topic("toys").len(), 3, "the others");
    eventually("it waits outside", || node.cluster.status().entities == 0).await;

    node.gate.set_events(Mode::Up);
    eventually("the next release takes it", || {
        node.memory.topic("toys").len() == 6
    })
    .await;
    let came: Vec<u64> = node.memory.topic("toys")[3..]
        .iter()
        .map(|e| e.sequence)
        .collect();
    assert_eq!(came, [1, 3, 5]);
}
