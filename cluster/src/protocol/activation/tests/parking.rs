//! Leaving memory with rows that their target does not take now (rules 9, 10 and 14).

use std::time::Duration;

use super::desk::{Command, Desk, LIMITS, Outputs, State, Till, row, said, sent, timer, timer_row};
use crate::entity::Target;
use crate::id::EntityId;
use crate::protocol::activation::{Input, Output};
use crate::store::{Cas, OutboxRow, Row};

/// How often a row is tried while nobody looks: longer than the longest back-off.
const TRY: Duration = Duration::from_secs(16);

fn fails(desk: &mut Desk, sequence: u64) -> Outputs {
    let mut out = desk.feed(Input::Sent {
        sequence,
        delivered: false,
    });
    if !said(&out).contains(&"park") {
        out.extend(desk.wait(TRY));
    }
    out
}

/// One whose topic row fails until it may leave.
fn parked() -> (Desk, OutboxRow) {
    let mut desk = Desk::active(State::default());
    let row = sent(&desk.commit(Command::Tell(1))).remove(0);
    for _ in 0..3 {
        assert_eq!(said(&fails(&mut desk, 1)), ["send"], "somebody may want it");
    }
    desk.wait(LIMITS.passivate);
    let out = fails(&mut desk, 1);
    assert_eq!(said(&out), ["park"], "and it is not taken from the list");
    (desk, row)
}

#[test]
fn an_idle_entity_leaves_what_its_target_does_not_take() {
    let (mut desk, _) = parked();
    assert!(desk.wait(LIMITS.passivate).is_empty(), "rule 10: nothing is sent");
}

/// Rule 10: with a row on the wire a new activation would send another.
#[test]
fn a_row_on_the_wire_keeps_an_entity() {
    let mut desk = Desk::active(State::default());
    desk.commit(Command::Tell(1));
    for _ in 0..3 {
        fails(&mut desk, 1);
    }
    assert!(desk.wait(2 * LIMITS.passivate).is_empty());
}

/// A lane that works is waited for.
#[test]
fn a_lane_that_works_keeps_an_entity() {
    let mut desk = Desk::active(State::default());
    desk.commit(Command::Tell(1));
    desk.commit(Command::Pay(2));
    for _ in 0..5 {
        assert_eq!(said(&fails(&mut desk, 1)), ["send"]);
    }
    let out = desk.feed(Input::Sent {
        sequence: 2,
        delivered: true,
    });
    assert!(out.is_empty());
    let out = fails(&mut desk, 1);
    assert_eq!(said(&out)[0], "write", "how far that lane is");
    let write = desk.applied(&out);
    assert!(write.is_empty() || said(&write) == ["park"]);
    assert_eq!(said(&fails(&mut desk, 1)), ["park"]);
}

/// What was on its way when it said so: it goes on as if nothing had been said.
#[test]
fn an_entity_that_is_not_let_go_goes_on() {
    let (mut desk, row) = parked();
    assert!(said(&desk.commit(Command::Tell(2))).contains(&"reply"));
    assert_eq!(sent(&desk.wait(TRY)), [row]);

    let (mut desk, _) = parked();
    let gone = timer("t", desk.now.wall);
    let out = desk.feed(Input::Timer(timer_row(&gone, 4, 3)));
    assert!(said(&out).contains(&"delete timers"), "rule 14");
}

/// Whoever is activated for what it owes finds out at the first row, and is in nobody's way.
#[test]
fn an_activation_in_the_background_leaves_at_once() {
    let (_, owed) = parked();
    for taken in [false, true] {
        let mut desk = Desk::background();
        let stored = Row {
            sequence: 1,
            ..row(3, &State::default())
        };
        desk.feed(Input::Row(Ok(Some(stored))));
        let out = desk.feed(Input::Written(Ok(Cas::Applied)));
        assert_eq!(said(&out), ["activated", "read outbox"]);
        assert_eq!(said(&desk.feed(Input::Outbox(Ok(vec![owed.clone()])))), ["send"]);
        let mut out = desk.feed(Input::Sent {
            sequence: 1,
            delivered: taken,
        });
        if taken {
            assert!(matches!(out[..], [Output::Through(_)]));
            out = desk.wait(Duration::from_millis(60));
            out = desk.applied(&out);
            out.extend(desk.wait(Duration::from_millis(10)));
            assert_eq!(said(&out)[..2], ["unnote", "idle"]);
        } else {
            assert_eq!(said(&out), ["park"]);
        }
    }
}

/// Once somebody uses it, it stays as long as any other.
#[test]
fn what_is_used_is_no_background_work() {
    let mut desk = Desk::background();
    desk.feed(Input::Row(Ok(None)));
    desk.ask(Command::Look);
    desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&desk.wait(Duration::from_secs(5))), ["unnote"]);
    assert_eq!(said(&desk.wait(LIMITS.passivate)), ["idle"]);
}

/// What is taken behind a row that is not is no sign that others should come back.
#[test]
fn a_row_that_is_taken_behind_one_that_is_not_is_no_progress() {
    let (_, mut first) = parked();
    first.target = Target::Entity(EntityId::of::<Till>("b"));
    let second = OutboxRow {
        sequence: 2,
        target: Target::Entity(EntityId::of::<Till>("c")),
        ..first.clone()
    };
    let mut desk = Desk::background();
    let stored = Row {
        sequence: 2,
        ..row(3, &State::default())
    };
    desk.feed(Input::Row(Ok(Some(stored))));
    desk.feed(Input::Written(Ok(Cas::Applied)));
    let out = desk.feed(Input::Outbox(Ok(vec![first, second])));
    assert_eq!(said(&out), ["send", "send"]);
    let said_of = |desk: &mut Desk, sequence, delivered| {
        let out = desk.feed(Input::Sent { sequence, delivered });
        said(&out)
    };
    assert_eq!(said_of(&mut desk, 2, true), [""; 0]);
    assert_eq!(said_of(&mut desk, 1, false), ["park"]);
}
