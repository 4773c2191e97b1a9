//! The suite of the event log, all of its sides: [`EventLog`], [`EventSource`] and [`DeadLetters`].
//!
//! A log may have partitions, and members may have to wait for theirs: what is to come is waited for, and only the order of
//! one source is asserted. A late copy of an append may land at any time; it is a repeat like any other.

use super::event;
use crate::ports::{Batch, DeadLetter, DeadLetters, Delivered, EventSource, Mark, Place, Subscription};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::{Event, EventLog};
use mitalk_cluster::testing::contract::ask;
use std::collections::BTreeMap;

/// The topic that the suite writes to; it exists where topics have to be made.
pub const TOPIC: &str = "mitalk.contract.v1";
/// Another one.
pub const OTHER: &str = "mitalk.other.v1";

/// More than there is, late copies included.
const ALL: usize = 1_000;
/// Polls that bring nothing until the suite says that what it waits for never comes: a member waits for a part in its group.
const EMPTY_POLLS: usize = 60;
/// More partitions than a log under test has.
const PARTITIONS: u32 = 16;

/// The whole suite, over an empty log.
///
/// # Panics
/// At the first broken promise.
pub async fn events(log: &(impl EventLog + EventSource + DeadLetters)) {
    let first = member(log, "a", TOPIC).await;
    assert_eq!(poll(&first, ALL).await, [], "nothing was appended");
    let given = [row("x", 1), row("y", 1), row("x", 2)];
    for event in &given {
        append(log, TOPIC, event).await;
    }
    append(log, OTHER, &row("z", 1)).await;

    handed_out_once(&first, &given).await;
    drop(first);
    bounded(log, &given).await;
    recorded(log, &given).await;
    letters(log, &given[1]).await;
    browsed(log).await;
}

/// Everything, whole and in each source's order; and then only repeats.
async fn handed_out_once(member: &Member, given: &[Event]) {
    let batch = all_of(member, given).await;
    for (source, sequences) in sequences(&batch) {
        let expected: &[u64] = if source == "x" { &[1, 2] } else { &[1] };
        assert_eq!(sequences, expected, "{source} in order");
    }
    assert!(
        batch.iter().all(|delivered| {
            given.contains(&delivered.event)
                && delivered.recorded == 0
                && delivered.again_for.is_none()
                && delivered.unreadable.is_none()
        }),
        "whole, and nothing else: {batch:?}"
    );
    let mut newest = BTreeMap::<u32, u64>::new();
    for Delivered { place, .. } in &batch {
        let before = newest.insert(place.partition, place.offset);
        assert!(before.is_none_or(|before| before < place.offset), "places rise");
    }
    let more = poll(member, ALL).await;
    let places: Vec<Place> = batch.iter().map(|delivered| delivered.place).collect();
    assert!(
        more.iter().all(|delivered| !places.contains(&delivered.place)),
        "what was handed out is not handed out again: {more:?}"
    );
}

/// Whoever comes next gets what was not committed; no more than was asked for, and nothing of partitions that are full.
async fn bounded(log: &impl EventSource, given: &[Event]) {
    let member = member(log, "a", TOPIC).await;
    let full: Vec<u32> = (0..PARTITIONS).collect();
    let nothing = ask(async || member.poll(ALL, &full).await).await;
    assert_eq!(nothing, [], "all partitions are full");
    let mut batch = vec![];
    for _ in 0..EMPTY_POLLS {
        let some = poll(&member, 1).await;
        assert!(some.len() <= 1, "no more than asked for: {some:?}");
        batch.extend(some);
        if has_all(&batch, given) {
            return;
        }
    }
    panic!("handed out again, one by one: {batch:?}");
}

/// Sources are marked before places move; neither goes back.
async fn recorded(log: &(impl EventLog + EventSource), given: &[Event]) {
    let one = member(log, "a", TOPIC).await;
    all_of(&one, given).await;
    commit(&one, &[&given[1]], &[]).await;
    drop(one);

    let two = member(log, "a", TOPIC).await;
    let batch = all_of(&two, given).await;
    for delivered in &batch {
        let expected = u64::from(delivered.event.source == given[1].source);
        assert_eq!(
            delivered.recorded, expected,
            "marked without its place: {delivered:?}"
        );
    }
    let dealt: Vec<&Event> = given.iter().collect();
    let places = last_places(&batch);
    commit(&two, &dealt, &places).await;
    // A commit that comes late or again takes nothing back.
    commit(&two, &[&given[0]], &[batch[0].place]).await;
    drop(two);

    append(log, TOPIC, &row("x", 2)).await;
    append(log, TOPIC, &row("x", 3)).await;
    let three = member(log, "a", TOPIC).await;
    let new = row("x", 3);
    let batch = all_of(&three, std::slice::from_ref(&new)).await;
    for delivered in &batch {
        assert!(
            delivered.event == new && delivered.recorded == 2 || delivered.is_settled("a", 0),
            "what was dealt with is known: {delivered:?}"
        );
        assert!(
            places
                .iter()
                .all(|place| place.partition != delivered.place.partition || *place < delivered.place),
            "what the places passed is not handed out: {delivered:?}"
        );
    }
    commit(&three, &[&new], &last_places(&batch)).await;
    drop(three);

    let other = member(log, "b", TOPIC).await;
    let batch = all_of(&other, given).await;
    assert!(
        batch.iter().all(|delivered| delivered.recorded == 0),
        "another group has its own: {batch:?}"
    );
    commit(&other, &[], &last_places(&batch)).await;
}

/// Dead letters stay until they are retried or dropped; a retry is for its group, and by id.
async fn letters(log: &(impl EventSource + DeadLetters), event: &Event) {
    let letter = |group: &str, event: &Event, at| DeadLetter {
        group: group.to_owned(),
        topic: TOPIC.to_owned(),
        event: event.clone(),
        reason: "nobody can read \"it\"".to_owned(),
        at: Timestamp(at),
    };
    let poison = Event {
        payload: vec![0xc1, 0xff, 0],
        ..event.clone()
    };
    let (old, new) = (letter("a", &poison, 1_000), letter("b", event, 2_000));
    for letter in [&new, &old, &old] {
        ask(async || log.put(letter).await).await;
    }
    let listed = ask(async || log.list(TOPIC, ALL).await).await;
    assert_eq!(listed, [old.clone(), new.clone()], "each once, oldest first");
    assert_eq!(ask(async || log.list(TOPIC, 1).await).await, listed[..1]);
    assert_eq!(ask(async || log.list(OTHER, ALL).await).await, [], "by topic");
    assert_eq!(ask(async || log.find(&old.id()).await).await, Some(old.clone()));

    // Without an answer the first time it is gone the second time, so what these say is not asserted.
    ask(async || log.discard(&old.id()).await).await;
    assert_eq!(ask(async || log.find(&old.id()).await).await, None, "dropped");
    assert!(!ask(async || log.discard(&old.id()).await).await, "there is none");
    assert!(!ask(async || log.retry(&old.id()).await).await, "there is none");

    ask(async || log.retry(&new.id()).await).await;
    assert_eq!(
        ask(async || log.list(TOPIC, ALL).await).await,
        [],
        "retried letters are gone"
    );
    for group in ["a", "b"] {
        let member = member(log, group, TOPIC).await;
        let again = |delivered: &Delivered| delivered.again_for.as_deref() == Some("b");
        let batch = until(&member, |batch| batch.iter().any(again)).await;
        for delivered in batch.iter().filter(|delivered| again(delivered)) {
            assert_eq!(delivered.event, *event, "as it was");
            assert_eq!(
                delivered.is_settled(group, event.sequence),
                group == "a",
                "for its group alone"
            );
        }
    }
}

/// All that is kept, page by page and for nobody.
async fn browsed(log: &impl EventSource) {
    let (mut after, mut all) = (BTreeMap::<u32, Place>::new(), vec![]);
    loop {
        let places: Vec<Place> = after.values().copied().collect();
        let page = ask(async || log.browse(TOPIC, &places, 2).await).await;
        assert!(page.len() <= 2, "no more than asked for");
        if page.is_empty() {
            break;
        }
        for delivered in page {
            let before = after.insert(delivered.place.partition, delivered.place);
            assert!(
                before.is_none_or(|before| before < delivered.place),
                "places rise"
            );
            all.push(delivered);
        }
    }
    let found = sequences(&all);
    assert_eq!(found["x"], [1, 2, 3]);
    assert_eq!(found["y"], [1]);
    assert!(
        all.iter().all(|delivered| &*delivered.event.source.key != "z"),
        "by topic"
    );
}

type Member = Box<dyn Subscription>;

fn row(source: &str, sequence: u64) -> Event {
    event(
        "contract",
        source,
        sequence,
        format!("{source} {sequence}").as_bytes(),
    )
}

/// The sequences of each source, repeats left out.
fn sequences(batch: &Batch) -> BTreeMap<String, Vec<u64>> {
    let mut sequences = BTreeMap::<String, Vec<u64>>::new();
    for Delivered { event, .. } in batch {
        let own = sequences.entry(event.source.key.to_string()).or_default();
        if own.last().is_none_or(|last| *last < event.sequence) {
            own.push(event.sequence);
        }
    }
    sequences
}

fn has_all(batch: &Batch, events: &[Event]) -> bool {
    let has = |event: &Event| batch.iter().any(|delivered| delivered.event == *event);
    events.iter().all(has)
}

fn last_places(batch: &Batch) -> Vec<Place> {
    let places = batch.iter().map(|delivered| delivered.place);
    let last: BTreeMap<u32, Place> = places.map(|place| (place.partition, place)).collect();
    last.into_values().collect()
}

async fn member(log: &impl EventSource, group: &str, topic: &str) -> Member {
    ask(async || log.subscribe(group, topic).await).await
}

async fn poll(member: &Member, max: usize) -> Batch {
    ask(async || member.poll(max, &[]).await).await
}

/// What a member gets until all of these are there.
async fn all_of(member: &Member, events: &[Event]) -> Batch {
    until(member, |batch| has_all(batch, events)).await
}

async fn until(member: &Member, enough: impl Fn(&Batch) -> bool) -> Batch {
    let (mut batch, mut empty) = (vec![], 0);
    while !enough(&batch) {
        let more = poll(member, ALL).await;
        empty += usize::from(more.is_empty());
        assert!(empty < EMPTY_POLLS, "the rest never comes: {batch:?}");
        batch.extend(more);
    }
    batch
}

async fn append(log: &impl EventLog, topic: &str, event: &Event) {
    ask(async || log.append(topic, event).await).await;
}

async fn commit(member: &Member, dealt: &[&Event], places: &[Place]) {
    let mark = |event: &&Event| Mark {
        source: event.source.clone(),
        sequence: event.sequence,
    };
    let dealt: Vec<Mark> = dealt.iter().map(mark).collect();
    ask(async || member.commit(&dealt, places).await).await;
}
