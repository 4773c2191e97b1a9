//! Rules 10 and 11, row by row.

use std::time::Duration;

use super::*;
use crate::call::Trace;
use crate::entity::Target;
use crate::time::Timestamp;

fn at(ms: u64) -> BootInstant {
    BootInstant::default() + Duration::from_millis(ms)
}

fn rows(sequences: impl IntoIterator<Item = u64>) -> Vec<OutboxRow> {
    let row = |sequence| OutboxRow {
        sequence,
        target: Target::Topic("t".to_owned()),
        payload: vec![],
        at: Timestamp::default(),
        trace: Trace::default(),
    };
    sequences.into_iter().map(row).collect()
}

fn next(relay: &mut Relay) -> u64 {
    match relay.next() {
        Some(Step::Send(row)) => row.sequence,
        other => panic!("no row: {other:?}"),
    }
}

/// Rule 10: in order, one at a time; what is unknown is repeated before the next.
#[test]
fn rows_go_one_after_the_other() {
    let mut relay = Relay::new(0, 0);
    relay.push(&rows(1..=2));
    assert_eq!(next(&mut relay), 1);
    assert_eq!(relay.next(), None);
    relay.sent(at(0), 1, false);
    assert_eq!(relay.next(), None, "after a while");
    relay.tick(relay.wake().unwrap());
    assert_eq!(next(&mut relay), 1);
    relay.sent(at(100), 1, true);
    assert_eq!(next(&mut relay), 2);
    relay.sent(at(100), 2, true);
    assert!(relay.is_empty() && relay.next().is_none());
    assert_eq!(relay.delivered(), 2);
}

/// The outcome of a row that is not on the wire says nothing.
#[test]
fn a_late_outcome_is_ignored() {
    let mut relay = Relay::new(0, 0);
    relay.push(&rows(1..=2));
    relay.sent(at(0), 1, true);
    assert_eq!(relay.delivered(), 0);
    next(&mut relay);
    relay.sent(at(0), 2, true);
    assert_eq!((relay.delivered(), relay.next()), (0, None));
}

/// A target that is away is asked ever more seldom, every 15 s at last.
#[test]
fn a_target_that_is_away_is_asked_seldom() {
    let mut relay = Relay::new(0, 0);
    relay.push(&rows([1]));
    let (mut now, mut tries) = (at(0), 0);
    while now < at(600_000) {
        next(&mut relay);
        relay.sent(now, 1, false);
        now = relay.wake().unwrap();
        relay.tick(now);
        tries += 1;
    }
    assert!((40..60).contains(&tries), "{tries} in ten minutes");
}

/// What does not fit into memory is read from the store when its turn comes.
#[test]
fn what_is_beyond_the_window_is_read() {
    let all = WINDOW as u64 + 10;
    let mut relay = Relay::new(0, 0);
    relay.push(&rows(1..=all));
    for sequence in 1..=WINDOW as u64 {
        assert_eq!(next(&mut relay), sequence);
        relay.sent(at(0), sequence, true);
    }
    let after = WINDOW as u64;
    assert_eq!(relay.next(), Some(Step::Read { after }));
    // A commit meanwhile.
    relay.push(&rows([all + 1]));
    relay.read(at(0), Some(rows(after + 1..=all + 1)));
    for sequence in after + 1..=all + 1 {
        assert_eq!(next(&mut relay), sequence);
        relay.sent(at(0), sequence, true);
    }
    assert!(relay.is_empty());
}

/// A gap is never skipped: consumers would drop what comes later.
#[test]
fn a_gap_is_waited_for() {
    let mut relay = Relay::new(4, 7);
    for answer in [None, Some(vec![]), Some(rows([6, 7]))] {
        assert_eq!(relay.next(), Some(Step::Read { after: 4 }));
        relay.read(at(0), answer);
        assert_eq!(relay.next(), None);
        relay.tick(relay.wake().unwrap());
    }
    relay.next();
    relay.read(at(0), Some(rows([5, 7])));
    assert_eq!(next(&mut relay), 5);
    relay.sent(at(0), 5, true);
    assert_eq!(relay.next(), Some(Step::Read { after: 5 }), "the rest again");
}
