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
    desk.feed(Input::Noted);
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
    desk.feed(Input::Noted);
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
