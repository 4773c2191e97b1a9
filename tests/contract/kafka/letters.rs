//! Dead letters in numbers: how many there were does not matter, only how many there are.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mitalk::events::kafka::{Kafka, LETTERS};
use mitalk_actors::ports::{DeadLetter, DeadLetters as _};
use mitalk_actors::testing::{contract, memory};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::StoreError;
use mitalk_tests::kafka::named;

use super::{config, connected, event};

/// Messages about letters that are none any more; lists once ended before so many.
const ENDED: u64 = 20_100;
/// Letters on their way at a time.
const AT_ONCE: usize = 256;

fn letter(source: u64, sequence: u64) -> DeadLetter {
    DeadLetter {
        group: "a".to_owned(),
        topic: contract::TOPIC.to_owned(),
        event: event(source, sequence),
        reason: "nobody can read it".to_owned(),
        at: Timestamp(1_800_000_000_000 + sequence),
    }
}

async fn put(kafka: &Kafka, letters: impl Iterator<Item = DeadLetter>) -> Result<(), StoreError> {
    stream::iter(letters)
        .map(|letter| async move { kafka.put(&letter).await })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_behind_many_that_were_put_again_is_listed_and_found() {
    let Some(broker) = named() else { return };
    let kafka = connected(&config(&broker), Arc::new(memory::Log::default())).await;
    put(&kafka, (0..ENDED).map(|_| letter(1, 1)))
        .await
        .expect("taken");
    assert!(kafka.discard(&letter(1, 1).id()).await.expect("readable"));
    let last = letter(2, 2);
    kafka.put(&last).await.expect("taken");
    let listed = kafka.list(contract::TOPIC, 10).await.expect("readable");
    assert_eq!(listed, std::slice::from_ref(&last));
    assert_eq!(kafka.find(&last.id()).await, Ok(Some(last)));
    assert_eq!(kafka.find(&letter(1, 1).id()).await, Ok(None), "it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_letters_are_an_error_and_each_can_still_be_dropped() {
    let Some(broker) = named() else { return };
    let kafka = connected(&config(&broker), Arc::new(memory::Log::default())).await;
    let all = 1..=LETTERS as u64 + 1;
    put(&kafka, all.map(|sequence| letter(1, sequence)))
        .await
        .expect("taken");
    let refused = kafka.list(contract::TOPIC, 10).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    let last = letter(1, LETTERS as u64 + 1);
    assert!(kafka.discard(&last.id()).await.expect("found by its name"));
    let listed = kafka.list(contract::TOPIC, 2).await;
    assert_eq!(listed, Ok(vec![letter(1, 1), letter(1, 2)]), "the oldest");
}
