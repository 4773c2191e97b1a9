//! What is remembered beside the state (rule 12).

use std::time::Duration;

use super::desk::{Command, Desk, State, counts, replies, said};
use crate::entity::Source;
use crate::id::{EntityId, RequestId};
use crate::protocol::activation::Input;
use crate::protocol::outcome::Outcome;
use crate::protocol::stored::{REMEMBER, REQUEST_BYTES, REQUESTS, SOURCES};
use crate::store::Cas;

fn request(n: u16) -> Option<RequestId> {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    Some(RequestId(bytes))
}

fn source(n: usize, sequence: u64) -> Option<Source> {
    let entity = EntityId::new("source", &n.to_string());
    Some(Source { entity, sequence })
}

/// A desk whose list and store always say yes.
fn noted() -> Desk {
    let mut desk = Desk::active(State::default());
    desk.commit(Command::Add(0));
    desk
}

#[test]
fn a_repeated_request_gets_its_first_answer() {
    let mut desk = noted();
    desk.ask_as(Command::Create(3), request(1), None);
    let first = counts(&desk.feed(Input::Written(Ok(Cas::Applied))));
    desk.commit(Command::Add(1));
    assert_eq!(counts(&desk.ask_as(Command::Create(3), request(1), None)), first);
    assert_eq!(
        said(&desk.ask_as(Command::Create(3), request(2), None)),
        ["write"]
    );
}

/// Nothing is evicted early: a full memory refuses, and has room again when the oldest is old enough.
#[test]
fn a_full_memory_refuses_and_forgets_only_what_is_old() {
    let mut desk = noted();
    for n in 0..REQUESTS {
        desk.ask_as(Command::Create(0), request(u16::try_from(n).unwrap()), None);
        desk.feed(Input::Written(Ok(Cas::Applied)));
    }
    let more = || (Command::Create(0), request(u16::MAX));
    let (command, next) = more();
    assert!(matches!(
        replies(&desk.ask_as(command, next, None))[..],
        [Outcome::Overloaded { retry_after_ms }] if retry_after_ms > 500_000
    ));
    assert_eq!(
        said(&desk.ask_as(Command::Create(0), request(0), None)),
        ["reply"],
        "known ones are answered"
    );
    desk.wait(REMEMBER);
    let (command, next) = more();
    assert!(said(&desk.ask_as(command, next, None)).contains(&"note"));
}

/// An answer that alone would fill the memory is refused before anything is done.
#[test]
fn an_answer_too_large_to_remember_is_refused() {
    let mut desk = noted();
    assert_eq!(
        replies(&desk.ask_as(Command::Create(REQUEST_BYTES), request(1), None)),
        [Outcome::TooLarge]
    );
    assert_eq!(
        said(&desk.ask(Command::Create(REQUEST_BYTES))),
        ["write"],
        "nobody will repeat that one"
    );
}

#[test]
fn a_row_of_a_source_is_carried_out_once() {
    let mut desk = noted();
    desk.ask_as(Command::Credit(1), None, source(1, 7));
    desk.feed(Input::Written(Ok(Cas::Applied)));
    for old in [7, 6] {
        let out = desk.ask_as(Command::Credit(1), None, source(1, old));
        assert_eq!(replies(&out), [Outcome::Duplicate]);
    }
    assert_eq!(
        said(&desk.ask_as(Command::Credit(1), None, source(1, 8))),
        ["write"]
    );
}

#[test]
fn sources_are_bounded() {
    let mut desk = noted();
    for n in 0..SOURCES {
        desk.ask_as(Command::Credit(1), None, source(n, 1));
        desk.feed(Input::Written(Ok(Cas::Applied)));
    }
    let out = desk.ask_as(Command::Credit(1), None, source(SOURCES, 1));
    assert_eq!(replies(&out), [Outcome::TooLarge], "not for now, but for ever");
    assert_eq!(
        said(&desk.ask_as(Command::Credit(1), None, source(0, 2))),
        ["write"]
    );
}

/// The owner checks the deadline when it takes the command from the queue.
#[test]
fn a_late_command_is_not_carried_out() {
    let mut desk = noted();
    desk.ask(Command::Add(1));
    desk.ask(Command::Add(2));
    desk.now.boot = desk.now.boot + Duration::from_secs(60);
    let out = desk.feed(Input::Written(Ok(Cas::Applied)));
    assert_eq!(said(&out), ["committed", "reply", "reply"]);
    assert_eq!(replies(&out)[1], Outcome::TimedOut);
    assert_eq!(counts(&desk.ask(Command::Look)), [(2, String::new())]);
}
