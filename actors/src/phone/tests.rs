//! Codes, ownership and waiting invites of a number.

use super::*;
use crate::id::Home;
use crate::invite::Invite;
use crate::testing::pure::Model;
use crate::testing::{number, secrets};
use crate::user::User;
use mitalk_cluster::{EntityId, Source};
use proptest::prelude::*;

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

fn invite(n: u128) -> InviteId {
    InviteId::new(Home::default(), n)
}

fn phone() -> Model<Phone> {
    Model::new(secrets().phone_key(&number(1)).as_str())
}

fn send(code: u8) -> Command {
    Command::SendCode {
        code: Secret(format!("{code:06}")),
        hash: [code; 32],
        number: secrets().seal_number(&number(1)),
        language: None,
        limits: Codes::default(),
    }
}

fn verify(code: u8, candidate: u128) -> Command {
    Command::Verify {
        hashes: vec![[0; 32], [code; 32]],
        candidate: user(candidate),
        claim_for: Duration::from_secs(600),
        limits: Codes::default(),
    }
}

fn verified(reply: &Reply) -> Option<UserId> {
    match reply {
        Reply::Verified { user, .. } => Some(*user),
        _ => None,
    }
}

#[test]
fn a_code_fits_once_and_within_its_time() {
    let mut phone = phone();
    assert_eq!(phone.ask(verify(1, 1)), Err(Refusal::Expired), "none was sent");
    phone.ask(send(1)).unwrap();
    assert_eq!(phone.ask(verify(2, 1)), Ok(Reply::Wrong { left: 4 }));
    assert_eq!(verified(&phone.ask(verify(1, 1)).unwrap()), Some(user(1)));
    assert_eq!(phone.ask(verify(1, 1)), Err(Refusal::Expired), "it was used");

    phone.advance(Duration::from_secs(60));
    phone.ask(send(2)).unwrap();
    phone.advance(Duration::from_secs(300));
    assert_eq!(phone.ask(verify(2, 1)), Err(Refusal::Expired), "its time is over");
}

#[test]
fn a_code_has_five_tries() {
    let mut phone = phone();
    phone.ask(send(1)).unwrap();
    for left in (0..5).rev() {
        assert_eq!(phone.ask(verify(9, 1)), Ok(Reply::Wrong { left }));
    }
    assert_eq!(
        phone.ask(verify(1, 1)),
        Err(Refusal::TriesUsedUp),
        "also the right one"
    );
}

#[test]
fn sending_backs_off_and_has_a_quota() {
    let mut phone = phone();
    let mut waited = Duration::ZERO;
    for sent in 1..=10 {
        let reply = phone.ask(send(sent)).unwrap();
        assert_eq!(
            reply,
            Reply::Sent {
                resend_after: Codes::default().resend_after(u32::from(sent))
            }
        );
        let Err(Refusal::TooMany { retry_after }) = phone.ask(send(99)) else {
            panic!("too soon")
        };
        if sent < 10 {
            phone.advance(retry_after);
            waited += retry_after;
        }
    }
    assert_eq!(phone.effects.len(), 10, "each code was sent once");
    let Err(Refusal::TooMany { retry_after }) = phone.ask(send(11)) else {
        panic!("the quota of a day")
    };
    assert_eq!(
        retry_after,
        Duration::from_secs(24 * 3600) - waited,
        "until the first one is a day old"
    );
    phone.advance(retry_after);
    phone.ask(send(11)).unwrap();
}

#[test]
fn guessing_over_many_codes_ends() {
    let mut phone = phone();
    let mut guesses = 0;
    for code in 1..=10 {
        if phone.ask(send(code)).is_err() {
            break;
        }
        while phone.ask(verify(99, 1)).is_ok() {
            guesses += 1;
        }
        phone.advance(Duration::from_secs(900));
    }
    assert_eq!(guesses, Codes::default().wrong_tries_per_day);

    // Also if the last code is fresh when the day's tries are used up.
    let mut phone = self::phone();
    let mut guesses = 0;
    for (code, tries) in [(1, 4), (2, 5), (3, 5), (4, 5), (5, 5)] {
        phone.ask(send(code)).unwrap();
        guesses += (0..tries).filter(|_| phone.ask(verify(99, 1)).is_ok()).count();
        phone.advance(Duration::from_secs(900));
    }
    assert_eq!(guesses, Codes::default().wrong_tries_per_day as usize);
}

#[test]
fn a_sign_up_that_was_cut_off_goes_on_as_the_same_person() {
    let mut phone = phone();
    phone.ask(send(1)).unwrap();
    assert_eq!(verified(&phone.ask(verify(1, 1)).unwrap()), Some(user(1)));
    phone.advance(Duration::from_secs(60));
    phone.ask(send(2)).unwrap();
    assert_eq!(verified(&phone.ask(verify(2, 2)).unwrap()), Some(user(1)));
    phone.ask(Command::Confirm { by: user(1) }).unwrap();
    phone.advance(Duration::from_secs(6000));
    phone.ask(send(3)).unwrap();
    assert_eq!(
        verified(&phone.ask(verify(3, 3)).unwrap()),
        Some(user(1)),
        "for good"
    );
    // Another account that confirms is told that it lost.
    phone.ask(Command::Confirm { by: user(2) }).unwrap();
    assert_eq!(phone.commands::<User>().len(), 1);
}

#[test]
fn invites_wait_for_the_number_and_all_but_one_are_given_back() {
    let mut phone = phone();
    for n in 1..=3 {
        phone.ask(Command::Bind { invite: invite(n) }).unwrap();
        phone.ask(Command::Bind { invite: invite(n) }).unwrap();
    }
    phone.ask(send(1)).unwrap();
    let Ok(Reply::Verified { invites, .. }) = phone.ask(verify(1, 1)) else {
        panic!("it fits")
    };
    assert_eq!(
        invites,
        [invite(1), invite(2), invite(3)],
        "oldest first, once each"
    );
    phone.ask(Command::Confirm { by: user(1) }).unwrap();
    let came_in = Command::CameIn {
        user: user(1),
        by: Some(invite(2)),
    };
    phone.ask(came_in.clone()).unwrap();
    phone.ask(came_in).unwrap();
    let given_back: Vec<_> = phone
        .commands::<Invite>()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(given_back, [invite(1).to_string(), invite(3).to_string()]);
    // An invite for somebody who is in stays pending: its giver learns nothing.
    phone.ask(Command::Bind { invite: invite(4) }).unwrap();
    assert_eq!(phone.commands::<Invite>().len(), 2);
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (0..4u8).prop_map(send),
        (0..4u8, 0..3u128).prop_map(|(code, candidate)| verify(code, candidate)),
        (0..3u128).prop_map(|n| Command::Confirm { by: user(n) }),
        (0..12u128).prop_map(|n| Command::Bind { invite: invite(n) }),
        (0..12u128).prop_map(|n| Command::Unbind { invite: invite(n) }),
        (0..3u128).prop_map(|n| Command::CameIn {
            user: user(n),
            by: None
        }),
    ]
}

#[test]
fn an_invite_too_many_is_given_back_at_once() {
    let mut phone = Model::<Phone>::new("key");
    for n in 0..=BOUND_INVITES as u128 {
        phone.ask(Command::Bind { invite: invite(n) }).unwrap();
    }
    let sent = phone.commands::<Invite>();
    let last = invite(BOUND_INVITES as u128).to_string();
    assert!(
        matches!(&sent[..], [(key, crate::invite::Command::GiveBack)] if *key == last),
        "{sent:?}"
    );
}

proptest! {
    /// A confirmed owner stays; a code never signs anybody else in; bounds hold; given back means once.
    #[test]
    fn a_number_is_one_persons(commands in prop::collection::vec((command(), 0..1_000u64), 0..60)) {
        let mut phone = phone();
        let mut owner = None;
        for (command, wait) in commands {
            phone.advance(Duration::from_secs(wait));
            if let Ok(Reply::Verified { user, .. }) = phone.ask(command) {
                prop_assert!(owner.is_none_or(|owner| owner == user));
            }
            let confirmed = phone.state.owner.as_ref().filter(|owner| owner.until.is_none());
            let confirmed = confirmed.map(|owner| owner.user);
            prop_assert!(owner.is_none() || confirmed == owner);
            owner = confirmed;
            prop_assert!(phone.state.bound.len() <= BOUND_INVITES);
            prop_assert!(phone.state.sent.len() <= Codes::default().per_number_and_day as usize);
        }
    }
}

/// Rule 12: a passed owner of an ended invite sends its first row again.
#[test]
fn an_ended_invite_does_not_come_back() {
    let mut phone = phone();
    phone.ask(Command::Bind { invite: invite(1) }).unwrap();
    phone.ask(Command::Unbind { invite: invite(1) }).unwrap();
    for n in 10..10 + BOUND_INVITES as u128 {
        phone.ask(Command::Bind { invite: invite(n) }).unwrap();
    }
    // One that found no place, and ends.
    phone.ask(Command::Bind { invite: invite(2) }).unwrap();
    phone.ask(Command::Unbind { invite: invite(2) }).unwrap();
    phone.ask(Command::Unbind { invite: invite(10) }).unwrap();
    for n in [1, 2, 10] {
        phone.ask(Command::Bind { invite: invite(n) }).unwrap();
    }
    assert_eq!(phone.state.bound.len(), BOUND_INVITES - 1);
    for n in 100..200 {
        phone.ask(Command::Unbind { invite: invite(n) }).unwrap();
    }
    assert_eq!(phone.state.unbound.len(), UNBOUND_INVITES);
}

/// Rule 12: what a passed owner of the account sends again does not count, although nothing is kept of who had it.
#[test]
fn a_released_number_is_anybodys_and_late_repeats_change_nothing() {
    let mut phone = phone();
    let owner = |phone: &mut Model<Phone>| match phone.ask(Command::Read) {
        Ok(Reply::Read { owner, .. }) => owner,
        other => panic!("{other:?}"),
    };
    phone.ask(Command::Bind { invite: invite(1) }).unwrap();
    phone.ask(send(1)).unwrap();
    phone.ask(verify(1, 1)).unwrap();
    told(&mut phone, 1, 5, Command::Confirm { by: user(1) });
    assert_eq!(
        phone.commands::<User>().len(),
        1,
        "claimed before: only the invite is said"
    );
    told(
        &mut phone,
        1,
        6,
        Command::CameIn {
            user: user(1),
            by: None,
        },
    );
    told(&mut phone, 1, 4, Command::Release { by: user(1) });
    told(&mut phone, 2, 9, Command::Release { by: user(2) });
    assert_eq!(
        owner(&mut phone),
        Some(user(1)),
        "from before it was theirs, and another's"
    );
    told(&mut phone, 1, 9, Command::Release { by: user(1) });
    assert_eq!(owner(&mut phone), None);
    assert!(phone.state.owner.is_none() && !phone.state.came_in);

    told(&mut phone, 1, 5, Command::Confirm { by: user(1) });
    let (_, asked) = phone.commands::<User>().pop().expect("the account is asked");
    assert!(
        matches!(asked, crate::user::Command::HoldsNumber { .. }),
        "{asked:?}"
    );
    told(&mut phone, 1, 10, Command::Release { by: user(1) });
    phone.advance(Duration::from_secs(60));
    phone.ask(send(2)).unwrap();
    assert_eq!(
        verified(&phone.ask(verify(2, 3)).unwrap()),
        Some(user(3)),
        "a new person"
    );
}

/// A row of somebody's account.
fn told(phone: &mut Model<Phone>, by: u128, sequence: u64, command: Command) {
    let source = Source {
        entity: EntityId::of::<User>(&user(by).to_string()),
        sequence,
    };
    phone.ask_from(source, command).unwrap();
}

#[test]
fn the_owner_proves_the_number_without_using_the_code_up() {
    let mut phone = phone();
    let prove = |code: u8, by| Command::Prove {
        hashes: vec![[code; 32]],
        by: user(by),
        limits: Codes::default(),
    };
    phone.ask(send(1)).unwrap();
    phone.ask(verify(1, 1)).unwrap();
    phone.advance(Duration::from_secs(60));
    phone.ask(send(2)).unwrap();
    assert_eq!(
        phone.ask(prove(2, 1)),
        Err(Refusal::Expired),
        "only held for them"
    );
    told(&mut phone, 1, 5, Command::Confirm { by: user(1) });
    assert_eq!(phone.ask(prove(2, 2)), Err(Refusal::Expired), "another's");
    assert_eq!(phone.ask(prove(9, 1)), Ok(Reply::Wrong { left: 4 }));
    assert_eq!(phone.ask(prove(2, 1)), Ok(Reply::Done));
    assert_eq!(phone.ask(prove(2, 1)), Ok(Reply::Done));
}
