//! What must end, stay small, or come back by itself.

use std::time::Duration;

use mitalk_cluster::testing::Memory;
use mitalk_cluster::{AskError, Config, EntityId};

use crate::gate::{Gate, Mode};
use crate::toy::{Command, Node, Reply, Toy, WALL, eventually};

/// Leases, rounds, scans and commits all wait for answers: a panic is one, of unknown outcome.
#[tokio::test(start_paused = true)]
async fn a_panicking_adapter_leaves_nobody_waiting() {
    let node = Node::start().await;
    node.ask("a", Command::Add { id: 1 }).await.unwrap();
    node.gate.set(Mode::Panicking);
    let asked = node.ask("a", Command::Add { id: 2 });
    let healed = async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        node.gate.set(Mode::Up);
    };
    let (reply, ()) = tokio::join!(asked, healed);
    assert_eq!(reply, Ok(Reply { applied: 2 }));
    let all_told = || {
        node.memory
            .content()
            .rows
            .values()
            .all(|r| r.published == r.sequence)
    };
    eventually("the outbox is delivered", all_told).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(node.cluster.status().ready, "{:?}", node.cluster.status());
}

/// Rules 6 and 9: what a former life left in the open list is fenced, found to owe nothing, and taken out.
#[tokio::test(start_paused = true)]
async fn an_inherited_list_empties_without_any_command() {
    let memory = Memory::exclusive();
    let first = Node::over(memory.clone()).await;
    for n in 0..20 {
        first.ask(&format!("k{n}"), Command::Add { id: n }).await.unwrap();
    }
    let noted = || memory.content().lists.values().map(|l| l.len()).sum::<usize>();
    assert_eq!(noted(), 20);
    let second = Node::over(memory.clone()).await;
    first.cluster.ended().await;
    eventually("nobody is in the list", || noted() == 0).await;
    eventually("nor in memory", || second.cluster.status().entities == 0).await;
}

/// Rule 6: however many shards inherit at once, the node brings back so many of their entities at once; who is asked for
/// does not wait among them.
#[tokio::test(start_paused = true)]
async fn a_node_revives_a_bounded_number_at_once() {
    const AT_ONCE: usize = 64;
    let memory = Memory::exclusive();
    let first = Node::over(memory.clone()).await;
    first.gate.set_events(Mode::Down);
    for n in 0..500 {
        first.ask(&format!("k{n}"), Command::Add { id: n }).await.unwrap();
    }
    let gate = Gate::new(memory.clone());
    gate.set(Mode::Blind);
    let second = Node::on(gate.ports(), gate, memory.clone(), Config::default()).await;
    eventually("the first are read", || second.gate.reads() >= AT_ONCE).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(second.gate.reads(), AT_ONCE, "nobody else before these are back");
    assert_eq!(second.cluster.status().entities, AT_ONCE);
    second.gate.set(Mode::Up);
    assert!(second.ask("somebody else", Command::Look).await.is_ok());
    let noted = || memory.content().lists.values().map(|l| l.len()).sum::<usize>();
    eventually("all have paid and nobody is in the list", || noted() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn entities_in_memory_are_bounded() {
    let config = Config {
        entities: 10,
        ..Config::default()
    };
    let node = Node::with(Memory::exclusive(), config).await;
    for n in 0..10 {
        node.ask(&format!("k{n}"), Command::Look).await.unwrap();
    }
    let started = tokio::time::Instant::now();
    let refused = node.ask("one more", Command::Look).await;
    assert!(matches!(refused, Err(AskError::Overloaded { .. })), "{refused:?}");
    assert!(started.elapsed().is_zero());
    assert!(
        node.ask("k3", Command::Look).await.is_ok(),
        "those who are there go on"
    );
    eventually("some left", || node.cluster.status().entities < 10).await;
    assert!(node.ask("one more", Command::Look).await.is_ok());
}

/// A timer that comes due while its shard waits for the last commit wakes nobody up: the next owner delivers it.
#[tokio::test(start_paused = true)]
async fn a_drain_activates_nobody() {
    let memory = Memory::exclusive();
    let config = Config {
        drain_ms: 120_000,
        ..Config::default()
    };
    let node = Node::with(memory.clone(), config).await;
    let shard = EntityId::of::<Toy>("a").shard();
    let mut keys = (0..).map(|n| format!("k{n}"));
    let neighbour = keys.find(|k| EntityId::of::<Toy>(k).shard() == shard).unwrap();
    let due = WALL + Duration::from_secs(300);
    let remind = Command::Remind {
        name: "t".to_owned(),
        due,
    };
    node.ask(&neighbour, remind).await.unwrap();
    tokio::time::sleep(Duration::from_secs(290)).await;
    assert_eq!(node.cluster.status().entities, 0, "it passivated");

    node.gate.set(Mode::Stuck);
    let asked = node.ask("a", Command::Add { id: 1 });
    let cluster = node.cluster.clone();
    let drain = async {
        tokio::task::yield_now().await;
        let started = tokio::time::Instant::now();
        tokio::join!(cluster.shutdown(), async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            node.gate.set(Mode::Up);
        });
        started.elapsed()
    };
    let (_timed_out, took) = tokio::join!(asked, drain);
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(memory.content().timers.len(), 1, "it is still to come");
}

/// Rule 2: who does not hold says so; nothing of the command was carried out.
#[tokio::test(start_paused = true)]
async fn a_lapsed_owner_says_that_it_is_none() {
    let node = Node::with(Memory::new(), Config::default()).await;
    node.ask("a", Command::Look).await.unwrap();
    node.gate.set(Mode::Silent);
    eventually("it does not hold", || !node.cluster.status().holds).await;
    for key in ["a", "b"] {
        let answer = node.ask(key, Command::Add { id: 1 }).await;
        assert!(matches!(answer, Err(AskError::NotOwner { .. })), "{answer:?}");
    }
}
