//! From the row to the first answer (rules 4, 5 and 9), and rows that cannot be read.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::desk::{
    Command, Desk, LIMITS, MINE, State, head, replies, row, said, unavailable, unknown, write_in,
};
use crate::protocol::activation::Input;
use crate::protocol::outcome::Outcome;
use crate::store::{Cas, Row, StoreError};

/// Rule 5: entities outside of the open list are only read.
#[test]
fn who_is_not_in_the_list_is_only_read() {
    let mut desk = Desk::new(false);
    assert_eq!(
        said(&desk.ask(Command::Look)),
        Vec::<&str>::new(),
        "nothing before the row"
    );
    let out = desk.feed(Input::Row(Ok(None)));
    assert_eq!(said(&out), ["activated", "reply"]);
}

/// Rule 5: `epoch = mine, write_id = fresh IF write_id = seen`, before anything is decided or answered.
#[test]
fn who_is_in_the_list_is_fenced_before_anything_is_answered() {
    let mut desk = Desk::new(true);
    desk.ask(Command::Look);
    let out = desk.feed(Input::Row(Ok(Some(row(3, &State::default())))));
    assert_eq!(said(&out), ["write"]);
    let write = write_in(&out).unwrap();
    assert_eq!(write.previous, Some(head(9, 3)));
    assert_eq!(write.next.epoch, MINE);
    assert_eq!((&write.blob, write.sequence, write.published), (&None, 0, 0));
    assert_eq!(
        said(&desk.feed(Input::Written(Ok(Cas::Applied)))),
        ["activated", "reply"]
    );
}

/// Rule 5: also where no row exists.
#[test]
fn what_does_not_exist_is_fenced_too() {
    let mut desk = Desk::new(true);
    let out = desk.feed(Input::Row(Ok(None)));
    assert_eq!(write_in(&out).unwrap().previous, None);
}

/// Rule 5: a fence of unknown outcome is settled by the identical write.
#[test]
fn an_unknown_fence_is_sent_again_as_it_was() {
    let mut desk = Desk::new(true);
    let first = write_in(&desk.feed(Input::Row(Ok(None)))).unwrap();
    assert!(desk.feed(Input::Written(unknown())).is_empty());
    let again = write_in(&desk.wait(Duration::from_secs(3))).unwrap();
    assert_eq!(first, again);
    let landed = Cas::Refused(Some(first.next));
    assert_eq!(said(&desk.feed(Input::Written(Ok(landed)))), ["activated"]);
}

/// An older owner's commit landed between the read and the fence: it is read, and fenced anew.
#[test]
fn a_fence_that_came_second_reads_again() {
    let mut desk = Desk::new(true);
    desk.feed(Input::Row(Ok(None)));
    let out = desk.feed(Input::Written(Ok(Cas::Refused(Some(head(8, 3))))));
    assert_eq!(said(&out), ["read"]);
}

/// Rule 4: a refusal, or a row, that shows a higher epoch stops the whole shard.
#[test]
fn a_higher_epoch_is_the_end() {
    let mut desk = Desk::new(false);
    desk.ask(Command::Look);
    let out = desk.feed(Input::Row(Ok(Some(row(6, &State::default())))));
    assert_eq!(said(&out), ["reply", "passed"]);
    assert_eq!(replies(&out), [Outcome::NotOwner { hint: None }]);
    assert!(desk.ask(Command::Look).is_empty(), "nothing comes after the end");

    let mut fencing = Desk::new(true);
    fencing.feed(Input::Row(Ok(None)));
    let out = fencing.feed(Input::Written(Ok(Cas::Refused(Some(head(8, 6))))));
    assert_eq!(said(&out), ["passed"]);
}

/// Rule 9: what was fenced because the list names it leaves the list again once it owes nothing.
#[test]
fn what_was_fenced_leaves_the_list() {
    let mut desk = Desk::new(true);
    desk.feed(Input::Row(Ok(None)));
    desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&desk.wait(Duration::from_secs(5))), ["unnote"]);
    assert_eq!(said(&desk.wait(LIMITS.passivate)), ["idle"]);
}

/// Rule 6: an inherited outbox is read from the store and published, and it stays in the list meanwhile.
#[test]
fn what_was_inherited_is_published_first() {
    let mut desk = Desk::new(true);
    let owing = Row {
        sequence: 2,
        ..row(3, &State::default())
    };
    desk.feed(Input::Row(Ok(Some(owing))));
    let out = desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&out), ["activated", "read outbox"]);
    assert!(
        desk.wait(LIMITS.passivate * 3).is_empty(),
        "neither unnoted nor idle"
    );
}

#[test]
fn a_read_that_fails_is_tried_again_and_callers_hear_of_it() {
    let mut desk = Desk::new(false);
    desk.ask(Command::Look);
    let out = desk.feed(Input::Row(unavailable()));
    assert!(matches!(replies(&out)[..], [Outcome::Unavailable { .. }]));
    assert_eq!(said(&desk.wait(Duration::from_millis(30))), ["read"]);
}

#[test]
fn a_corrupt_row_says_so_and_is_read_again_by_a_later_activation() {
    for bad in [
        Err(StoreError::Corrupt("of the test".to_owned())),
        Ok(Some(Row {
            blob: Arc::from([0xc1_u8]),
            ..row(3, &State::default())
        })),
        // More is published than there is.
        Ok(Some(Row {
            published: 1,
            ..row(3, &State::default())
        })),
    ] {
        let mut desk = Desk::new(false);
        desk.ask(Command::Look);
        let out = desk.feed(Input::Row(bad));
        assert_eq!(replies(&out), [Outcome::Corrupt]);
        assert_eq!(replies(&desk.ask(Command::Add(1))), [Outcome::Corrupt]);
        assert_eq!(said(&desk.wait(LIMITS.passivate)), ["idle"]);
    }
}

proptest! {
    /// Whatever is stored: no panic, and either it is read or it is corrupt.
    #[test]
    fn no_stored_bytes_panic(
        blob in prop::collection::vec(any::<u8>(), 0..200),
        flip in any::<(u8, u8)>(),
        (sequence, published) in any::<(u64, u64)>(),
        epoch in 0_u64..5,
    ) {
        let mut valid = row(1, &State { sums: vec![1, 2, 3], ..State::default() }).blob.to_vec();
        let at = usize::from(flip.0) % valid.len();
        valid[at] ^= flip.1;
        for blob in [blob, valid] {
            let mut desk = Desk::new(false);
            let bad = Row { head: head(9, epoch), blob: blob.into(), sequence, published };
            desk.feed(Input::Row(Ok(Some(bad))));
            desk.ask(Command::Tell(1));
            desk.noted();
            desk.feed(Input::Outbox(Ok(vec![])));
            desk.wait(Duration::from_secs(3));
        }
    }
}
