//! The cases that matter, one by one; [`properties`] has random histories.

mod leaving;
mod properties;
mod push;

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
fn reuse_of_an_old_secret_revokes_the_device_and_no_other() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(open(2, 50)).unwrap();
    let standing = Standing::Active;
    assert_eq!(account.ask(rotate(1, 1, 2)), Ok(Reply::Device { standing }));
    assert_eq!(account.ask(rotate(1, 2, 3)), Ok(Reply::Device { standing }));
    assert_eq!(
        account.ask(rotate(1, 99, 4)),
        Err(Refusal::RefreshInvalid),
        "a guess signs nobody out"
    );
    assert_eq!(account.ask(rotate(1, 1, 4)), Ok(Reply::Reused));
    assert_eq!(account.effects.last(), Some(&Effect::ShutOut(device(1))));
    assert_eq!(
        account.ask(rotate(1, 3, 4)),
        Err(Refusal::RefreshInvalid),
        "the whole family"
    );
    assert_eq!(account.ask(rotate(2, 50, 51)), Ok(Reply::Device { standing }));
}

#[test]
fn a_lost_answer_to_a_refresh_signs_nobody_out() {
    let device_of = Ok(Reply::Device {
        standing: Standing::Active,
    });
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    assert_eq!(account.ask(rotate(1, 1, 2)), device_of);
    assert_eq!(account.ask(rotate(1, 1, 3)), device_of, "2 never arrived");
    assert_eq!(account.ask(rotate(1, 1, 4)), device_of, "nor did 3");
    assert_eq!(account.ask(rotate(1, 4, 5)), device_of);
    assert_eq!(
        account.ask(rotate(1, 1, 6)),
        Ok(Reply::Reused),
        "4 was used, so 1 is an old one"
    );

    for lost in [2, 3] {
        let mut account = active();
        account.ask(open(1, 1)).unwrap();
        for next in [2, 3, 4] {
            account.ask(rotate(1, 1, next)).unwrap();
        }
        assert_eq!(
            account.ask(rotate(1, lost, 9)),
            Ok(Reply::Reused),
            "{lost} was replaced: if somebody has it, two parties have the family"
        );
    }
}

#[test]
fn a_device_out_of_use_is_signed_out_and_the_oldest_makes_room() {
    let mut account = active();
    for n in 1..=4 {
        account.ask(open(n, n as u8)).unwrap();
        account.advance(Duration::from_secs(1));
    }
    let Ok(Reply::Devices(devices)) = account.ask(Command::Devices) else {
        panic!("devices")
    };
    let ids: Vec<_> = devices.iter().map(|device| device.id).collect();
    assert_eq!(ids, [device(4), device(3), device(2)]);
    account.advance(Duration::from_secs(3601));
    assert_eq!(account.ask(rotate(2, 2, 9)), Err(Refusal::RefreshInvalid));
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
fn a_later_claim_of_a_room_evicts_the_earlier_one() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    assert_eq!(account.ask(claim(1, 1)), Ok(Reply::Claimed { evicted: None }));
    assert_eq!(
        account.ask(claim(1, 1)),
        Ok(Reply::Claimed { evicted: None }),
        "a repeat"
    );
    let Ok(Reply::Claimed {
        evicted: Some(evicted),
    }) = account.ask(claim(2, 2))
    else {
        panic!("evicted")
    };
    let why = Evicted::Moved;
    let claim = evicted.clone();
    assert_eq!(account.effects.last(), Some(&Effect::Evict { claim, why }));
    account
        .ask(Command::ReleaseRoom {
            session: evicted.session,
        })
        .unwrap();
    let Ok(Reply::Room(Some(room))) = account.ask(Command::FindRoom) else {
        panic!("still in the second")
    };
    account
        .ask(Command::ReleaseRoom {
            session: room.session,
        })
        .unwrap();
    assert_eq!(account.ask(Command::FindRoom), Ok(Reply::Room(None)));
}

fn in_session(account: &mut Model<User>) -> Option<SessionId> {
    match account.ask(Command::FindRoom) {
        Ok(Reply::Room(room)) => room.map(|room| room.session),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_made_again_yields_to_who_came_later_and_to_nobody_else() {
    let session = |n| SessionId::new(Home::default(), n);
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(claim(1, 1)).unwrap();
    account.advance(Duration::from_secs(20));
    account.ask(claim(2, 2)).unwrap();
    account.advance(Duration::from_secs(20));
    let Ok(Reply::Room(Some(newer))) = account.ask(claim_again(1, 1, 40)) else {
        panic!("they went to another room since")
    };
    assert_eq!(newer.session, session(2));
    assert_eq!(in_session(&mut account), Some(session(2)));
    // The first claim of the third session never arrived.
    account.advance(Duration::from_secs(20));
    let Ok(Reply::Claimed {
        evicted: Some(evicted),
    }) = account.ask(claim_again(3, 3, 10))
    else {
        panic!("the third came later")
    };
    assert_eq!(evicted.session, session(2));
    assert_eq!(in_session(&mut account), Some(session(3)));
}

#[test]
fn a_claim_that_its_own_release_overtook_counts_for_nothing() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    let session = SessionId::new(Home::default(), 1);
    account.ask(Command::ReleaseRoom { session }).unwrap();
    account.ask(claim(1, 1)).unwrap();
    assert_eq!(in_session(&mut account), None);
    account.ask(claim(1, 2)).unwrap();
    assert!(in_session(&mut account).is_some());
}

#[test]
fn a_claim_lasts_as_long_as_it_is_made_again() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(claim(1, 1)).unwrap();
    for n in 1..=9 {
        account.advance(CLAIM_LEASE / 3);
        let seconds = (CLAIM_LEASE / 3).as_secs() * n;
        account.ask(claim_again(1, 1, seconds)).unwrap();
    }
    assert!(in_session(&mut account).is_some());
    assert!(
        !User::pinned(&account.state),
        "its session keeps it, not the memory"
    );
    account.advance(CLAIM_LEASE + Duration::from_secs(1));
    assert_eq!(in_session(&mut account), None);
    let Ok(Reply::Account(shown)) = account.ask(Command::Read) else {
        panic!("an account")
    };
    assert_eq!(shown.room, None);
    let evicted = account.ask(claim(2, 2));
    assert_eq!(
        evicted,
        Ok(Reply::Claimed { evicted: None }),
        "there is nobody to put out"
    );
}

#[test]
fn who_is_shut_out_is_put_out_of_the_room() {
    let shut_out = |account: &Model<User>| {
        let out = |effect: &&Effect| matches!(effect, Effect::Evict { claim, why: Evicted::ShutOut } if claim.device == device(1));
        account.effects.iter().filter(out).count()
    };
    let reused = [rotate(1, 1, 2), rotate(1, 2, 3), rotate(1, 1, 4)];
    let one_too_many = [open(2, 2), open(3, 3), open(4, 4)];
    for commands in [
        &[Command::Suspend { suspended: true }][..],
        &[Command::LoseNumber],
        &[Command::RevokeDevice { device: device(1) }],
        &reused,
        &one_too_many,
    ] {
        let mut account = active();
        account.ask(open(1, 1)).unwrap();
        account.ask(claim(1, 1)).unwrap();
        for command in commands {
            account.advance(Duration::from_secs(1));
            account.ask(command.clone()).unwrap();
        }
        assert_eq!(shut_out(&account), 1, "{commands:?}");
        assert!(account.state.live.room.is_none());
        assert!(
            account.ask(claim(1, 1)).is_err(),
            "not by a join under way either"
        );
        assert!(!matches!(
            account.ask(Command::FindRoom),
            Ok(Reply::Room(Some(_)))
        ));
    }
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(open(2, 2)).unwrap();
    account.ask(claim(1, 1)).unwrap();
    account.ask(Command::RevokeDevice { device: device(2) }).unwrap();
    assert_eq!(shut_out(&account), 0, "another device's session stays");
}

#[test]
fn another_session_in_the_same_room_leaves_everything_there() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(claim(1, 1)).unwrap();
    account.ask(claim(1, 2)).unwrap();
    assert!(matches!(
        account.effects.last(),
        Some(Effect::Evict {
            why: Evicted::MovedWithin,
            ..
        })
    ));
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
fn a_socket_gives_way_to_the_same_devices_next_one() {
    let mut account = active();
    for n in 1..=3 {
        account.ask(open(n, n as u8)).unwrap();
    }
    let socket = |n: u128, on: u128| {
        let socket = SocketId::new(Home::default(), n);
        Command::Attach {
            socket: SocketAt {
                node: NodeId::new("one"),
                socket,
                device: device(on),
            },
            most: 2,
            again: false,
        }
    };
    let closed = |account: &Model<User>| {
        account
            .effects
            .iter()
            .filter(|e| matches!(e, Effect::Close(_)))
            .count()
    };
    account.ask(socket(1, 1)).unwrap();
    account.ask(socket(1, 1)).unwrap();
    account.ask(socket(2, 2)).unwrap();
    assert_eq!(closed(&account), 0);
    account.ask(socket(3, 1)).unwrap();
    account.ask(socket(4, 3)).unwrap();
    assert_eq!(closed(&account), 2, "the same device's, then the oldest");
    let attached = account.state.live.sockets.clone();
    for (n, on) in [(1, 1), (2, 2), (5, 3)] {
        let Command::Attach { socket, most, .. } = socket(n, on) else {
            panic!("attach")
        };
        let again = true;
        account.ask(Command::Attach { socket, most, again }).unwrap();
    }
    assert_eq!(
        account.state.live.sockets, attached,
        "nothing gives way to a repeat"
    );
    assert!(User::pinned(&account.state), "sockets are only known here");
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
fn the_largest_account_fits_into_its_row() {
    let mut account = active();
    let limits = crate::limits::Limits::default();
    let profile = &limits.profile;
    let text = |chars: usize| "\u{10348}".repeat(chars);
    let patch = Patch {
        name: Some(text(profile.name_chars)),
        headline: Some(text(profile.headline_chars)),
        company: Some(text(profile.company_chars)),
        bio: Some(text(profile.bio_chars)),
        topics: Some(vec![text(profile.topic_chars); profile.topics]),
        languages: Some(vec!["x".repeat(35); profile.languages]),
        links: Some(vec!["x".repeat(profile.link_chars); profile.links]),
        offering: Some(text(profile.line_chars)),
        looking_for: Some(text(profile.line_chars)),
        shown_as_inviter: Some(true),
    };
    account
        .ask(Command::Describe {
            patch: Box::new(patch),
        })
        .unwrap();
    let most = limits.invites.remembered;
    for n in 0..most as u128 {
        account.ask(Command::GrantInvites { count: 1, most: 50 }).unwrap();
        let lifetime = Duration::from_secs(3600);
        let hint = Some("+1234 ... 678".into());
        let give = Command::Invite {
            id: invite_id(n),
            invitee: Invitee::Link,
            hint,
            lifetime,
            most,
        };
        account.ask(give).unwrap();
        let by = Some(user(n));
        account
            .ask(Command::SettleInvite {
                invite: invite_id(n),
                status: Status::Accepted,
                by,
            })
            .unwrap();
    }
    for n in 0..10 {
        let name = text(limits.devices.name_chars);
        account
            .ask(Command::OpenDevice {
                device: device(n),
                name,
                hash: [255; 32],
                most: 10,
            })
            .unwrap();
        account.ask(push::largest_subscription(n)).unwrap();
        for _ in 0..TOKEN_HISTORY {
            // Equal hashes would be reuse: they are folded directly.
            let rotated = Event::Device(devices::Change::Rotated {
                id: device(n),
                hash: [255; 32],
                at: account.now(),
            });
            User::fold(&mut account.state, &rotated);
        }
    }
    for n in 0..200u128 {
        account
            .ask(Command::Follow {
                whom: user(n + 1),
                follows: true,
                listed: false,
            })
            .unwrap();
        account.ask(Command::Followed { by: user(n + 1) }).unwrap();
    }
    // The most bytes that a room takes for a character.
    let settings = crate::room::Settings {
        title: "\u{1F1E9}\u{1F1EA}".repeat(limits.rooms.title_chars),
        ..crate::room::Settings::default()
    };
    let title = settings.checked(&crate::room::Limits::default()).unwrap().title;
    for n in 0..KEPT_NOTICES as u64 {
        let (room, title) = (RoomId::new(Home::default(), 1), title.clone());
        let what = NoticeKind::StageInvitation {
            room,
            title,
            by: user(1),
        };
        account
            .ask(Command::Notify {
                what,
                origin: Origin(u64::MAX - n),
            })
            .unwrap();
    }
    for n in 0..10 {
        account.ask(push::largest_retry(n)).unwrap();
    }
    account.ask(push::largest_settings()).unwrap();
    account.state.account.as_mut().unwrap().part = earning::tests::largest();
    account.ask(take_part(1)).unwrap();
    // The model asserts the bound with every command; this is how close it is.
    println!(
        "the largest account has {} bytes",
        mitalk_cluster::wire::encode(&account.state).len()
    );
    let before = account.sent.len();
    account.ask(Command::Purge).unwrap();
    let rows = account.sent.len() - before;
    assert!(rows <= ROWS_PER_DECISION, "its deletion sends {rows} rows");
}

#[test]
fn no_socket_is_attached_of_a_device_that_was_shut_out() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    let attach = |again| Command::Attach {
        socket: SocketAt {
            node: NodeId::new("one"),
            socket: SocketId::new(Home::default(), 1),
            device: device(1),
        },
        most: 2,
        again,
    };
    account.ask(attach(false)).unwrap();
    account.ask(Command::RevokeDevice { device: device(1) }).unwrap();
    for again in [false, true] {
        assert_eq!(account.ask(attach(again)), Err(Refusal::NoDevice));
    }
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
fn what_is_remembered_of_a_grant_is_small() {
    let mut account = active();
    let (count, most) = (3, 50);
    let reply = account.ask(Command::GrantInvites { count, most }).unwrap();
    assert_eq!(reply, Reply::InvitesLeft(5));
    assert!(mitalk_cluster::wire::encode(&reply).len() < 32);
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
