//! What holds of an account after any commands, in any order, some of them repeated.

use super::*;
use mitalk_cluster::Timestamp;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(Command),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        Just(Status::Accepted),
        Just(Status::Revoked),
        Just(Status::Expired),
        Just(Status::GivenBack),
        Just(Status::Pending),
    ];
    let command = prop_oneof![
        Just(sign_up()),
        Just(Command::Queue),
        (1..4u64).prop_map(|number| Command::TakeTicket {
            home: Home::default(),
            number
        }),
        Just(Command::Admit {
            how: Admitted::Ticket
        }),
        (0..3u128).prop_map(|n| Command::Redeem {
            invite: invite_id(n),
            inviter: user(9)
        }),
        any::<bool>().prop_map(|suspended| Command::Suspend { suspended }),
        (0..40u128).prop_map(give),
        (0..40u128, status).prop_map(|(n, status)| {
            let by = (status == Status::Accepted).then(|| user(n));
            Command::SettleInvite {
                invite: invite_id(n),
                status,
                by,
            }
        }),
        (0..6u128, any::<u8>()).prop_map(|(n, hash)| open(n, hash)),
        (0..6u128, any::<u8>(), any::<u8>()).prop_map(|(n, presented, next)| rotate(n, presented, next)),
        (0..6u128).prop_map(|n| Command::RevokeDevice { device: device(n) }),
        (1..5u128, any::<bool>(), any::<bool>()).prop_map(|(n, follows, listed)| Command::Follow {
            whom: user(n),
            follows,
            listed
        }),
        (1..5u128).prop_map(|n| Command::Followed { by: user(n) }),
        (0..9u64).prop_map(|n| Command::Notify {
            what: NoticeKind::Admitted,
            origin: Origin(n)
        }),
        (0..9u64).prop_map(|up_to| Command::ReadNotices { up_to }),
        (0..3u128, 0..3u128).prop_map(|(room, session)| claim(room, session)),
        (0..3u128, 0..3u128, 0..300u64)
            .prop_map(|(room, session, seconds)| claim_again(room, session, seconds)),
        (0..3u128).prop_map(|n| Command::ReleaseRoom {
            session: SessionId::new(Home::default(), n)
        }),
        (0..3u128).prop_map(|n| Command::OfferInvites {
            invites: vec![invite_id(n)]
        }),
        (0..3u128).prop_map(|n| Command::DropOffer { invite: invite_id(n) }),
        (0..20u128).prop_map(take_part),
        (0..4u32).prop_map(|count| Command::GrantInvites { count, most: 6 }),
        Just(Command::LoseNumber),
        (0..3u8, any::<bool>()).prop_map(|(n, held)| Command::SetHandle {
            handle: format!("ada_{n}"),
            until: Timestamp(if held { u64::MAX } else { 0 })
        }),
        (0..3u8).prop_map(|n| Command::LoseHandle {
            handle: format!("ada_{n}")
        }),
    ];
    prop_oneof![9 => command.prop_map(Step::Ask), 1 => (0..2_000u64).prop_map(Step::Wait)]
}

/// Commands whose repeat is not the same thing: a rotated secret is an old one then, a revoked device is gone, and a grant is
/// known again by its request.
fn repeatable(command: &Command) -> bool {
    use Command as C;
    !matches!(
        command,
        C::Rotate { .. } | C::RevokeDevice { .. } | C::GrantInvites { .. }
    )
}

fn left(account: &Model<User>) -> u32 {
    account
        .state
        .account
        .as_ref()
        .map_or(0, |account| account.invites_left)
}

proptest! {
    #[test]
    fn holds_over_any_history(steps in prop::collection::vec(step(), 0..120)) {
        let mut account = Model::<User>::new(&user(0).to_string());
        let mut before = (0u64, 0u64, 0u64);
        let mut granted = 0;
        for step in steps {
            let command = match step {
                Step::Wait(seconds) => { account.advance(Duration::from_secs(seconds)); continue }
                Step::Ask(command) => command,
            };
            let (grants, had) = (matches!(command, Command::GrantInvites { .. }), left(&account));
            let first = account.ask(command.clone());
            if grants {
                granted += left(&account) - had;
                prop_assert!(left(&account) <= had.max(6));
            }
            if repeatable(&command) && first.is_ok() {
                let state = account.state.clone();
                let again = account.ask(command);
                prop_assert!(again.is_ok());
                prop_assert_eq!(&account.state, &state, "a repeated request changes nothing");
            }
            let Some(held) = account.state.account.as_deref() else { continue };
            let given = held.invites.iter().filter(|spent| matches!(spent.status, Status::Pending | Status::Accepted));
            let gained = 2 + earned(&held.part) + granted;
            prop_assert_eq!(held.invites_left + given.count() as u32, gained, "the quota is exact");
            let now = (held.revision, held.notice_seq, held.notices_read);
            prop_assert!(now.0 >= before.0 && now.1 >= before.1 && now.2 >= before.2, "nothing goes back");
            prop_assert!(held.notices_read <= held.notice_seq);
            prop_assert!(held.devices.len() <= 3 && held.notices.len() <= KEPT_NOTICES);
            prop_assert!(!held.active || held.offered.is_empty());
            prop_assert!(!held.number_lost || held.active || !held.queued, "nobody is called who cannot sign in");
            prop_assert!(!held.suspended || held.active || (!held.queued && held.ticket.is_none()));
            let in_room = account.state.live.room.as_ref();
            let may_be = |room: &presence::Held| !held.suspended && held.devices.iter().any(|device| device.id == room.device());
            prop_assert!(in_room.is_none_or(may_be), "nobody who was shut out is in a room");
            before = now;
        }
    }
}
