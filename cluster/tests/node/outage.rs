//! The event log is away, and the domain goes on.

use std::time::Duration;

use crate::gate::Mode;
use crate::toy::{Command, Node, eventually};

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
