//! The suite of [`Ledger`].

use crate::ports::Ledger;
use mitalk_cluster::EntityId;
use mitalk_cluster::testing::contract::ask;

const GROUP: &str = "a";
const TOPIC: &str = "mitalk.contract.v1";
/// Sources asked for at once: as many as one batch of events has.
const MANY: u64 = 64;

/// The whole suite, over an empty ledger.
///
/// # Panics
/// At the first broken promise.
pub async fn ledger(ledger: &impl Ledger) {
    let (x, y) = (EntityId::new("contract", "x"), EntityId::new("contract", "y"));
    assert_eq!(recorded(ledger, GROUP, TOPIC, &[]).await, []);
    let both = [x.clone(), y.clone()];
    assert_eq!(
        recorded(ledger, GROUP, TOPIC, &both).await,
        [0, 0],
        "nothing was recorded"
    );
    record(ledger, GROUP, TOPIC, &y, 7).await;
    assert_eq!(
        recorded(ledger, GROUP, TOPIC, &both).await,
        [0, 7],
        "in the order of the question"
    );
    record(ledger, GROUP, TOPIC, &y, 3).await;
    record(ledger, GROUP, TOPIC, &y, 7).await;
    assert_eq!(recorded(ledger, GROUP, TOPIC, &both).await, [0, 7], "never back");
    record(ledger, GROUP, TOPIC, &y, 8).await;
    let asked = [y.clone(), x.clone(), y.clone()];
    assert_eq!(recorded(ledger, GROUP, TOPIC, &asked).await, [8, 0, 8]);

    let other_kind = EntityId::new("other", "y");
    assert_eq!(recorded(ledger, "b", TOPIC, &both).await, [0, 0], "another group");
    assert_eq!(
        recorded(ledger, GROUP, "mitalk.other.v1", &both).await,
        [0, 0],
        "another topic"
    );
    assert_eq!(
        recorded(ledger, GROUP, TOPIC, &[other_kind]).await,
        [0],
        "another kind"
    );

    let many: Vec<_> = (1..=MANY)
        .map(|n| EntityId::new("many", &n.to_string()))
        .collect();
    for (n, source) in (1..).zip(&many) {
        record(ledger, GROUP, TOPIC, source, n).await;
    }
    assert_eq!(
        recorded(ledger, GROUP, TOPIC, &many).await,
        (1..=MANY).collect::<Vec<_>>()
    );
}

async fn recorded(ledger: &impl Ledger, group: &str, topic: &str, sources: &[EntityId]) -> Vec<u64> {
    ask(async || ledger.recorded(group, topic, sources).await).await
}

async fn record(ledger: &impl Ledger, group: &str, topic: &str, source: &EntityId, sequence: u64) {
    ask(async || ledger.record(group, topic, source, sequence).await).await;
}
