//! Hearing, hands, stage and moderation.

use super::world::{Ask, World, caller, titled, until, user};
use crate::caller::Caller;
use crate::limits;
use crate::room::{HandRaising, Refusal, Role, Visibility};
use crate::rooms::{Error, LeftWhy, Moderation, Patch, Settings};
use crate::user as account;
use mitalk_cluster::RequestId;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_leads_to_the_stage_and_who_is_there_is_heard() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("Rust at work")).await;
    let mut guest = world.guest(2, room).await;
    let listener = world.guest(3, room).await;
    assert_eq!(host.joined.snapshot.my_role, Some(Role::Moderator));
    assert_eq!(listener.joined.snapshot.my_role, Some(Role::Listener));
    assert_eq!(host.joined.snapshot.stage[0].person.name, "Person 1");

    world.ears.speak(host.ear).await;
    world.rooms.mute(&host.caller, room, false).await.unwrap();
    world.hears(&listener, 1).await;

    let number = world.bring_on_stage(&host, &mut guest, room).await;
    assert_eq!(number, 2);
    world.hears(&host, number).await;
    world.hears(&listener, number).await;
    world.hears(&listener, 1).await;

    let mute = |action| {
        world
            .rooms
            .moderate(&host.caller, room, guest.caller.user, action)
    };
    assert!(!mute(Moderation::Mute).await.unwrap().pending);
    world.stops_hearing(&listener, number).await;
    world.hears(&listener, 1).await;
    world.rooms.mute(&guest.caller, room, false).await.unwrap();
    world.hears(&listener, number).await;

    mute(Moderation::MoveBack).await.unwrap();
    world.stops_hearing(&listener, number).await;
    assert_eq!(world.snapshot(&guest, room).await.my_role, Some(Role::Listener));
    let refused = world.rooms.mute(&guest.caller, room, false).await;
    assert_eq!(refused, Err(Error::Refused(Refusal::NotOnStage)));
    world.hears(&guest, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_and_banned_people_hear_nothing_and_their_tokens_are_refused() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    world.ears.speak(host.ear).await;
    world.rooms.mute(&host.caller, room, false).await.unwrap();
    for (n, action, why) in [
        (2, Moderation::Remove, LeftWhy::Removed),
        (3, Moderation::Ban, LeftWhy::Banned),
    ] {
        let mut guest = world.guest(n, room).await;
        let number = world.bring_on_stage(&host, &mut guest, room).await;
        world.hears(&host, number).await;
        world.hears(&guest, 1).await;
        world
            .rooms
            .moderate(&host.caller, room, guest.caller.user, action)
            .await
            .unwrap();
        guest.is_told_to_leave(why).await;
        world.stops_hearing(&host, number).await;
        world.stops_hearing(&guest, 1).await;
        until!("the transport is closed", world.ears.is_closed(guest.ear).await);
        let token = Some(guest.joined.resume_token.clone());
        let again = world.join(&guest.caller, room, token).await.err();
        let anew = world.join(&guest.caller, room, None).await;
        if action == Moderation::Ban {
            assert_eq!(again, Some(Error::Refused(Refusal::Banned)));
            assert_eq!(anew.err(), Some(Error::Refused(Refusal::Banned)));
        } else {
            assert_eq!(again, Some(Error::ResumeRefused));
            assert_eq!(anew.unwrap().joined.snapshot.my_role, Some(Role::Listener));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspended_people_and_signed_out_devices_are_neither_heard_nor_hear() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    world.ears.speak(host.ear).await;
    world.rooms.mute(&host.caller, room, false).await.unwrap();
    let signed_out = account::Command::RevokeDevice {
        device: caller(3, 1).device,
    };
    for (n, command) in [
        (2, account::Command::Suspend { suspended: true }),
        (3, signed_out),
    ] {
        let mut guest = world.guest(n, room).await;
        let number = world.bring_on_stage(&host, &mut guest, room).await;
        world.hears(&host, number).await;
        world.hears(&guest, 1).await;
        world.tell_account(&guest, command).await;
        guest.is_told_to_leave(LeftWhy::Removed).await;
        world.stops_hearing(&host, number).await;
        until!("the transport is closed", world.ears.is_closed(guest.ear).await);
        until!("the stage is left", {
            world
                .snapshot(&host, room)
                .await
                .number(guest.caller.user)
                .is_none()
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_people_in_the_room_act_and_only_moderators_moderate() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let guest = world.guest(2, room).await;
    let outsider = world.person(3).await;
    assert_eq!(
        world.rooms.raise_hand(&outsider, room).await,
        Err(Error::NotInRoom)
    );
    assert_eq!(world.rooms.end(&outsider, room).await, Err(Error::NotInRoom));
    let nobody = world
        .rooms
        .moderate(&host.caller, room, outsider.user, Moderation::InviteToStage)
        .await;
    assert_eq!(nobody, Err(Error::NotInRoom));
    let moderators_only = Err(Error::Refused(Refusal::ModeratorsOnly));
    let mute = world
        .rooms
        .moderate(&guest.caller, room, user(1), Moderation::Mute)
        .await;
    assert_eq!(mute, moderators_only);
    assert_eq!(world.rooms.end(&guest.caller, room).await, moderators_only);
    let hand = world.rooms.raise_hand(&host.caller, room).await;
    assert_eq!(hand, Err(Error::Refused(Refusal::AlreadyOnStage)));
    let waiting = crate::Caller {
        standing: crate::person::Standing::Suspended,
        ..outsider
    };
    assert_eq!(
        world.rooms.room(&waiting, room, None).await.err(),
        Some(Error::Suspended)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_follows_the_visibility_and_hands_the_follows() {
    let world = World::new().await;
    let social = Settings {
        visibility: Visibility::Social,
        ..titled("social")
    };
    let (room, host) = world.host(1, social).await;
    let stranger = world.person(2).await;
    assert_eq!(world.join(&stranger, room, None).await.err(), Some(Error::Social));
    assert_eq!(
        world.rooms.room(&stranger, room, None).await.err(),
        Some(Error::Social)
    );
    world.library.follows.lock().unwrap().insert((user(2), user(1)));
    let guest = world.join(&stranger, room, None).await.unwrap();

    let patch = Patch {
        hand_raising: Some(HandRaising::Followed),
        ..Patch::default()
    };
    world.rooms.amend(&host.caller, room, patch).await.unwrap();
    until!("the setting arrived", {
        world.snapshot(&guest, room).await.hand_raising == HandRaising::Followed
    });
    let hand = world.rooms.raise_hand(&guest.caller, room).await;
    assert_eq!(hand, Err(Error::Refused(Refusal::HandsFollowedOnly)));
    world.library.follows.lock().unwrap().insert((user(1), user(2)));
    assert_eq!(
        world.rooms.raise_hand(&guest.caller, room).await.unwrap().hand,
        Some(1)
    );

    let patch = Patch {
        visibility: Some(Visibility::Closed),
        ..Patch::default()
    };
    world.rooms.amend(&host.caller, room, patch).await.unwrap();
    let friend = world.person(4).await;
    until!("the setting arrived", {
        world.join(&friend, room, None).await.err() == Some(Error::Closed)
    });
    assert_eq!(
        world.rooms.ping(&host.caller, room, user(4)).await,
        Err(Error::NotAContact)
    );
    world
        .library
        .follows
        .lock()
        .unwrap()
        .extend([(user(1), user(4)), (user(4), user(1))]);
    world.rooms.ping(&host.caller, room, user(4)).await.unwrap();
    until!(
        "who was pinged may enter",
        world.join(&friend, room, None).await.is_ok()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_ends_for_all() {
    let world = World::new().await;
    let (room, mut host) = world.host(1, titled("t")).await;
    let mut guest = world.guest(2, room).await;
    until!("the room is listed", {
        let page = world.rooms.hallway(&guest.caller, None, 20).await.unwrap();
        page.items
            .iter()
            .any(|listed| listed.room == room && listed.stage[0].name == "Person 1")
    });
    world.rooms.end(&host.caller, room).await.unwrap();
    host.is_told_to_leave(LeftWhy::Ended).await;
    guest.is_told_to_leave(LeftWhy::Ended).await;
    until!("the transports are closed", {
        world.ears.is_closed(host.ear).await && world.ears.is_closed(guest.ear).await
    });
    let ended = Error::Refused(Refusal::Ended);
    assert_eq!(
        world.rooms.raise_hand(&guest.caller, room).await,
        Err(ended.clone())
    );
    assert_eq!(world.rooms.end(&host.caller, room).await, Err(ended.clone()));
    assert_eq!(
        world.join(&guest.caller, room, None).await.err(),
        Some(ended.clone())
    );
    assert_eq!(
        world.rooms.room(&guest.caller, room, None).await.err(),
        Some(ended)
    );
    until!("nothing is listed", {
        world
            .rooms
            .hallway(&guest.caller, None, 20)
            .await
            .unwrap()
            .items
            .is_empty()
    });
    let nowhere = crate::id::RoomId::new(room.home(), 99);
    let unknown = Error::Refused(Refusal::NotFound);
    assert_eq!(
        world.join(&caller(2, 1), nowhere, None).await.err(),
        Some(unknown.clone())
    );
    assert_eq!(world.rooms.lower_hand(&caller(2, 1), nowhere).await, Err(unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moderation_passes_on_when_the_last_moderator_leaves() {
    let world = World::new().await;
    let (room, host) = world.host(1, titled("t")).await;
    let mut heir = world.guest(2, room).await;
    let mut other = world.guest(3, room).await;
    world.bring_on_stage(&host, &mut heir, room).await;
    world.bring_on_stage(&host, &mut other, room).await;
    world.rooms.leave(&host.caller, room).await.unwrap();
    until!("the longest on stage moderates", {
        world.snapshot(&heir, room).await.my_role == Some(Role::Moderator)
    });
    assert_eq!(world.snapshot(&other, room).await.my_role, Some(Role::Speaker));
    assert!(world.snapshot(&heir, room).await.number(user(1)).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_opens_so_many_rooms_in_an_hour() {
    let world = World::with(limits::Rooms {
        opened_per_hour: 2,
        ..limits::Rooms::default()
    })
    .await;
    let creator = world.person(1).await;
    let keyed = |n| Caller {
        request: Some(RequestId([n; 16])),
        ..creator.clone()
    };
    let first = world.rooms.create(&keyed(1), titled("t")).await.unwrap().room;
    let wrong = world.rooms.create(&keyed(2), titled("")).await;
    assert!(
        matches!(wrong, Err(Error::Refused(_))),
        "it opened nothing: {wrong:?}"
    );
    world.rooms.create(&creator, titled("t")).await.unwrap();
    let more = world.rooms.create(&keyed(3), titled("t")).await.unwrap_err();
    assert!(matches!(more, Error::OpenedTooMany { .. }) && more.retry_after().is_some());
    let again = world.rooms.create(&keyed(1), titled("t")).await.unwrap();
    assert_eq!(again.room, first, "a repeat opens nothing");
    let other = world.person(2).await;
    assert!(world.rooms.create(&other, titled("t")).await.is_ok());
}
