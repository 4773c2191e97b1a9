//! How invites end: once, and whoever is first.

use super::*;
use crate::id::Home;
use crate::testing::pure::Model;
use proptest::prelude::*;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

fn id() -> InviteId {
    InviteId::new(Home::default(), 7)
}

fn created(to_number: bool) -> Model<Invite> {
    let mut invite = Model::<Invite>::new(&id().to_string());
    let secrets = crate::testing::secrets();
    let number = crate::testing::number(1);
    let invitee = if to_number {
        Invitee::Number {
            phone: secrets.phone_key(&number),
            sealed: secrets.seal_number(&number),
        }
    } else {
        Invitee::Link
    };
    let expires_at = invite.now() + LIFETIME;
    invite
        .ask(Command::Create {
            id: id(),
            inviter: user(0),
            invitee,
            expires_at,
        })
        .unwrap();
    invite
}

/// How often the inviter was told that the invite is theirs again, and that somebody came in by it.
fn told(invite: &Model<Invite>) -> (usize, usize) {
    let ends = invite.commands::<User>();
    let ends = ends.iter().filter_map(|(_, command)| match command {
        user::Command::SettleInvite { status, .. } => Some(*status),
        _ => None,
    });
    let (accepted, back): (Vec<_>, Vec<_>) = ends.partition(|status| *status == Status::Accepted);
    (back.len(), accepted.len())
}

#[test]
fn the_first_accepted_wins() {
    let mut invite = created(false);
    invite.ask(Command::Accept { by: user(1) }).unwrap();
    assert_eq!(
        invite.ask(Command::Accept { by: user(2) }),
        Err(Refusal::NotPending)
    );
    assert_eq!(
        invite.ask(Command::Revoke { by: user(0) }),
        Err(Refusal::NotPending)
    );
    assert_eq!(told(&invite), (0, 0), "not before the account has settled it");
    invite
        .ask(Command::Settle {
            by: user(1),
            kept: true,
        })
        .unwrap();
    assert_eq!(told(&invite), (0, 1));
}

#[test]
fn expires_by_its_timer_and_not_before() {
    let mut invite = created(true);
    assert_eq!(invite.timers().len(), 1);
    invite.ask(Command::Expire).unwrap();
    assert_eq!(invite.state.0.as_ref().unwrap().status, Status::Pending);
    invite.advance(LIFETIME);
    assert_eq!(
        invite.ask(Command::Accept { by: user(1) }),
        Err(Refusal::NotPending),
        "late timer"
    );
    invite.fire_timers();
    assert_eq!(invite.state.0.as_ref().unwrap().status, Status::Expired);
    assert_eq!((told(&invite), invite.timers().len()), ((1, 0), 0));
    assert_eq!(invite.commands::<Phone>().len(), 2, "bound, and unbound again");
}

#[test]
fn only_its_giver_revokes_it_and_nobody_accepts_their_own() {
    let mut invite = created(false);
    assert_eq!(
        invite.ask(Command::Revoke { by: user(1) }),
        Err(Refusal::NotFound)
    );
    assert_eq!(
        invite.ask(Command::Accept { by: user(0) }),
        Err(Refusal::NotPending)
    );
    invite.ask(Command::Revoke { by: user(0) }).unwrap();
    invite.ask(Command::Revoke { by: user(0) }).unwrap();
    assert_eq!(told(&invite), (1, 0));
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (0..3u128).prop_map(|n| Command::Accept { by: user(n) }),
        (0..3u128, any::<bool>()).prop_map(|(n, kept)| Command::Settle { by: user(n), kept }),
        (0..2u128).prop_map(|n| Command::Revoke { by: user(n) }),
        Just(Command::GiveBack),
        Just(Command::Expire),
    ]
}

proptest! {
    /// Whatever comes in whatever order, the inviter hears of at most one end, and a repeat changes nothing.
    #[test]
    fn ends_once(commands in prop::collection::vec((command(), 0..20u64), 0..30), to_number: bool) {
        let mut invite = created(to_number);
        for (command, days) in commands {
            invite.advance(Duration::from_secs(days * 24 * 3600));
            let first = invite.ask(command.clone());
            let (state, sent) = (invite.state.clone(), invite.sent.len());
            let again = invite.ask(command.clone());
            if first.is_ok() {
                prop_assert_eq!(again, first);
            }
            prop_assert_eq!((&invite.state, invite.sent.len()), (&state, sent));
            let (back, accepted) = told(&invite);
            prop_assert!(back + accepted <= 1);
        }
    }
}
