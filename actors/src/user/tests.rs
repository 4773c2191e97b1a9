//! The cases that matter, one by one; [`properties`] has random histories.

mod leaving;
mod places;
mod properties;
mod push;
mod signed_in;
mod sizes;

use super::*;
use crate::events::Notices;
use crate::id::{Home, InviteId, RoomId, SessionId, SocketId};
use crate::invite::{Invite, Invitee, Status};
use crate::person::{NoticeKind, Patch, Standing};
use crate::tables;
use crate::testing::pure::Model;
use crate::testing::{number, secrets};
use crate::waitlist::{
    self, Waitlist,
    block::{self, Block},
};
use mitalk_cluster::{NodeId, ROWS_PER_DECISION};
use std::time::Duration;

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

fn invite_id(n: u128) -> InviteId {
    InviteId::new(Home::default(), n)
}

fn device(n: u128) -> DeviceId {
    DeviceId::new(Home::default(), n)
}

fn sign_up() -> Command {
    let (secrets, number) = (secrets(), number(1));
    Command::SignUp {
        phone: secrets.phone_key(&number),
        sealed: secrets.seal_number(&number),
        hint: number.hint(),
        quota: 2,
        offered: vec![],
    }
}

fn waiting() -> Model<User> {
    let mut account = Model::new(&user(0).to_string());
    account.ask(sign_up()).unwrap();
    account
}

fn active() -> Model<User> {
    let mut account = waiting();
    account.ask(Command::Admit { how: Admitted::Open }).unwrap();
    account
}

fn give(n: u128) -> Command {
    let lifetime = Duration::from_secs(3600);
    Command::Invite {
        id: invite_id(n),
        invitee: Invitee::Link,
        hint: None,
        lifetime,
        most: 100,
    }
}

fn take_part(n: u128) -> Command {
    Command::TakePart {
        room: RoomId::new(Home::default(), n),
    }
}

fn open(n: u128, hash: u8) -> Command {
    Command::OpenDevice {
        device: device(n),
        name: "phone".into(),
        hash: [hash; 32],
        most: 3,
    }
}

fn rotate(n: u128, presented: u8, next: u8) -> Command {
    Command::Rotate {
        device: device(n),
        presented: [presented; 32],
        next: [next; 32],
        idle: Duration::from_secs(3600),
    }
}

fn claim(room: u128, session: u128) -> Command {
    let home = Home::default();
    let claim = RoomClaim {
        room: RoomId::new(home, room),
        session: SessionId::new(home, session),
        device: device(1),
        node: NodeId::new("one"),
    };
    Command::ClaimRoom { claim, again: None }
}

/// The same, made again so long after they came in.
fn claim_again(room: u128, session: u128, seconds: u64) -> Command {
    let Command::ClaimRoom { claim, .. } = claim(room, session) else {
        panic!("a claim")
    };
    let again = Some(Duration::from_secs(seconds));
    Command::ClaimRoom { claim, again }
}

#[test]
fn the_first_accepted_invite_wins_and_the_other_is_given_back() {
    let mut account = waiting();
    account
        .ask(Command::Redeem {
            invite: invite_id(1),
            inviter: user(8),
        })
        .unwrap();
    account
        .ask(Command::Redeem {
            invite: invite_id(2),
            inviter: user(9),
        })
        .unwrap();
    account
        .ask(Command::Redeem {
            invite: invite_id(1),
            inviter: user(8),
        })
        .unwrap();
    let kept: Vec<_> = account
        .commands::<Invite>()
        .into_iter()
        .map(|(key, command)| match command {
            crate::invite::Command::Settle { kept, .. } => (key, kept),
            other => panic!("{other:?}"),
        })
        .collect();
    let (one, two) = (invite_id(1).to_string(), invite_id(2).to_string());
    assert_eq!(kept, [(one.clone(), true), (two, false), (one, true)]);
    let Ok(Reply::Account(account)) = account.ask(Command::Read) else {
        panic!("an account")
    };
    assert_eq!(
        (account.standing, account.invited_by),
        (Standing::Active, Some(user(8)))
    );
}

#[test]
fn a_suspended_account_does_nothing_and_has_no_devices() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(Command::Suspend { suspended: true }).unwrap();
    assert_eq!(
        account.effects.last(),
        Some(&Effect::ShutOutAll(vec![device(1)])),
        "the device by itself too: its tokens stay worthless when the account is let in again"
    );
    let shut_out = account
        .sent
        .iter()
        .filter_map(|row| match tables::Change::read(&row.payload) {
            Ok(tables::Change::ShutOut(row)) => Some(row.device),
            _ => None,
        });
    assert_eq!(
        shut_out.collect::<Vec<_>>(),
        [Some(device(1)), None],
        "who has read of the account, after a crash in between, has read of its devices"
    );
    for command in [
        open(2, 2),
        rotate(1, 1, 2),
        give(1),
        claim(1, 1),
        Command::Follow {
            whom: user(3),
            follows: true,
            listed: false,
        },
    ] {
        assert_eq!(account.ask(command), Err(Refusal::Suspended));
    }
    account.ask(Command::Suspend { suspended: false }).unwrap();
    assert_eq!(account.ask(rotate(1, 1, 2)), Err(Refusal::RefreshInvalid));
    account.ask(open(2, 2)).unwrap();
}

#[test]
fn a_lost_number_takes_the_handle_along() {
    let mut account = active();
    let until = account.now() + Duration::from_secs(60);
    let handle = "ada".to_owned();
    account.ask(Command::SetHandle { handle, until }).unwrap();
    account.ask(Command::LoseNumber).unwrap();
    account.ask(Command::Suspend { suspended: false }).unwrap();
    let Ok(Reply::Account(summary)) = account.ask(Command::Read) else {
        panic!("an account")
    };
    assert_eq!(summary.handle, None, "somebody else may have it by now");
}

#[test]
fn rooms_on_stage_earn_invites_once_each_and_only_for_people_who_are_in() {
    let mut account = waiting();
    account.ask(take_part(1)).unwrap();
    account.ask(Command::Admit { how: Admitted::Open }).unwrap();
    let left = |account: &Model<User>| account.state.account.as_ref().unwrap().invites_left;
    for room in [1, 1, 2, 2, 1] {
        account.ask(take_part(room)).unwrap();
    }
    assert_eq!(left(&account), 2, "two rooms are not enough");
    account.ask(take_part(3)).unwrap();
    assert_eq!(left(&account), 3);
    for n in 0..2 {
        account.ask(give(n)).unwrap();
        let by = Some(user(n));
        let settle = Command::SettleInvite {
            invite: invite_id(n),
            status: Status::Accepted,
            by,
        };
        account.ask(settle.clone()).unwrap();
        account.ask(settle).unwrap();
    }
    assert_eq!(
        left(&account),
        2,
        "3 less 2 given, and one earned by those who came"
    );
    account.ask(Command::Suspend { suspended: true }).unwrap();
    for room in 4..=6 {
        account.ask(take_part(room)).unwrap();
    }
    assert_eq!(left(&account), 2, "a suspended person earns nothing");
}

#[test]
fn a_notice_of_the_same_origin_is_told_once() {
    let mut account = active();
    let notify = |origin| Command::Notify {
        what: NoticeKind::NewFollower { person: user(5) },
        origin: Origin(origin),
    };
    account.ask(notify(1)).unwrap();
    account.ask(notify(1)).unwrap();
    account.ask(notify(2)).unwrap();
    let Ok(Reply::Notices { notices, more }) = account.ask(Command::Notices {
        before: u64::MAX,
        limit: 10,
    }) else {
        panic!("notices")
    };
    assert_eq!(
        (notices.iter().map(|notice| notice.seq).collect::<Vec<_>>(), more),
        (vec![2, 1], false)
    );
}

#[test]
fn the_number_is_sealed_anew_after_a_rotation_of_keys() {
    let mut account = active();
    let Command::SignUp {
        phone,
        mut sealed,
        hint,
        quota,
        offered,
    } = sign_up()
    else {
        panic!("sign_up")
    };
    let mut sign_in = |kid: &str, nonce: u8| {
        sealed.kid = kid.into();
        sealed.nonce = [nonce; 12];
        let command = Command::SignUp {
            phone: phone.clone(),
            sealed: sealed.clone(),
            hint: hint.clone(),
            quota,
            offered: offered.clone(),
        };
        match account.ask(command) {
            Ok(Reply::Account(account)) => account.revision,
            other => panic!("{other:?}"),
        };
        let kept = account.state.account.as_ref().unwrap();
        (kept.sealed.kid.to_string(), kept.sealed.nonce[0])
    };
    assert_eq!(sign_in("newer", 7), ("newer".to_owned(), 7));
    assert_eq!(
        sign_in("newer", 8),
        ("newer".to_owned(), 7),
        "one seal by each key is enough"
    );
}

#[test]
fn who_is_stopped_while_waiting_is_not_called_and_waits_anew_when_restored() {
    let home = Home::default();
    let take = |number| Command::TakeTicket { home, number };
    let ticket = |account: &Model<User>| account.state.account.as_ref().unwrap().ticket;
    let stop = |suspended| Command::Suspend { suspended };
    let mut account = waiting();
    account.ask(Command::Queue).unwrap();
    account.ask(take(5)).unwrap();
    account.ask(stop(true)).unwrap();
    assert_eq!(ticket(&account), None);
    let left = account.commands::<Block>();
    assert!(
        matches!(left[..], [(_, block::Command::Leave { ticket: 5 })]),
        "{left:?}"
    );
    // Called before the block heard of it; and a second ticket that was on its way.
    let how = Admitted::Ticket;
    assert_eq!(account.ask(Command::Admit { how }), Err(Refusal::Suspended));
    account.ask(take(6)).unwrap();
    account.ask(Command::Queue).unwrap();
    assert_eq!(ticket(&account), None);
    assert!(
        account.messages::<Notices>().is_empty(),
        "nobody is told that they are in"
    );

    account.ask(stop(false)).unwrap();
    let waitlist: Vec<_> = account
        .commands::<Waitlist>()
        .into_iter()
        .map(|(_, command)| command)
        .collect();
    use waitlist::Command as W;
    assert!(
        matches!(waitlist[..], [W::Take { .. }, W::Left { .. }, W::Take { .. }]),
        "{waitlist:?}"
    );
    account.ask(take(9)).unwrap();
    account.ask(Command::Admit { how }).unwrap();
    assert_eq!(account.messages::<Notices>().len(), 1);
}

#[test]
fn an_account_that_lost_its_number_never_waits_again() {
    let mut account = waiting();
    account.ask(Command::Queue).unwrap();
    account.ask(Command::LoseNumber).unwrap();
    let asked = account.commands::<Waitlist>().len();
    account.ask(Command::Suspend { suspended: false }).unwrap();
    assert_eq!(account.commands::<Waitlist>().len(), asked);
}

#[test]
fn who_is_not_followed_is_not_unfollowed() {
    let mut account = active();
    let follow = |follows, listed| Command::Follow {
        whom: user(5),
        follows,
        listed,
    };
    let sent = account.sent.len();
    account.ask(follow(false, false)).unwrap();
    assert_eq!(account.sent.len(), sent, "nothing is written");
    account.ask(follow(false, true)).unwrap();
    assert_eq!(account.sent.len(), sent + 1, "long ago, but the table has it");
    account.ask(follow(true, false)).unwrap();
    account.ask(follow(false, false)).unwrap();
    assert_eq!(account.sent.len(), sent + 4, "the table may not have it yet");
    account.ask(follow(false, true)).unwrap();
    assert_eq!(account.sent.len(), sent + 4, "the table may have it still");
}
