//! What goes wrong on our side: a forwarder that fails, a store that is gone.

use super::world::{Ask, PATIENCE, World, titled, until, user};
use crate::forwarder::{self, Body, Letter};
use crate::limits;
use crate::ports::Reads;
use crate::room::{Cut, Out, Refusal, Version};
use crate::rooms::{Error, LeftWhy, Moderation};
use crate::user::{self, User};
use mitalk_cluster::{Call, wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_goes_on_over_a_forwarder_that_fails() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    world.hears(&host, number).await;
    world.rooms.0.forwarders.fail(room);
    world.hears(&host, number).await;
    until!(
        "it is back with its people",
        world.rooms.room(&host.caller, room, None).await.is_ok()
    );
    assert!(!world.ears.is_closed(guest.ear).await);
    let mute = Moderation::Mute;
    world
        .rooms
        .moderate(&host.caller, room, guest.caller.user, mute)
        .await
        .unwrap();
    world.stops_hearing(&host, number).await;
    guest
        .sees("the mute", |message| {
            matches!(message, crate::live::LiveMessage::Room {
            change: crate::rooms::Change::Stage { member }, ..
        } if member.person.id == user(2) && member.muted)
        })
        .await;
    let token = Some(guest.joined.resume_token.clone());
    assert!(
        world
            .join(&guest.caller, room, token)
            .await
            .unwrap()
            .joined
            .resumed
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarder_that_keeps_failing_is_given_up_and_people_come_back() {
    let world = World::new().await;
    let (room, mut host) = world.host(1, titled("t")).await;
    let claim = user::Command::FindRoom;
    let claimed = async || match world
        .cluster
        .ask::<User>(&user(1).to_string(), claim.clone(), Call::within(PATIENCE))
        .await
    {
        Ok(user::Reply::Room(room)) => room.map(|claim| claim.room),
        other => panic!("{other:?}"),
    };
    until!("they are there", claimed().await == Some(room));
    until!("its sessions are closed", {
        world.rooms.0.forwarders.fail(room);
        world.ears.is_closed(host.ear).await
    });
    host.is_told_to_leave(LeftWhy::LostConnection).await;
    until!("their account knows", claimed().await.is_none());
    let token = Some(host.joined.resume_token.clone());
    let back = world.join(&host.caller, room, token).await.unwrap();
    assert!(back.joined.resumed, "the seat is the room's to keep");
    assert_eq!(world.snapshot(&back, room).await.number(user(1)), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_taken_away_while_the_store_is_down_and_stored_when_it_is_back() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let mut other = world.guest(3, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    let another = world.bring_on_stage(&host, &mut other, room).await;
    world.hears(&host, number).await;
    world.hears(&host, another).await;

    world.store_is_down(true);
    let mute = world
        .rooms
        .moderate(&host.caller, room, user(2), Moderation::Mute)
        .await
        .unwrap();
    assert!(mute.pending);
    world.stops_hearing(&host, number).await;
    world.hears(&host, another).await;
    let ban = world
        .rooms
        .moderate(&host.caller, room, user(3), Moderation::Ban)
        .await
        .unwrap();
    assert!(ban.pending);
    world.stops_hearing(&host, another).await;
    until!("the transport is closed", world.ears.is_closed(other.ear).await);
    let back = world.join(&other.caller, room, None).await.err();
    assert_eq!(
        back,
        Some(Error::Refused(Refusal::Banned)),
        "not committed yet, and it holds"
    );
    let shown = world.snapshot(&host, room).await;
    assert_eq!(
        shown.muted(user(2)),
        Some(false),
        "nobody is told before it is stored"
    );

    world.store_is_down(false);
    until!("it is stored and told", {
        let shown = world.snapshot(&host, room).await;
        shown.muted(user(2)) == Some(true) && shown.number(user(3)).is_none()
    });
    let back = world.join(&other.caller, room, None).await.err();
    assert_eq!(back, Some(Error::Refused(Refusal::Banned)));
    world.rooms.mute(&guest.caller, room, false).await.unwrap();
    world.hears(&host, number).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_first_joins_ask_the_home_once() {
    let world = World::new().await;
    let creator = world.person(1).await;
    let room = world.rooms.create(&creator, titled("t")).await.unwrap().room;
    let people = futures::future::join_all((2..=9).map(|n| world.guest(n, room))).await;
    assert_eq!(people.len(), 8);
    assert_eq!(world.metrics.resyncs.get(), 1);
    until!("everybody is counted", {
        world.snapshot(&people[0], room).await.audience_count == 8
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_stays_empty_ends_the_room() {
    let world = World::with(limits::Rooms {
        empty_stage_s: 1,
        ..limits::Rooms::default()
    })
    .await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    world.rooms.leave(&host.caller, room).await.unwrap();
    guest.is_told_to_leave(LeftWhy::Ended).await;
    let over = world.join(&guest.caller, room, None).await.err();
    assert_eq!(over, Some(Error::Refused(Refusal::Ended)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_back_while_the_store_is_down() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    let number = world.bring_on_stage(&host, &mut guest, room).await;
    world.store_is_down(true);
    world.ears.close(guest.ear).await;
    let token = Some(guest.joined.resume_token.clone());
    let back = world.join(&guest.caller, room, token).await.unwrap();
    assert!(back.joined.resumed);
    world.ears.speak(back.ear).await;
    world.hears(&host, number).await;
    let wish = world.rooms.raise_hand(&back.caller, room).await;
    assert!(
        wish.is_err(),
        "a hand from the stage is refused, with the store or without: {wish:?}"
    );
    let unmute = world.rooms.mute(&host.caller, room, false).await.unwrap_err();
    assert!(
        unmute.retry_after().is_some(),
        "what gives rights waits for the store: {unmute:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_home_nobody_new_is_let_in() {
    let world = World::with(limits::Rooms {
        orphan_s: 1,
        ..limits::Rooms::default()
    })
    .await;
    let (room, host) = world.host(1, titled("t")).await;
    let stranger = world.person(2).await;
    // The home waits for the store with this, and whatever else it is told waits behind it.
    world.store_is_stuck(true);
    let (rooms, caller) = (world.rooms.clone(), host.caller.clone());
    let unmute = tokio::spawn(async move { rooms.mute(&caller, room, false).await });
    until!("the home does not answer", {
        let tried = world.join(&stranger, room, None).await;
        if tried.is_ok() {
            // Too early: the home was heard a moment ago.
            world.rooms.leave(&stranger, room).await.unwrap();
        }
        matches!(tried, Err(Error::NoHome { .. }))
    });
    let token = Some(host.joined.resume_token.clone());
    let back = world.join(&host.caller, room, token).await.unwrap();
    assert!(back.joined.resumed, "who has a place comes back to it");
    world.store_is_stuck(false);
    drop(unmute.await);
    until!(
        "it answers again",
        world.join(&stranger, room, None).await.is_ok()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_over_leaves_the_hallway_although_its_row_was_read_before() {
    let world = World::with(limits::Rooms {
        tick_ms: 500,
        heartbeat_ms: 500,
        ..limits::Rooms::default()
    })
    .await;
    let (room, host) = world.host(1, titled("t")).await;
    let row = async |world: &World| world.library.live_room(room).await.unwrap();
    until!("its row is written", row(&world).await.is_some());
    let card = row(&world).await.unwrap();
    world.rooms.end(&host.caller, room).await.unwrap();
    until!("its row is removed", row(&world).await.is_none());

    // A node that read the row of before: the one that ended the room died in between.
    let world = world.restart().await;
    assert!(world.rooms.0.hallway.put(card));
    let listed = || world.rooms.live().iter().any(|card| card.room == room);
    until!("the hallway has it no more", !listed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_was_cut_but_not_taken_is_given_back() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let guest = world.guest(2, room).await;
    // As a home cuts for a ban that it then refuses: the moderator was none any more when it was decided.
    let letter = Letter {
        room,
        body: Body::Cut {
            at: Version::from_u64(world.snapshot(&host, room).await.seq),
            user: user(2),
            cut: Cut::Out(Out::Banned),
        },
    };
    let (cluster, payload) = (&world.cluster, wire::encode(&letter));
    cluster.cast_at(cluster.node(), forwarder::SERVICE, payload);
    until!("it acts at once", world.ears.is_closed(guest.ear).await);
    until!("they may come in again", {
        world.join(&guest.caller, room, None).await.is_ok()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_forwarders_supervisor_the_node_says_that_it_is_not_well() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    assert!(world.rooms.are_supervised());
    world.rooms.0.forwarders.fail_all();
    until!("it is noticed", !world.rooms.are_supervised());
    until!("nobody is let in any more", {
        let back = world.rooms.room(&host.caller, room, None).await;
        back.is_err()
    });
}
