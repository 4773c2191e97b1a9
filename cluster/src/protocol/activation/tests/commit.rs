//! A commit from its note to its effects, and what may go wrong on the way (rules 5, 8, 9, 10 and 11).

use std::time::Duration;

use super::desk::{
    Command, Desk, LIMITS, MINE, Outputs, State, Till, counts, head, replies, said, sent, unavailable,
    unknown, write_in,
};
use crate::call::Trace;
use crate::entity::Target;
use crate::protocol::activation::Input;
use crate::protocol::outcome::Outcome;
use crate::protocol::relay::WINDOW;
use crate::protocol::stored::Memory;
use crate::store::{Cas, OutboxRow, Row};
use crate::time::Timestamp;
use crate::wire;

/// Rule 8: noted before the first commit, and not again before the next.
#[test]
fn a_note_comes_before_the_first_commit() {
    let mut desk = Desk::active(State::default());
    assert_eq!(said(&desk.ask(Command::Add(1))), ["note"]);
    let out = desk.noted();
    assert_eq!(said(&out), ["write"]);
    desk.applied(&out);
    assert_eq!(said(&desk.ask(Command::Add(2))), ["write"]);
}

/// Rule 5: every write sets a fresh id and is conditional on the previous one.
#[test]
fn writes_form_a_chain() {
    let mut desk = Desk::active(State::default());
    let first = write_in(&desk.commit(Command::Add(1))).unwrap();
    let second = write_in(&desk.commit(Command::Add(2))).unwrap();
    assert_eq!(first.previous, Some(head(9, 3)));
    assert_eq!(second.previous, Some(first.next));
    assert_ne!(first.next.write_id, second.next.write_id);
    assert_eq!(second.next.epoch, MINE);
}

/// The order: commit, rights, replies, live updates, relay.
#[test]
fn effects_follow_their_order() {
    let mut desk = Desk::active(State::default());
    desk.ask(Command::Tell(1));
    desk.noted();
    let out = desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&out), ["committed", "rights", "reply", "live", "send"]);
}

/// What waits shares one commit; what only reads and comes first does not wait for it.
#[test]
fn commands_that_wait_share_a_commit() {
    let mut desk = Desk::active(State::default());
    let first = desk.ask(Command::Add(1));
    assert_eq!(said(&first), ["note"]);
    for command in [Command::Look, Command::Add(2), Command::Look, Command::Refuse] {
        assert!(desk.ask(command).is_empty(), "nobody sees what is not committed");
    }
    desk.noted();
    let out = desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&out), ["committed", "reply", "reply", "write"]);
    assert_eq!(counts(&out), [(0, String::new()), (1, String::new())]);
    let out = desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&out), ["committed", "reply", "reply", "reply"]);
}

#[test]
fn what_is_volatile_needs_no_commit() {
    let mut desk = Desk::active(State::default());
    assert_eq!(counts(&desk.ask(Command::Visit)), [(1, String::new())]);
    assert_eq!(counts(&desk.ask(Command::Visit)), [(2, String::new())]);
}

#[test]
fn a_failed_commit_changes_nothing() {
    let mut desk = Desk::active(State::default());
    desk.ask(Command::Tell(1));
    desk.noted();
    let out = desk.feed(Input::Written(unavailable()));
    assert_eq!(said(&out), ["reply"]);
    assert!(matches!(replies(&out)[..], [Outcome::Unavailable { .. }]));
    assert_eq!(counts(&desk.ask(Command::Look)), [(0, String::new())]);
    let write = write_in(&desk.ask(Command::Tell(2))).unwrap();
    assert_eq!((write.previous, write.sequence), (Some(head(9, 3)), 1));
}

/// An unknown outcome is settled by the identical write: a refusal that shows our own id means that it was applied.
#[test]
fn an_unknown_commit_is_settled_by_the_identical_write() {
    let mut desk = Desk::active(State::default());
    desk.ask(Command::Add(1));
    let first = write_in(&desk.noted()).unwrap();
    desk.feed(Input::Written(unknown()));
    let again = write_in(&desk.wait(Duration::from_millis(100))).unwrap();
    assert_eq!(first, again);
    // Certainly not applied by this send: an earlier one may have been.
    assert!(desk.feed(Input::Written(unavailable())).is_empty());
    desk.wait(Duration::from_secs(1));
    let out = desk.feed(Input::Written(Ok(Cas::Refused(Some(first.next)))));
    assert_eq!(said(&out), ["committed", "reply"]);
}

#[test]
fn somebody_elses_write_ends_the_activation() {
    let mut desk = Desk::active(State::default());
    desk.ask(Command::Add(1));
    desk.noted();
    let out = desk.feed(Input::Written(Ok(Cas::Refused(Some(head(8, MINE.0))))));
    assert_eq!(said(&out), ["reply", "conflict"]);
    assert!(matches!(replies(&out)[..], [Outcome::Unavailable { .. }]));
}

/// What says all that was said before in the same commit takes its place, and nothing else moves.
#[test]
fn a_row_covers_those_before_it_in_its_commit() {
    let mut desk = Desk::active(State::default());
    let out = desk.commit(Command::Cover(1));
    let rows = |out: &Outputs| {
        let write = write_in(out).expect("a commit");
        let rows = write.insert.iter();
        rows.map(|row| (row.sequence, wire::decode::<Command>(&row.payload).unwrap()))
            .collect::<Vec<_>>()
    };
    let alone = [(1, Command::Credit(1)), (2, Command::Pay(1))];
    assert_eq!(rows(&out), alone);

    let first = desk.ask(Command::Add(0));
    for n in 2..=4 {
        desk.ask(Command::Cover(n));
    }
    let out = desk.applied(&first);
    let together = [
        (3, Command::Credit(4)),
        (4, Command::Pay(2)),
        (5, Command::Pay(3)),
        (6, Command::Pay(4)),
    ];
    assert_eq!(rows(&out), together);
}

/// Rule 10: one row is with its target; one of unknown outcome is repeated before the next.
#[test]
fn one_row_is_on_the_wire() {
    let mut desk = Desk::active(State::default());
    let first = sent(&desk.commit(Command::Tell(1)));
    assert_eq!(first[0].sequence, 1);
    assert!(sent(&desk.commit(Command::Tell(2))).is_empty());
    desk.feed(Input::Sent {
        sequence: 1,
        delivered: false,
    });
    assert_eq!(sent(&desk.wait(Duration::from_millis(60))), first);
    assert!(
        sent(&desk.feed(Input::Sent {
            sequence: 2,
            delivered: true
        }))
        .is_empty(),
        "that one was not sent"
    );
    let second = sent(&desk.feed(Input::Sent {
        sequence: 1,
        delivered: true,
    }));
    assert_eq!(second[0].sequence, 2);
}

/// Rule 11: `published` waits for the slower lane; how far the faster one is goes with the next commit, so that a new
/// activation does not repeat all of it.
#[test]
fn a_commit_says_how_far_the_faster_lane_is() {
    let mut desk = Desk::active(State::default());
    let mut outbox = sent(&desk.commit(Command::Tell(1)));
    outbox.extend(sent(&desk.commit(Command::Pay(2))));
    assert_eq!(outbox.len(), 2, "one of each lane is on the wire");
    let out = desk.feed(Input::Sent {
        sequence: 2,
        delivered: true,
    });
    assert!(out.is_empty() && desk.wait(Duration::from_secs(1)).is_empty());
    let out = desk.commit(Command::Pay(3));
    outbox.extend(sent(&out));
    let write = write_in(&out).unwrap();
    assert_eq!(write.published, 0);

    let mut next = Desk::new(true);
    let stored = Row {
        head: write.next,
        blob: write.blob.clone().unwrap(),
        sequence: 3,
        published: 0,
    };
    next.feed(Input::Row(Ok(Some(stored))));
    next.feed(Input::Written(Ok(Cas::Applied)));
    let again = sent(&next.feed(Input::Outbox(Ok(outbox))));
    let sequences: Vec<u64> = again.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, [1, 3], "not the second");
}

/// Rule 11: `published` moves by a conditional write of the actor's own, or with the next commit.
#[test]
fn published_moves_by_a_conditional_write() {
    let mut desk = Desk::active(State::default());
    let commit = write_in(&desk.commit(Command::Tell(1))).unwrap();
    assert_eq!((commit.sequence, commit.published), (1, 0));
    desk.feed(Input::Sent {
        sequence: 1,
        delivered: true,
    });
    let publish = write_in(&desk.wait(Duration::from_millis(60))).unwrap();
    assert_eq!((publish.previous, publish.published), (Some(commit.next), 1));
    assert_eq!((&publish.blob, publish.insert.len()), (&None, 0));

    desk.feed(Input::Written(Ok(Cas::Applied)));
    desk.commit(Command::Tell(2));
    desk.feed(Input::Sent {
        sequence: 2,
        delivered: true,
    });
    assert_eq!(write_in(&desk.ask(Command::Add(3))).unwrap().published, 2);
}

/// The last rows that a lane reads may all be the other's, delivered before: nothing is sent any more, and yet more is
/// published.
#[test]
fn what_a_reading_shows_to_be_delivered_is_published() {
    let mut memory = Memory::<Till>::default();
    memory.inside = WINDOW as u64 + 1;
    let mut outbox: Vec<OutboxRow> = (1..=memory.inside).map(topic_row).collect();
    outbox[WINDOW].target = Target::Table("tills".to_owned());
    let stored = Row {
        head: head(9, 3),
        blob: memory.encode().unwrap(),
        sequence: memory.inside,
        published: 0,
    };
    let mut desk = Desk::new(true);
    desk.feed(Input::Row(Ok(Some(stored))));
    desk.feed(Input::Written(Ok(Cas::Applied)));
    desk.feed(Input::Outbox(Ok(outbox[..WINDOW].to_vec())));
    for sequence in 1..=WINDOW as u64 {
        desk.feed(Input::Sent {
            sequence,
            delivered: true,
        });
    }
    let out = desk.wait(Duration::from_millis(60));
    assert_eq!(write_in(&out).unwrap().published, WINDOW as u64);
    desk.applied(&out);
    desk.feed(Input::Outbox(Ok(outbox[WINDOW..].to_vec())));
    let out = desk.wait(Duration::from_millis(60));
    assert_eq!(write_in(&out).unwrap().published, memory.inside);
    desk.applied(&out);
    assert_eq!(said(&desk.wait(Duration::from_secs(5))), ["unnote"]);
}

fn topic_row(sequence: u64) -> OutboxRow {
    OutboxRow {
        sequence,
        target: Target::Topic("tills".to_owned()),
        payload: vec![],
        at: Timestamp::default(),
        trace: Trace::default(),
    }
}

/// Rule 9: out of the list only when nothing is under way, the outbox is empty and `published` says so.
#[test]
fn the_list_is_left_when_nothing_is_owed() {
    let mut desk = Desk::active(State::default());
    desk.commit(Command::Tell(1));
    assert!(desk.wait(LIMITS.passivate).is_empty(), "a row is with its target");
    desk.feed(Input::Sent {
        sequence: 1,
        delivered: true,
    });
    assert_eq!(
        said(&desk.wait(Duration::from_secs(5))),
        ["write"],
        "delivered, and not yet published"
    );
    desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&desk.wait(Duration::from_secs(5))), ["unnote"]);
    assert_eq!(
        said(&desk.ask(Command::Add(2))),
        ["note"],
        "noted again before its next commit"
    );
}
