//! The real shells over the memory store, in virtual time: one binary.

#[path = "node/toy.rs"]
mod toy;

use std::time::Duration;

use mitalk_cluster::Call;
use toy::{Command, Reply, Toy, start};

#[tokio::test(start_paused = true)]
async fn a_command_is_committed_and_answered() {
    let node = start().await;
    let reply = node
        .cluster
        .ask::<Toy>("a", Command::Add { id: 7 }, Call::within(Duration::from_secs(5)))
        .await;
    assert_eq!(reply.unwrap(), Reply { applied: 1 });
}
