//! The suite of the event log, both of its sides: [`EventLog`] and [`EventSource`].

use super::event;
use crate::ports::{Batch, Delivered, EventSource, Mark};
use mitalk_cluster::store::{Event, EventLog};
use mitalk_cluster::testing::contract::ask;

const TOPIC: &str = "mitalk.contract.v1";
const OTHER: &str = "mitalk.other.v1";

/// More than there is, late copies included.
const ALL: usize = 100;

/// The whole suite, over an empty log. A late copy of an append may land at any time; it is a repeat like any other.
///
/// # Panics
/// At the first broken promise.
pub async fn events(log: &(impl EventLog + EventSource)) {
    assert!(poll(log, "a", ALL).await.is_empty(), "nothing was appended");
    let events = [row("x", 1), row("y", 1), row("x", 2)];
    for event in &events {
        append(log, TOPIC, event).await;
    }
    append(log, OTHER, &row("z", 1)).await;

    let batch = poll(log, "a", ALL).await;
    assert_eq!(first_of_each(&batch), events, "everything, whole and in order");
    assert!(batch.is_sorted_by(|a, b| a.offset < b.offset), "offsets rise");
    assert!(
        poll(log, "a", ALL).await.starts_with(&batch),
        "nothing was committed"
    );
    assert_eq!(poll(log, "a", 1).await, batch[..1], "no more than asked for");

    for delivered in &batch {
        commit(log, delivered).await;
    }
    // A commit that comes late or again does not take the group back.
    commit(log, &batch[0]).await;
    append(log, TOPIC, &row("x", 2)).await;
    append(log, TOPIC, &row("x", 3)).await;
    let rest = poll(log, "a", ALL).await;
    let new: Vec<_> = rest
        .iter()
        .filter(|delivered| delivered.event.sequence > delivered.recorded)
        .collect();
    assert!(
        !new.is_empty(),
        "what was appended after the commit is given: {rest:?}"
    );
    assert!(
        new.iter().all(|delivered| delivered.event == row("x", 3)),
        "what was dealt with is known: {rest:?}"
    );
    assert_eq!(new[0].recorded, 2);

    let other = poll(log, "b", ALL).await;
    assert_eq!(other[0].event, events[0], "another group has its own place");
    assert_eq!(other[0].recorded, 0);
    ask(async || log.dead_letter(TOPIC, &events[1], "nobody can read it").await).await;
    assert!(
        poll(log, "a", ALL).await.starts_with(&rest),
        "a dead letter is beside the topic"
    );
}

fn row(source: &str, sequence: u64) -> Event {
    event(
        "contract",
        source,
        sequence,
        format!("{source} {sequence}").as_bytes(),
    )
}

fn first_of_each(batch: &Batch) -> Vec<Event> {
    let mut events: Vec<Event> = vec![];
    for delivered in batch {
        if !events.contains(&delivered.event) {
            events.push(delivered.event.clone());
        }
    }
    events
}

async fn poll(log: &impl EventSource, group: &str, max: usize) -> Batch {
    ask(async || log.poll(group, TOPIC, max).await).await
}

async fn append(log: &impl EventLog, topic: &str, event: &Event) {
    ask(async || log.append(topic, event).await).await;
}

async fn commit(log: &impl EventSource, delivered: &Delivered) {
    let source = delivered.event.source.clone();
    let mark = Mark {
        offset: delivered.offset,
        source,
        sequence: delivered.event.sequence,
    };
    ask(async || log.commit("a", TOPIC, &mark).await).await;
}
