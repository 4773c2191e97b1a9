//! Sockets, and the room a person is in.

use super::*;

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
