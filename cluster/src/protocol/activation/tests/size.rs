//! A commit is one mutation of the store: bounded in bytes, whatever waits.

use super::desk::{Command, Desk, Outputs, State, counts, replies, said, write_in};
use crate::entity::{DECISION_BYTES, PAYLOAD_BYTES};
use crate::protocol::activation::Input;
use crate::protocol::outcome::Outcome;
use crate::store::{Cas, EntityWrite};

/// More than that no commit may have, blob and rows together.
const COMMIT_BYTES: usize = 2 * 1024 * 1024;

fn bytes(write: &EntityWrite) -> usize {
    let rows: usize = write.insert.iter().map(|row| row.payload.len()).sum();
    rows + write.blob.as_ref().map_or(0, |blob| blob.len())
}

/// A desk with a commit under way, behind which others wait.
fn busy() -> (Desk, Outputs) {
    let mut desk = Desk::active(State::default());
    desk.ask(Command::Add(0));
    let out = desk.noted();
    (desk, out)
}

#[test]
fn a_row_or_a_decision_that_is_too_large_is_refused() {
    let rows = DECISION_BYTES / PAYLOAD_BYTES;
    for (rows, bytes) in [(1, PAYLOAD_BYTES + 1), (rows + 1, PAYLOAD_BYTES)] {
        let mut desk = Desk::active(State::default());
        let out = desk.ask(Command::Flood(rows, bytes));
        assert_eq!(replies(&out), [Outcome::TooLarge]);
        assert_eq!(counts(&desk.ask(Command::Look))[0].0, 0, "nothing was done");
    }
    let mut desk = Desk::active(State::default());
    let write = write_in(&desk.commit(Command::Flood(2, PAYLOAD_BYTES))).unwrap();
    assert_eq!(write.insert.len(), 2);
}

/// What waits is divided into commits that each fit, in order, and nobody is refused for what others send.
#[test]
fn waiting_commands_are_divided_by_their_bytes() {
    let (mut desk, mut out) = busy();
    for _ in 0..12 {
        assert!(desk.ask(Command::Flood(2, PAYLOAD_BYTES)).is_empty());
    }
    let (mut commits, mut done) = (0, 0);
    while let Some(write) = write_in(&out) {
        assert!(bytes(&write) <= COMMIT_BYTES, "{}", bytes(&write));
        out = desk.feed(Input::Written(Ok(Cas::Applied)));
        done += counts(&out).len();
        commits += 1;
    }
    assert_eq!(done, 13, "{:?}", said(&out));
    assert!((5..=8).contains(&commits), "{commits}");
}
