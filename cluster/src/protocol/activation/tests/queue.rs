//! Admission, deadlines and urgent commands.

use std::time::Duration;

use super::desk::{Command, Desk, LIMITS, PATIENCE, State, counts, replies, said, unavailable, unknown};
use crate::protocol::activation::Input;
use crate::protocol::outcome::Outcome;
use crate::store::Cas;

/// A desk with a commit of unknown outcome under way.
fn stuck() -> Desk {
    let mut desk = Desk::active(State::default());
    desk.ask(Command::Add(1));
    desk.noted();
    desk.feed(Input::Written(unknown()));
    desk
}

/// Over the bound the answer is immediate; the last eighth is for urgent commands.
#[test]
fn a_full_queue_refuses_at_once() {
    let mut desk = stuck();
    let places = LIMITS.queue - LIMITS.queue / 8;
    for n in 0..places {
        assert!(desk.ask(Command::Look).is_empty(), "{n}");
    }
    assert!(matches!(
        replies(&desk.ask(Command::Look))[..],
        [Outcome::Overloaded { .. }]
    ));
    for _ in places..LIMITS.queue {
        assert_eq!(said(&desk.ask(Command::Mute)), ["rights"]);
    }
    assert!(matches!(
        replies(&desk.ask(Command::Mute))[..],
        [Outcome::Overloaded { .. }]
    ));
}

#[test]
fn a_full_node_takes_urgent_commands_only() {
    let mut desk = Desk::active(State::default());
    desk.urgent_only = true;
    let refused = replies(&desk.ask(Command::Look));
    assert!(matches!(refused[..], [Outcome::Overloaded { .. }]));
    assert_eq!(said(&desk.ask(Command::Mute)), ["rights", "note"]);
}

/// Nobody waits beyond its deadline, and the place of who left is free.
#[test]
fn callers_leave_at_their_deadline() {
    let mut desk = stuck();
    for _ in 0..10 {
        desk.ask(Command::Look);
    }
    let out = desk.wait(PATIENCE);
    assert_eq!(replies(&out), vec![Outcome::TimedOut; 11]);
    for _ in 0..10 {
        assert!(desk.ask(Command::Look).is_empty());
    }
}

/// An urgent command acts at once, says `pending` when the store is slow, and is committed when it is back.
#[test]
fn an_urgent_command_acts_before_its_commit() {
    let mut desk = Desk::active(State::default());
    assert_eq!(said(&desk.ask(Command::Mute)), ["rights", "note"]);
    desk.noted();
    desk.feed(Input::Written(unavailable()));
    assert_eq!(counts(&desk.wait(LIMITS.urgent)), [(0, "pending".to_owned())]);
    let mut tries = 0;
    while counts(&desk.ask(Command::Look)) == [(0, String::new())] {
        desk.wait(Duration::from_secs(3));
        let answer = if tries < 3 {
            unavailable()
        } else {
            Ok(Cas::Applied)
        };
        desk.feed(Input::Written(answer));
        tries += 1;
        assert!(tries < 10);
    }
}

/// Rule 8: without its note nothing was sent, so nothing was done, and who waits need not wait for the deadline.
#[test]
fn a_store_that_takes_no_note_is_said_at_once() {
    let mut desk = Desk::active(State::default());
    assert_eq!(said(&desk.ask(Command::Add(1))), ["note"]);
    assert!(desk.ask(Command::Add(2)).is_empty());
    // What waited is decided, wishes again, and hears the same.
    for last in [false, true] {
        let out = desk.not_noted();
        assert_eq!(said(&out).contains(&"note"), !last);
        assert!(
            matches!(&replies(&out)[..], [Outcome::Unavailable { reason, .. }] if reason.contains("full")),
            "{:?}",
            replies(&out)
        );
    }
    assert_eq!(
        counts(&desk.ask(Command::Look)),
        [(0, String::new())],
        "nothing was done"
    );
    assert!(desk.not_noted().is_empty(), "an answer to a wish that has one");
    assert_eq!(counts(&desk.commit(Command::Add(3)))[0].0, 0);
}

/// An urgent command that has no note yet stays, and is committed when the store takes one.
#[test]
fn an_urgent_command_outlives_a_note_that_failed() {
    let mut desk = Desk::active(State::default());
    assert_eq!(said(&desk.ask(Command::Mute)), ["rights", "note"]);
    assert!(desk.not_noted().is_empty());
    let out = desk.wait(LIMITS.urgent);
    assert!(counts(&out).contains(&(0, "pending".to_owned())));
    assert!(said(&out).contains(&"note"));
    let out = desk.noted();
    desk.applied(&out);
}

/// Rule 12: what expired while it waited for the note is not carried out; what did not is.
#[test]
fn what_expires_before_its_note_is_dropped() {
    let mut desk = Desk::active(State::default());
    assert_eq!(said(&desk.ask(Command::Add(1))), ["note"]);
    desk.wait(PATIENCE / 2);
    desk.ask(Command::Add(2));
    let out = desk.wait(PATIENCE / 2);
    assert_eq!(replies(&out), [Outcome::TimedOut]);
    assert!(!said(&out).contains(&"note"), "the wish stands");
    let out = desk.noted();
    assert_eq!(counts(&desk.applied(&out)).len(), 1);
    assert_eq!(counts(&desk.ask(Command::Look))[0].0, 1, "the second alone");
}

/// An answer to an earlier wish says nothing about where the entity stands now.
#[test]
fn the_note_of_an_earlier_activation_is_not_ones_own() {
    let mut desk = Desk::active(State::default());
    assert_eq!(said(&desk.feed(Input::Noted(99))), ["unnote"], "rule 9");
    assert_eq!(said(&desk.ask(Command::Add(1))), ["note"]);
    assert!(desk.feed(Input::Noted(99)).is_empty());
    assert_eq!(said(&desk.noted()), ["write"]);
}

/// Rule 5: nothing is decided before the fence, so nobody waits for a store that does not take it.
#[test]
fn a_fence_that_fails_keeps_nobody_waiting() {
    let mut desk = Desk::new(true);
    desk.feed(Input::Row(Ok(None)));
    assert!(desk.ask(Command::Add(1)).is_empty());
    let out = desk.feed(Input::Written(unavailable()));
    assert!(matches!(replies(&out)[..], [Outcome::Unavailable { .. }]));
    assert!(
        said(&desk.wait(PATIENCE)).contains(&"write"),
        "it goes on all the same"
    );
}

#[test]
fn an_idle_entity_leaves() {
    let mut desk = Desk::active(State::default());
    assert!(desk.wait(LIMITS.passivate - Duration::from_secs(1)).is_empty());
    assert_eq!(said(&desk.wait(Duration::from_secs(1))), ["idle"]);
    assert_eq!(
        said(&desk.wait(LIMITS.passivate)),
        ["idle"],
        "asked again, should it not be let go"
    );
}
