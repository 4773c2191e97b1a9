//! Timers from their rows to their end (rules 13 and 14).

use std::time::Duration;

use super::desk::{
    Command, Desk, MINE, State, deleted, inserted, replies, row, said, timer, timer_row, unavailable,
    unknown, write_in,
};
use crate::protocol::activation::Input;
use crate::protocol::outcome::Outcome;
use crate::store::Cas;

const SOON: Duration = Duration::from_secs(10);

fn waiting(desk: &Desk, after: Duration) -> State {
    State {
        timers: vec![timer("t", desk.now.wall + after)],
        ..State::default()
    }
}

/// Rule 13: the row is inserted before the commit whose write id it carries, with the writer's epoch.
#[test]
fn a_row_is_inserted_before_its_commit() {
    let mut desk = Desk::active(State::default());
    let due = desk.now.wall + SOON;
    desk.ask(Command::Arm(timer("t", due)));
    let out = desk.noted();
    assert_eq!(said(&out), ["insert timers"]);
    let rows = inserted(&out);
    let out = desk.feed(Input::TimersInserted(Ok(())));
    assert_eq!(said(&out), ["armed", "write"]);
    assert_eq!(rows[0].key.write_id, write_in(&out).unwrap().next.write_id);
    assert_eq!((rows[0].epoch, rows[0].key.due), (MINE, due));
}

/// Rule 13: a key is never used twice, not even for an insert whose outcome nobody knows.
#[test]
fn a_failed_insert_is_not_repeated() {
    for failure in [unknown(), unavailable()] {
        let mut desk = Desk::active(State::default());
        let arm = Command::Arm(timer("t", desk.now.wall + SOON));
        desk.ask(arm.clone());
        let first = inserted(&desk.noted());
        let out = desk.feed(Input::TimersInserted(failure));
        assert!(matches!(replies(&out)[..], [Outcome::Unavailable { .. }]));
        assert!(desk.wait(Duration::from_secs(1)).is_empty());
        let second = inserted(&desk.ask(arm));
        assert_ne!(first[0].key, second[0].key);
    }
}

/// Rule 13: a timer due soon fires from memory, not before its time, and its row goes after the commit.
#[test]
fn a_timer_fires_from_memory() {
    let mut desk = Desk::active(State::default());
    let due = desk.now.wall + SOON;
    let rows = inserted(&desk.commit(Command::Arm(timer("t", due))));
    assert!(!said(&desk.wait(SOON - Duration::from_millis(1))).contains(&"note"));
    let mut out = desk.wait(Duration::from_millis(1));
    out.extend(desk.noted());
    assert!(write_in(&out).is_some() && deleted(&out).is_empty());
    assert_eq!(
        deleted(&desk.feed(Input::Written(Ok(Cas::Applied)))),
        [rows[0].key.clone()]
    );
}

/// Rule 13: a state that was read arms what is due soon.
#[test]
fn what_a_stored_state_waits_for_is_armed() {
    let mut desk = Desk::new(false);
    let state = waiting(&desk, SOON);
    desk.feed(Input::Row(Ok(Some(row(3, &state)))));
    assert_eq!(said(&desk.wait(SOON)), ["note"]);
}

/// Rule 14: what the state does not know of is done; its row goes.
#[test]
fn an_obsolete_row_is_deleted() {
    let mut desk = Desk::active(State::default());
    let old = timer_row(&timer("t", desk.now.wall), 4, 3);
    let out = desk.feed(Input::Timer(old.clone()));
    assert_eq!(said(&out), ["delete timers"]);
    assert_eq!(deleted(&out), [old.key]);
}

/// Rule 14: "not yet due", by the clock of whoever decides, is not "obsolete".
#[test]
fn a_row_that_is_not_yet_due_stays() {
    let mut desk = Desk::new(false);
    let state = waiting(&desk, SOON);
    desk.feed(Input::Row(Ok(Some(row(3, &state)))));
    assert!(
        desk.feed(Input::Timer(timer_row(&state.timers[0], 4, 3)))
            .is_empty()
    );
}

/// Rule 14: deleted only when its commit is confirmed.
#[test]
fn a_row_whose_commit_fails_stays() {
    let mut desk = Desk::new(false);
    let state = waiting(&desk, Duration::ZERO);
    desk.feed(Input::Row(Ok(Some(row(3, &state)))));
    let due = timer_row(&state.timers[0], 4, 3);
    desk.feed(Input::Timer(due.clone()));
    desk.noted();
    assert!(deleted(&desk.feed(Input::Written(unavailable()))).is_empty());
    let out = desk.feed(Input::Timer(due.clone()));
    assert_eq!(said(&out), ["write"]);
    assert_eq!(deleted(&desk.applied(&out)), [due.key]);
}

/// While the outcome of a write is unknown, for however long, a due timer waits once.
#[test]
fn a_due_timer_waits_once() {
    let mut desk = Desk::active(State::default());
    desk.commit(Command::Arm(timer("t", desk.now.wall + SOON)));
    let out = desk.ask(Command::Add(1));
    let stuck = write_in(&out).unwrap();
    for _ in 0..100 {
        desk.feed(Input::Written(unknown()));
        desk.wait(Duration::from_secs(10));
    }
    assert_eq!(
        said(&desk.ask(Command::Mute)),
        ["rights"],
        "there is room for more than timers"
    );
    let out = desk.feed(Input::Written(Ok(Cas::Refused(Some(stuck.next)))));
    assert_eq!(write_in(&out).unwrap().previous, Some(stuck.next));
}
