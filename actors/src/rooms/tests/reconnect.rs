//! Coming back: ICE restart, resume tokens, the grace, other devices, another process.

use super::world::{Ask, World, caller, titled, until, user};
use crate::limits;
use crate::room::Role;
use crate::rooms::{Error, JoinRequest, LeftWhy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ice_restart_goes_on_with_the_same_session() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let guest = world.guest(2, room).await;
    world.ears.speak(host.ear).await;
    world.rooms.mute(&host.caller, room, false).await.unwrap();
    world.hears(&guest, 1).await;
    let offer = world.ears.restart(guest.ear).await;
    let session = guest.joined.session;
    let answer = world
        .rooms
        .restart_ice(&guest.caller, room, session, offer.clone())
        .await
        .unwrap();
    world.ears.restarted(guest.ear, answer).await;
    world.hears(&guest, 1).await;
    let another = crate::id::SessionId::new(room.home(), 5);
    let refused = world
        .rooms
        .restart_ice(&guest.caller, room, another, offer.clone())
        .await;
    assert_eq!(refused, Err(Error::SessionNotFound));
    let foreign = world.rooms.restart_ice(&host.caller, room, session, offer).await;
    assert_eq!(foreign, Err(Error::SessionNotFound), "somebody else's session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_comes_back_to_the_same_place_once() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    world.hears(&host, number).await;

    world.ears.close(guest.ear).await;
    until!("others see that they are away", {
        world.snapshot(&host, room).await.away(user(2)) == Some(true)
    });
    let token = guest.joined.resume_token.clone();
    let back = world
        .join(&guest.caller, room, Some(token.clone()))
        .await
        .unwrap();
    assert!(back.joined.resumed);
    let snapshot = world.snapshot(&back, room).await;
    assert_eq!(snapshot.number(user(2)), Some(number));
    assert_eq!(
        snapshot.muted(user(2)),
        Some(false),
        "who comes back goes on speaking"
    );
    until!(
        "nobody is away",
        world.snapshot(&host, room).await.away(user(2)) == Some(false)
    );
    world.ears.speak(back.ear).await;
    world.hears(&host, number).await;

    let replayed = world.join(&guest.caller, room, Some(token)).await.err();
    assert_eq!(replayed, Some(Error::ResumeRefused));
    let forged = world
        .join(&guest.caller, room, Some("rubbish".into()))
        .await
        .err();
    assert_eq!(forged, Some(Error::ResumeInvalid));
    let foreign = Some(host.joined.resume_token.clone());
    assert_eq!(
        world.join(&guest.caller, room, foreign).await.err(),
        Some(Error::ResumeInvalid)
    );
    world.hears(&host, number).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_a_token_takes_the_place_over_with_a_closed_microphone() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    world.hears(&host, number).await;
    let other = world.join(&caller(2, 2), room, None).await.unwrap();
    assert!(!other.joined.resumed);
    guest.is_told_to_leave(LeftWhy::MovedDevice).await;
    until!(
        "the stale session is closed",
        world.ears.is_closed(guest.ear).await
    );
    world.ears.speak(other.ear).await;
    until!(
        "the seat is muted",
        world.snapshot(&other, room).await.muted(user(2)) == Some(true)
    );
    world.stops_hearing(&host, number).await;
    assert_eq!(world.snapshot(&other, room).await.number(user(2)), Some(number));
    let stale = Some(guest.joined.resume_token.clone());
    assert_eq!(
        world.join(&guest.caller, room, stale).await.err(),
        Some(Error::ResumeRefused)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_another_room_leaves_the_first() {
    let world = World::new().await;
    let (first, _host) = world.host(1, titled("first")).await;
    let (second, _other) = world.host(2, titled("second")).await;
    let mut guest = world.guest(3, first).await;
    let moved = world.join(&guest.caller, second, None).await.unwrap();
    guest.is_told_to_leave(LeftWhy::MovedDevice).await;
    until!(
        "the first transport is closed",
        world.ears.is_closed(guest.ear).await
    );
    assert_eq!(
        world.rooms.raise_hand(&guest.caller, first).await,
        Err(Error::NotInRoom)
    );
    assert!(world.rooms.raise_hand(&moved.caller, second).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_grace_the_place_is_gone_and_moderation_passes_on() {
    let world = World::with(limits::Rooms {
        grace_s: 1,
        ..limits::Rooms::default()
    })
    .await;
    let (room, mut host) = world.host(1, titled("t")).await;
    let mut heir = world.guest(2, room).await;
    world.bring_on_stage(&host, &mut heir, room).await;
    world.ears.close(host.ear).await;
    host.is_told_to_leave(LeftWhy::LostConnection).await;
    until!(
        "the heir moderates",
        world.snapshot(&heir, room).await.my_role == Some(Role::Moderator)
    );
    let token = Some(host.joined.resume_token.clone());
    let late = world.join(&host.caller, room, token).await.unwrap();
    assert!(!late.joined.resumed);
    assert_eq!(late.joined.snapshot.my_role, Some(Role::Listener));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_finds_the_room_and_people_their_places() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    let before = world.snapshot(&guest, room).await;
    let tokens = (
        host.joined.resume_token.clone(),
        guest.joined.resume_token.clone(),
    );
    let world = world.restart().await;
    until!("the hallway is filled again", {
        let page = world.rooms.hallway(&host.caller, None, 20).await.unwrap();
        page.items
            .iter()
            .any(|listed| listed.room == room && listed.stage_count == 2)
    });
    let host = world.join(&host.caller, room, Some(tokens.0)).await.unwrap();
    let guest = world.join(&guest.caller, room, Some(tokens.1)).await.unwrap();
    assert!(host.joined.resumed && guest.joined.resumed);
    let after = world.snapshot(&guest, room).await;
    assert_eq!(
        (after.number(user(1)), after.number(user(2))),
        (Some(1), Some(number))
    );
    assert_eq!(after.muted(user(2)), Some(false));
    assert!(after.seq > before.seq, "a new home's changes are newer");
    world.ears.speak(guest.ear).await;
    world.hears(&host, number).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_costs_no_place() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    world.ears.close(guest.ear).await;
    let token = Some(guest.joined.resume_token.clone());
    for _ in 0..2 {
        let (_, sdp) = world.ears.offer().await;
        let request = JoinRequest {
            sdp,
            resume_token: token.clone(),
            link_key: None,
            socket: None,
        };
        assert!(
            world
                .rooms
                .join(&guest.caller, room, request)
                .await
                .unwrap()
                .resumed
        );
    }
    let back = world.join(&guest.caller, room, token.clone()).await.unwrap();
    assert!(back.joined.resumed);
    world.ears.speak(back.ear).await;
    world.hears(&host, number).await;
    assert_eq!(
        world.join(&guest.caller, room, token).await.err(),
        Some(Error::ResumeRefused)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_back_before_the_home_heard_that_they_left_keeps_their_place() {
    let world = World::with(limits::Rooms {
        grace_s: 1,
        ..limits::Rooms::default()
    })
    .await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let other = world.guest(3, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;

    // The home is busy with a hand that the store does not take: what else it is told waits.
    world.store_is_down(true);
    let rooms = world.rooms.clone();
    let hand = tokio::spawn(async move { rooms.raise_hand(&other.caller, room).await });
    world.ears.close(guest.ear).await;
    guest.is_told_to_leave(LeftWhy::LostConnection).await;
    let back = world.join(&guest.caller, room, None).await.unwrap();
    world.store_is_down(false);
    drop(hand.await);
    // They came without a token, so the home is told to mute them: after all that it had to be told before.
    until!(
        "the mute is decided, and on the same seat",
        world.snapshot(&back, room).await.muted(user(2)) == Some(true)
    );
    assert_eq!(world.snapshot(&back, room).await.number(user(2)), Some(number));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_ends_a_join_under_way() {
    let world = World::new().await;
    let (room, _host) = world.host(1, titled("t")).await;
    for n in 2..12 {
        let caller = world.person(n).await;
        let (_, sdp) = world.ears.offer().await;
        let request = JoinRequest {
            sdp,
            resume_token: None,
            link_key: None,
            socket: None,
        };
        let join = world.rooms.join(&caller, room, request);
        let (_, left) = tokio::join!(join, world.rooms.leave(&caller, room));
        assert_eq!(left, Ok(()));
        let seen = world.rooms.room(&caller, room, None).await.unwrap();
        assert_eq!(seen.my_role, None, "the last word was to leave");
    }
}
