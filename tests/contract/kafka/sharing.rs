//! Members of a group that share the partitions of a topic, and what happens to a place when a partition goes and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::FutureExt as _;
use mitalk_actors::ports::{Batch, Delivered, EventSource as _, Ledger, Mark, Place, Subscription};
use mitalk_actors::testing::{contract, memory};
use mitalk_cluster::EntityId;
use mitalk_cluster::store::{EventLog as _, StoreError};
use mitalk_tests::kafka::named;

use super::{ANSWER, Config, config, connected, event};

const GROUP: &str = "sharing";
/// Two for each of two members.
const SHARED: u32 = 4;
/// So many that there are some in each partition.
const SOURCES: u64 = 40;
/// So often each, where there are to be more than a member keeps.
const ROUNDS: u64 = 10;
const ALL: usize = 1_000;
const EVERY: [u32; SHARED as usize] = [0, 1, 2, 3];

fn of_four(broker: &str) -> Config {
    Config {
        partitions: SHARED,
        ..config(broker)
    }
}

type Member = Box<dyn Subscription>;

async fn poll(member: &Member, full: &[u32]) -> Batch {
    member.poll(ALL, full).await.expect("the broker is there")
}

/// What comes until it is enough; the others of the group are kept in it by asking them, too.
async fn until(
    member: &Member,
    others: &[(&Member, &[u32])],
    what: &str,
    enough: impl Fn(&Batch) -> bool,
) -> Batch {
    let mut batch = vec![];
    let wait = async {
        while !enough(&batch) {
            batch.extend(poll(member, &[]).await);
            for (other, full) in others {
                poll(other, full).await;
            }
        }
    };
    if tokio::time::timeout(ANSWER, wait).await.is_err() {
        panic!("never: {what}: {batch:?}");
    }
    batch
}

fn partitions(batch: &Batch) -> BTreeSet<u32> {
    batch.iter().map(|delivered| delivered.place.partition).collect()
}

/// The last place of each of these partitions.
fn last(batch: &Batch, of: &BTreeSet<u32>) -> BTreeMap<u32, Place> {
    let places = batch.iter().map(|delivered| delivered.place);
    let own = places.filter(|place| of.contains(&place.partition));
    own.map(|place| (place.partition, place)).collect()
}

fn marks(batch: &Batch) -> Vec<Mark> {
    let mark = |delivered: &Delivered| Mark {
        source: delivered.event.source.clone(),
        sequence: delivered.event.sequence,
    };
    batch.iter().map(mark).collect()
}

/// A call that is dropped may have been half done: what it paused is read on all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_was_dropped_holds_nothing_up() {
    let Some(broker) = named() else { return };
    let kafka = connected(&of_four(&broker), Arc::new(memory::Log::default())).await;
    let member = kafka
        .subscribe(GROUP, contract::TOPIC)
        .await
        .expect("the broker is there");
    for sequence in 1..=5 {
        for source in 0..SOURCES {
            let event = event(source, sequence);
            kafka
                .append(contract::TOPIC, &event)
                .await
                .expect("the broker is there");
        }
        let all_of_round = |batch: &Batch| {
            let of_round = |delivered: &&Delivered| delivered.event.sequence == sequence;
            batch.iter().filter(of_round).count() as u64 == SOURCES
        };
        until(&member, &[], "a round of events", all_of_round).await;
        // As the consumer does when something else is done meanwhile.
        assert!(member.poll(ALL, &EVERY).now_or_never().is_none(), "it waits");
    }
}

/// Takes no record, and does not say what is recorded, until it is back.
struct Away {
    reads: AtomicBool,
}

#[async_trait]
impl Ledger for Away {
    async fn recorded(&self, _: &str, _: &str, sources: &[EntityId]) -> Result<Vec<u64>, StoreError> {
        match self.reads.load(Ordering::SeqCst) {
            true => Ok(vec![0; sources.len()]),
            false => Err(StoreError::Unavailable("of the test".to_owned())),
        }
    }

    async fn record(&self, _: &str, _: &str, _: &EntityId, _: u64) -> Result<(), StoreError> {
        Err(StoreError::Full("of the test".to_owned()))
    }
}

/// A member over such a ledger to which something was given, and one of the same group that comes then. There are more events
/// than a member keeps.
async fn stuck_and_new(broker: &str, ledger: Arc<Away>) -> (Member, Member) {
    let config = of_four(broker);
    let here = connected(&config, ledger).await;
    let there = connected(&config, Arc::new(memory::Log::default())).await;
    for sequence in 1..=ROUNDS {
        let appends = (0..SOURCES).map(|source| {
            let event = event(source, sequence);
            let here = here.clone();
            async move { here.append(contract::TOPIC, &event).await }
        });
        let appended = futures::future::try_join_all(appends).await;
        appended.expect("the broker is there");
    }
    let stuck = here.subscribe(GROUP, contract::TOPIC).await.expect("connected");
    // Until the group has given it something, it has nothing to ask the ledger for.
    let given = async { while stuck.poll(1, &[]).await.is_ok_and(|batch| batch.is_empty()) {} };
    assert!(tokio::time::timeout(ANSWER, given).await.is_ok(), "nothing came");
    let new = there.subscribe(GROUP, contract::TOPIC).await.expect("connected");
    (stuck, new)
}

/// Repeats a call that fails until the new member has half of the partitions; gives what came of them.
async fn until_shared(new: &Member, repeat: impl AsyncFn()) -> Batch {
    let mut taken = vec![];
    let wait = async {
        while partitions(&taken).len() < EVERY.len() / 2 {
            repeat().await;
            taken.extend(poll(new, &[]).await);
        }
    };
    let came = tokio::time::timeout(ANSWER, wait).await;
    assert!(came.is_ok(), "the other one never got its half");
    taken
}

/// Members share partitions anew where they ask for events. One that only repeats a commit which fails lets others come, too.
#[tokio::test(flavor = "multi_thread")]
async fn who_repeats_a_commit_holds_nobody_up() {
    let Some(broker) = named() else { return };
    let ledger = Arc::new(Away { reads: true.into() });
    let (stuck, new) = stuck_and_new(&broker, ledger).await;
    let dealt = [Mark {
        source: event(0, 1).source,
        sequence: 1,
    }];
    until_shared(&new, async || {
        let recorded = stuck.commit(&dealt, &[]).await;
        recorded.expect_err("nothing is recorded");
    })
    .await;
}

/// So does one that has events and cannot ask what is recorded of them; once it can, nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_read_the_ledger_holds_nobody_up() {
    let Some(broker) = named() else { return };
    let ledger = Arc::new(Away { reads: false.into() });
    let (stuck, new) = stuck_and_new(&broker, ledger.clone()).await;
    let mut came = until_shared(&new, async || {
        let given = stuck.poll(ALL, &[]).await;
        assert!(
            given.map_or(true, |batch| batch.is_empty()),
            "nothing is handed out"
        );
    })
    .await;
    ledger.reads.store(true, Ordering::SeqCst);
    let rest = async {
        while sources(&came).len() as u64 != SOURCES * ROUNDS {
            came.extend(poll(&stuck, &[]).await);
            came.extend(poll(&new, &[]).await);
        }
    };
    let all = tokio::time::timeout(ANSWER, rest).await;
    assert!(all.is_ok(), "something is missing");
}

/// What came, each once.
fn sources(batch: &Batch) -> BTreeSet<(String, u64)> {
    let key = |delivered: &Delivered| (delivered.event.source.to_string(), delivered.event.sequence);
    batch.iter().map(key).collect()
}

/// One member is busy with the first events of all partitions when another one comes, takes some of them, goes further, and
/// leaves. The places that the first one reaches late are behind those of the other, and move nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_never_goes_back_when_a_partition_goes_and_comes_back() {
    let Some(broker) = named() else { return };
    let config = of_four(&broker);
    let ledger = Arc::new(memory::Log::default());
    let (here, there) = (
        connected(&config, ledger.clone()).await,
        connected(&config, ledger.clone()).await,
    );
    let append = async |sequence| {
        for source in 0..SOURCES {
            let event = event(source, sequence);
            here.append(contract::TOPIC, &event)
                .await
                .expect("the broker is there");
        }
    };
    append(1).await;
    let stays = here.subscribe(GROUP, contract::TOPIC).await.expect("connected");
    let first = until(&stays, &[], "all partitions", |batch| {
        batch.len() as u64 == SOURCES
    })
    .await;
    assert_eq!(partitions(&first).len(), EVERY.len(), "events in all partitions");

    // Everything is full here while the other one is there: its partitions come back paused.
    append(2).await;
    let comes = there.subscribe(GROUP, contract::TOPIC).await.expect("connected");
    let stays_full: [(&Member, &[u32]); 1] = [(&stays, &EVERY)];
    let has_two = |batch: &Batch| {
        let of_two = batch.iter().filter(|delivered| delivered.event.sequence == 2);
        let in_them: BTreeSet<u32> = of_two.map(|delivered| delivered.place.partition).collect();
        in_them.len() == EVERY.len() / 2
    };
    let taken = until(&comes, &stays_full, "half of the partitions", has_two).await;
    let shared = partitions(&taken);
    let reached = last(&taken, &shared);
    let places: Vec<Place> = reached.values().copied().collect();
    comes.commit(&marks(&taken), &places).await.expect("recorded");
    drop(comes);

    // Back again, at one of them by an event that comes, at the others without a sign.
    let sign = taken.first().expect("it had some").event.source.clone();
    let sign = (0..SOURCES).find(|source| event(*source, 1).source == sign);
    let sign = event(sign.expect("one of ours"), 3);
    there
        .append(contract::TOPIC, &sign)
        .await
        .expect("the broker is there");
    until(&stays, &[], "the partitions come back", |batch| {
        batch.iter().any(|delivered| delivered.event == sign)
    })
    .await;
    let late: Vec<Place> = last(&first, &shared).into_values().collect();
    stays.commit(&marks(&first), &late).await.expect("recorded");
    drop(stays);

    append(4).await;
    let next = here.subscribe(GROUP, contract::TOPIC).await.expect("connected");
    let rest = until(&next, &[], "what is left", |batch| {
        batch
            .iter()
            .filter(|delivered| delivered.event.sequence == 4)
            .count() as u64
            == SOURCES
    })
    .await;
    for delivered in rest {
        let passed = reached.get(&delivered.place.partition);
        assert!(
            passed.is_none_or(|passed| *passed < delivered.place),
            "behind {passed:?}, and handed out again: {delivered:?}"
        );
    }
}
