//! The contract suites over the memory ports, alone and under faults.

use mitalk_actors::testing::contract;
use mitalk_actors::testing::memory::{Allowed, Log, Messages, Tables};
use mitalk_cluster::testing::Faulty;

/// How many histories of faults each suite goes through.
const SEEDS: u64 = 200;
/// Of all calls, how many go wrong.
const RATE: f64 = 0.3;

/// Runs a suite over a fresh port for each seed; the one that is running is printed if it fails.
async fn under_faults<P: Default + 'static>(suite: impl AsyncFn(&Faulty<P>)) {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        suite(&Faulty::new(P::default(), seed, RATE)).await;
    }
}

#[tokio::test]
async fn tables() {
    contract::tables(&Tables::default()).await;
    under_faults::<Tables>(async |port| contract::tables(port).await).await;
}

// Its waiting for events takes no time.
#[tokio::test(start_paused = true)]
async fn events() {
    contract::events(&Log::default()).await;
    under_faults::<Log>(async |port| contract::events(port).await).await;
}

#[tokio::test]
async fn ledger() {
    contract::ledger(&Log::default()).await;
    under_faults::<Log>(async |port| contract::ledger(port).await).await;
}

#[tokio::test]
async fn allow_list() {
    contract::allow_list(&Allowed::default()).await;
    under_faults::<Allowed>(async |port| contract::allow_list(port).await).await;
}

#[tokio::test]
async fn messages() {
    let keys = async |messages: &Messages| {
        let sent = messages.sent().into_iter();
        sent.map(|message| message.key).collect::<Vec<_>>()
    };
    let messages = Messages::default();
    contract::sms(&messages, async || keys(&messages).await).await;
    assert_eq!(messages.sent().len(), 6, "without faults each of them once");
    under_faults::<Messages>(async |port| contract::sms(port, async || keys(port.port()).await).await).await;
}
