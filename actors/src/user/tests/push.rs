//! When a push is due, what of, and what becomes of it.

mod always;

use super::*;
use crate::events::Pushes;
use crate::user::push::{
    AUTH_BYTES, COLLAPSE, COLLAPSE_URGENT, ENDPOINT_BYTES, FIRST_RETRY, Kind, LANGUAGE_BYTES, LAST_RETRY,
    Later, P256DH_BYTES, Quiet, SUBSCRIBED, Settings, Subscription,
};
use mitalk_cluster::Timestamp;
use proptest::prelude::*;

fn subscription(endpoint: &str) -> Subscription {
    Subscription {
        endpoint: endpoint.into(),
        p256dh: vec![255; P256DH_BYTES],
        auth: vec![255; AUTH_BYTES],
        language: "en".into(),
        made_for: 1,
    }
}

fn subscribe(n: u128) -> Command {
    Command::Subscribe {
        device: device(n),
        to: Box::new(subscription(&format!("https://push.example.org/{n}"))),
    }
}

/// For the test of the largest account.
pub(super) fn largest_subscription(n: u128) -> Command {
    let to = Subscription {
        language: "x".repeat(LANGUAGE_BYTES),
        made_for: u64::MAX,
        ..subscription(&format!("{n:0width$}", width = ENDPOINT_BYTES))
    };
    Command::Subscribe {
        device: device(n),
        to: Box::new(to),
    }
}

/// The same. It stays only where a notice is of use.
pub(super) fn largest_retry(n: u128) -> Command {
    missed(n, (1, u64::MAX), Some(&"x".repeat(50)), 0)
}

/// The same.
pub(super) fn largest_settings() -> Command {
    let settings = Settings {
        off: Kind::ALL[..5].to_vec(),
        quiet: Some(Quiet {
            from: 1_439,
            to: 1_438,
            zone: "America/Argentina/ComodRivadavia".into(),
        }),
    };
    Command::SetNoticeSettings { settings }
}

fn missed(n: u128, (from_seq, up_to_seq): (u64, u64), tag: Option<&str>, tries: u32) -> Command {
    Command::PushLater {
        device: device(n),
        missed: Later {
            from_seq,
            up_to_seq,
            at: Timestamp(0),
            tries,
            tag: tag.map(str::to_owned),
        },
        wait: Duration::ZERO,
    }
}

/// With a device that is pushed to.
fn pushed_to() -> Model<User> {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(subscribe(1)).unwrap();
    account
}

fn room() -> RoomId {
    RoomId::new(Home::default(), 1)
}

fn what(kind: Kind) -> NoticeKind<UserId> {
    let (room, title, by, person) = (room(), String::new(), user(7), user(7));
    match kind {
        Kind::Admitted => NoticeKind::Admitted,
        Kind::InviteAccepted => NoticeKind::InviteAccepted { person },
        Kind::StageInvitation => NoticeKind::StageInvitation { room, title, by },
        Kind::Pinged => NoticeKind::Pinged { room, title, by },
        Kind::RoomStarted => NoticeKind::RoomStarted { room, title, by },
        Kind::NewFollower => NoticeKind::NewFollower { person },
    }
}

fn tell(account: &mut Model<User>, kind: Kind) {
    let origin = Origin(account.sent.len() as u64 + 1_000);
    let what = what(kind);
    account.ask(Command::Notify { what, origin }).unwrap();
}

/// The pushes so far: which notices, and where if not everywhere.
fn pushes(account: &Model<User>) -> Vec<(u64, u64, Option<DeviceId>)> {
    let of = |Pushes::Due {
                  from_seq,
                  up_to_seq,
                  device,
                  ..
              }| (from_seq, up_to_seq, device);
    account.messages::<Pushes>().into_iter().map(of).collect()
}

fn next(account: &Model<User>) -> Option<Timestamp> {
    account
        .timers()
        .into_iter()
        .find(|timer| timer.name == "push")
        .map(|timer| timer.due)
}

/// Lets time go by until the timer of pushes, and fires it.
fn fire(account: &mut Model<User>) {
    let due = next(account).expect("something waits");
    let wait = due.since(account.now());
    account.advance(wait);
    account.fire_timers();
}

/// What the consumer is told of a push: devices, and the notices' sequences.
fn said(account: &mut Model<User>, from_seq: u64, up_to_seq: u64) -> (Vec<DeviceId>, Vec<u64>) {
    let device = None;
    let asked = Command::Push {
        from_seq,
        up_to_seq,
        device,
    };
    let Ok(Reply::Push { to, notices }) = account.ask(asked) else {
        panic!("a push")
    };
    (
        to.into_iter().map(|(device, _)| device).collect(),
        notices.into_iter().map(|notice| notice.seq).collect(),
    )
}

fn attach(socket: u128) -> Command {
    Command::Attach {
        socket: SocketAt {
            node: NodeId::new("one"),
            socket: SocketId::new(Home::default(), socket),
            device: device(socket),
        },
        most: 3,
        again: false,
    }
}

#[test]
fn the_first_is_pushed_at_once_and_what_follows_as_one() {
    let mut account = pushed_to();
    tell(&mut account, Kind::NewFollower);
    assert_eq!(pushes(&account), [(1, 1, None)]);
    assert_eq!(next(&account), None);
    for _ in 0..3 {
        account.advance(Duration::from_secs(1));
        tell(&mut account, Kind::NewFollower);
    }
    assert_eq!(pushes(&account).len(), 1);
    assert_eq!(
        next(&account),
        Some(account.now() - Duration::from_secs(3) + COLLAPSE)
    );
    fire(&mut account);
    assert_eq!(pushes(&account), [(1, 1, None), (2, 4, None)]);
    assert_eq!(said(&mut account, 2, 4), (vec![device(1)], vec![2, 3, 4]));
    account.fire_timers();
    assert_eq!(
        pushes(&account).len(),
        2,
        "a timer that comes again pushes nothing"
    );
}

#[test]
fn whoever_is_waited_for_is_told_within_seconds() {
    let mut account = pushed_to();
    tell(&mut account, Kind::NewFollower);
    tell(&mut account, Kind::RoomStarted);
    tell(&mut account, Kind::Pinged);
    assert_eq!(next(&account), Some(account.now() + COLLAPSE_URGENT));
    fire(&mut account);
    assert_eq!(
        pushes(&account),
        [(1, 1, None), (2, 3, None)],
        "with what waited anyway"
    );
}

#[test]
fn nothing_is_pushed_to_who_is_there_has_read_it_or_does_not_want_it() {
    let mut account = pushed_to();
    account.ask(attach(1)).unwrap();
    tell(&mut account, Kind::Pinged);
    let socket = SocketId::new(Home::default(), 1);
    account.ask(detach(socket, Duration::ZERO)).unwrap();
    assert_eq!(
        (pushes(&account), next(&account)),
        (vec![], None),
        "the socket told it"
    );

    let off = vec![Kind::Pinged];
    let settings = Settings { off, quiet: None };
    account.ask(Command::SetNoticeSettings { settings }).unwrap();
    tell(&mut account, Kind::Pinged);
    assert_eq!(pushes(&account), []);

    tell(&mut account, Kind::NewFollower);
    tell(&mut account, Kind::NewFollower);
    assert_eq!(pushes(&account), [(2, 3, None)]);
    assert_eq!(said(&mut account, 2, 3).1, [3], "the kind is off");
    account.ask(Command::ReadNotices { up_to: 4 }).unwrap();
    assert_eq!(next(&account), None, "it was read before its time");
    assert_eq!(said(&mut account, 2, 4).1, [0_u64; 0]);
}

fn detach(socket: SocketId, silent: Duration) -> Command {
    Command::Detach { socket, silent }
}

#[test]
fn what_a_socket_was_told_while_it_was_silent_is_pushed_once_it_is_gone() {
    let mut account = pushed_to();
    account.ask(attach(1)).unwrap();
    tell(&mut account, Kind::Pinged);
    account.advance(Duration::from_secs(40));
    tell(&mut account, Kind::Pinged);
    let [one, two] = [1, 2].map(|n| SocketId::new(Home::default(), n));
    account.ask(open(2, 2)).unwrap();
    account.ask(attach(2)).unwrap();
    account.ask(detach(two, Duration::from_secs(60))).unwrap();
    assert_eq!(pushes(&account), [], "another one is there");
    account.advance(Duration::from_secs(20));
    account.ask(detach(one, Duration::from_secs(30))).unwrap();
    assert_eq!(pushes(&account), [(2, 2, None)], "the first one was seen");
    account.ask(detach(one, Duration::from_secs(60))).unwrap();
    assert_eq!(pushes(&account), [(2, 2, None)], "it was gone already");

    account.ask(attach(1)).unwrap();
    account.ask(detach(one, Duration::from_secs(60))).unwrap();
    assert_eq!(
        pushes(&account),
        [(2, 2, None)],
        "what was pushed meanwhile is not pushed again"
    );
}

#[test]
fn what_was_there_before_the_first_subscription_is_no_news() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    tell(&mut account, Kind::NewFollower);
    account.ask(subscribe(1)).unwrap();
    assert_eq!((pushes(&account), next(&account)), (vec![], None));
    tell(&mut account, Kind::NewFollower);
    assert_eq!(pushes(&account), [(2, 2, None)]);
}

#[test]
fn quiet_hours_end_with_one_push_of_what_is_still_of_use() {
    let mut account = pushed_to();
    let minute = account.now().0 / 60_000 % 1_440;
    let quiet = Quiet {
        from: minute as u16,
        to: ((minute + 60 * 8) % 1_440) as u16,
        zone: "UTC".into(),
    };
    let end = quiet.end_after(account.now()).unwrap();
    let settings = Settings {
        off: vec![],
        quiet: Some(quiet),
    };
    account.ask(Command::SetNoticeSettings { settings }).unwrap();
    tell(&mut account, Kind::Pinged);
    assert_eq!(next(&account), None, "nobody waits that long for an answer");
    tell(&mut account, Kind::NewFollower);
    account.advance(Duration::from_secs(3_600));
    tell(&mut account, Kind::InviteAccepted);
    tell(&mut account, Kind::RoomStarted);
    assert_eq!((pushes(&account), next(&account)), (vec![], Some(end)));
    fire(&mut account);
    assert_eq!(pushes(&account), [(1, 4, None)]);
    assert_eq!(
        said(&mut account, 1, 4).1,
        [2, 3],
        "the ping and the room are long over"
    );
}

#[test]
fn what_a_push_service_did_not_take_is_tried_again_there_alone_with_its_tag() {
    let mut account = pushed_to();
    account.ask(open(2, 2)).unwrap();
    account.ask(subscribe(2)).unwrap();
    tell(&mut account, Kind::Pinged);
    account.ask(missed(1, (1, 1), Some("a"), 0)).unwrap();
    let state = account.state.clone();
    account.ask(missed(1, (1, 1), Some("a"), 0)).unwrap();
    assert_eq!(account.state, state, "a repeat of the event changes nothing");
    assert_eq!(
        said(&mut account, 1, 1).0,
        [device(2)],
        "a repeat of the event leaves it to the timer"
    );
    assert_eq!(next(&account), Some(account.now() + FIRST_RETRY));
    fire(&mut account);
    assert_eq!(
        account.messages::<Pushes>().last(),
        Some(&Pushes::Due {
            to: user(0),
            from_seq: 1,
            up_to_seq: 1,
            device: Some(device(1)),
            tag: Some("a".into()),
            tries: 1,
        })
    );
    assert_eq!(next(&account), None, "the consumer has it now");
    account.ask(missed(1, (1, 1), Some("a"), 1)).unwrap();
    assert_eq!(next(&account), Some(account.now() + 2 * FIRST_RETRY));

    // Another one fails there, too: both are one, which is neither of them.
    tell(&mut account, Kind::NewFollower);
    account.ask(missed(1, (2, 2), Some("b"), 0)).unwrap();
    fire(&mut account);
    let retries: Vec<_> = account.messages::<Pushes>();
    let last = retries
        .iter()
        .rfind(|push| matches!(push, Pushes::Due { device: Some(_), .. }));
    let Some(Pushes::Due {
        from_seq: 1,
        up_to_seq: 2,
        tag: None,
        tries: 2,
        ..
    }) = last
    else {
        panic!("{last:?}");
    };
}

#[test]
fn nothing_is_tried_again_that_is_of_no_use_by_then() {
    let mut account = pushed_to();
    tell(&mut account, Kind::StageInvitation);
    let mut waited = Duration::ZERO;
    let mut tries = 0;
    loop {
        account.ask(missed(1, (1, 1), Some("a"), tries)).unwrap();
        let Some(due) = next(&account) else { break };
        waited += due.since(account.now());
        fire(&mut account);
        tries += 1;
    }
    assert!(
        tries > 3 && waited < Kind::StageInvitation.useful(),
        "{tries} in {waited:?}"
    );
    tell(&mut account, Kind::NewFollower);
    account.ask(missed(1, (2, 2), Some("b"), 500)).unwrap();
    assert_eq!(
        next(&account),
        Some(account.now() + LAST_RETRY),
        "the wait is bounded"
    );
    account.ask(attach(1)).unwrap();
    let before = pushes(&account).len();
    fire(&mut account);
    assert_eq!(
        (pushes(&account).len(), next(&account)),
        (before, None),
        "they came by meanwhile"
    );
}

#[test]
fn a_subscription_ends_with_its_device_its_account_and_its_push_service() {
    let mut account = pushed_to();
    let endpoint = |n| Some(format!("https://push.example.org/{n}"));
    let gone = |endpoint| Command::Unsubscribe {
        device: device(1),
        endpoint,
    };
    account.ask(gone(endpoint(9))).unwrap();
    tell(&mut account, Kind::NewFollower);
    assert_eq!(
        said(&mut account, 1, 1).0,
        [device(1)],
        "it has another one by now"
    );
    account.ask(gone(endpoint(1))).unwrap();
    assert_eq!(said(&mut account, 1, 1).0, []);

    account.ask(subscribe(1)).unwrap();
    tell(&mut account, Kind::NewFollower);
    assert!(next(&account).is_some());
    account.ask(Command::RevokeDevice { device: device(1) }).unwrap();
    fire(&mut account);
    assert_eq!(next(&account), None);
    assert_eq!(account.ask(subscribe(1)), Err(Refusal::NoDevice));

    account.ask(open(2, 2)).unwrap();
    account.ask(subscribe(2)).unwrap();
    account.ask(open(3, 3)).unwrap();
    let Command::Subscribe { to, .. } = subscribe(2) else {
        panic!("a subscription")
    };
    account
        .ask(Command::Subscribe {
            device: device(3),
            to,
        })
        .unwrap();
    tell(&mut account, Kind::NewFollower);
    let seq = account.state.account.as_ref().unwrap().notice_seq;
    assert_eq!(
        said(&mut account, seq, seq).0,
        [device(3)],
        "one browser is told once"
    );

    account.ask(Command::Suspend { suspended: true }).unwrap();
    assert_eq!(said(&mut account, 1, seq), (vec![], vec![]));
    assert_eq!(account.ask(subscribe(3)), Err(Refusal::Suspended));
}

#[test]
fn only_so_many_devices_are_pushed_to() {
    let mut account = active();
    for n in 0..=SUBSCRIBED as u128 {
        let most = 10;
        let (device, name, hash) = (device(n), "phone".into(), [1; 32]);
        account
            .ask(Command::OpenDevice {
                device,
                name,
                hash,
                most,
            })
            .unwrap();
        account.ask(subscribe(n)).unwrap();
    }
    tell(&mut account, Kind::NewFollower);
    let to = said(&mut account, 1, 1).0;
    assert_eq!(to, (1..=SUBSCRIBED as u128).map(device).collect::<Vec<_>>());
}

#[test]
fn who_is_pushed_to_is_in_no_debug_text() {
    let text = format!("{:?} {:?}", subscribe(1), pushed_to().state);
    assert!(
        !text.contains("push.example.org") && !text.contains("255"),
        "{text}"
    );
}
