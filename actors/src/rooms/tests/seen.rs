//! What comes on live sockets.

use super::world::{World, caller, titled, until, user};
use crate::id::SocketId;
use crate::live::{LiveMessage, LiveSink};
use crate::rooms::{Change, Error, JoinRequest, Moderation};
use futures::FutureExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_has_the_same_sequence_and_hands_are_moderators_business() {
    let world = World::new().await;
    let (room, mut host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let mut listener = world.guest(3, room).await;
    world.bring_on_stage(&host, &mut guest, room).await;
    let unmuted = |message: &LiveMessage| {
        matches!(message, LiveMessage::Room { change: Change::Stage { member }, .. }
            if member.person.id == user(2) && !member.muted && member.person.name == "Person 2")
    };
    for person in [&mut host, &mut guest, &mut listener] {
        person.sees("the new speaker", unmuted).await;
        let sequences = person.sequences();
        assert!(
            sequences.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{sequences:?}"
        );
    }
    let whose = |seen: &[LiveMessage]| {
        seen.iter().find_map(|message| match message {
            LiveMessage::Room {
                change: Change::HandUp {
                    hand, hand_count: 1, ..
                },
                ..
            } => Some(hand.is_some()),
            _ => None,
        })
    };
    assert_eq!(
        (whose(&host.seen), whose(&guest.seen), whose(&listener.seen)),
        (Some(true), Some(true), Some(false))
    );
    let invited = |message: &LiveMessage| {
        matches!(
            message,
            LiveMessage::Room {
                change: Change::StageInvitation { invited: true, .. },
                ..
            }
        )
    };
    assert!(guest.seen.iter().any(invited) && !listener.seen.iter().any(invited));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_device_that_is_in_the_room_sees_it() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let other = caller(2, 2);
    let socket = SocketId::new(room.home(), 5);
    let (sink, mut stream) = LiveSink::new(socket, other.user, other.device, 8);
    assert!(world.sockets.add(sink.clone(), usize::MAX));
    let watches = world.rooms.watch(room, sink, None).await;
    assert_eq!(
        watches,
        Err(Error::NotInRoom),
        "who is put out would go on seeing"
    );
    let (_, sdp) = world.ears.offer().await;
    let request = JoinRequest {
        sdp,
        resume_token: None,
        link_key: None,
        socket: Some(socket),
    };
    world.rooms.join(&guest.caller, room, request).await.unwrap();
    world.rooms.mute(&host.caller, room, false).await.unwrap();
    let unmuted = |message: &LiveMessage| matches!(message, LiveMessage::Room { change: Change::Stage { member }, .. } if !member.muted);
    guest.sees("the host's microphone", unmuted).await;
    assert!(stream.next().now_or_never().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_healed_by_what_is_missing_and_a_long_one_by_a_snapshot() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let missed = guest.joined.snapshot.seq;
    world.rooms.unwatch(room, guest.sink.id());
    for muted in [false, true, false] {
        world.rooms.mute(&host.caller, room, muted).await.unwrap();
    }
    until!(
        "all three changes arrived",
        world.snapshot(&guest, room).await.seq >= missed + 3
    );
    world
        .rooms
        .watch(room, guest.sink.clone(), Some(missed))
        .await
        .unwrap();
    let third =
        |message: &LiveMessage| matches!(message, LiveMessage::Room { seq, .. } if *seq == missed + 3);
    guest.sees("what was missing", third).await;
    let healed: Vec<_> = guest
        .sequences()
        .into_iter()
        .filter(|seq| *seq > missed)
        .collect();
    assert!(
        healed.starts_with(&[missed + 1, missed + 2, missed + 3]),
        "{healed:?}"
    );

    world
        .rooms
        .watch(room, guest.sink.clone(), Some(missed / 2))
        .await
        .unwrap();
    guest
        .sees("everything", |message| {
            matches!(message, LiveMessage::RoomSnapshot(_))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_that_the_queue_has_no_room_for_is_healed_by_a_snapshot() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let guest = world.guest(2, room).await;
    let missed = guest.joined.snapshot.seq;
    for muted in [false, true, false] {
        world.rooms.mute(&host.caller, room, muted).await.unwrap();
    }
    until!(
        "all three changes arrived",
        world.snapshot(&guest, room).await.seq >= missed + 3
    );
    let (user, device) = (guest.caller.user, guest.caller.device);
    let (sink, mut stream) = LiveSink::new(SocketId::new(user.home(), 77), user, device, 2);
    assert!(world.sockets.add(sink.clone(), usize::MAX));
    world.rooms.watch(room, sink, Some(missed)).await.unwrap();
    let first = stream.next().await;
    assert!(matches!(first, Ok(LiveMessage::RoomSnapshot(_))), "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_moderator_sees_the_hands_that_are_up() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let listener = world.guest(3, room).await;
    world.bring_on_stage(&host, &mut guest, room).await;
    world.rooms.raise_hand(&listener.caller, room).await.unwrap();
    let make = Moderation::MakeModerator;
    world
        .rooms
        .moderate(&host.caller, room, guest.caller.user, make)
        .await
        .unwrap();
    let all_hands =
        |message: &LiveMessage| matches!(message, LiveMessage::RoomSnapshot(room) if room.hands.len() == 1);
    guest.sees("all hands", all_hands).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audience_is_counted_and_listed_followed_first() {
    let world = World::new().await;
    let (room, mut host) = world.host(1, titled("t")).await;
    world.library.follows.lock().unwrap().insert((user(1), user(4)));
    for n in 2..=4 {
        world.guest(n, room).await;
    }
    let three = |message: &LiveMessage| {
        matches!(
            message,
            LiveMessage::Room {
                change: Change::Audience { audience_count: 3 },
                ..
            }
        )
    };
    host.sees("three listeners", three).await;
    let first = world.rooms.roster(&host.caller, room, None, 2).await.unwrap();
    let ids = |items: &[crate::rooms::AudienceMember]| {
        items.iter().map(|member| member.person.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first.items), [user(4), user(2)]);
    assert!(first.items[0].followed && first.items[0].followed_by_stage && !first.items[1].followed);
    let second = world
        .rooms
        .roster(&host.caller, room, first.next.as_deref(), 2)
        .await
        .unwrap();
    assert_eq!((ids(&second.items), second.next), (vec![user(3)], None));
    let bad = world.rooms.roster(&host.caller, room, Some("x"), 2).await;
    assert_eq!(bad.err(), Some(Error::CursorInvalid));
}
