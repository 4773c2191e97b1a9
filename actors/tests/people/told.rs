//! What people are told: live sockets, notices by way of the event log, followers of somebody who starts a room.

use crate::world::{World, call, limits, until};
use mitalk_actors::events::Message as _;
use mitalk_actors::id::{Home, UserId};
use mitalk_actors::live::{CloseReason, LiveMessage, LiveStream};
use mitalk_actors::notices::{CONSUMED, INVITER, NOTIFIER};
use mitalk_actors::number::PhoneNumber;
use mitalk_actors::operator::Person;
use mitalk_actors::people::Who;
use mitalk_actors::person::{NoticeKind, Standing, Ticket};
use mitalk_actors::phase::Admits;
use mitalk_actors::ports::{DeadLetters, Message};
use mitalk_actors::rooms::{HandRaising, Settings, Visibility};
use mitalk_actors::sockets::LiveSession;
use mitalk_actors::testing::number;
use mitalk_actors::{Caller, events};
use mitalk_cluster::store::{Event, EventLog};
use mitalk_cluster::{EntityId, Trace};
use std::time::Duration;

async fn attach(world: &World, caller: &Caller, after: u64) -> (LiveSession, LiveStream) {
    let (sink, mut stream) = world.mitalk.live_queue(caller);
    let session = world.mitalk.attach(caller, sink, after).await.unwrap();
    let LiveMessage::Welcome { socket, me } = stream.next().await.unwrap() else {
        panic!("welcome comes first")
    };
    assert_eq!((socket, me.profile.id), (session.socket(), caller.user));
    (session, stream)
}

/// The next message that `pick` takes; others are passed over.
async fn next<T>(stream: &mut LiveStream, mut pick: impl FnMut(LiveMessage) -> Option<T>) -> T {
    let found = tokio::time::timeout(Duration::from_secs(600), async {
        loop {
            if let Some(found) = pick(stream.next().await.unwrap()) {
                return found;
            }
        }
    });
    found.await.expect("the message comes")
}

fn settings() -> Settings {
    Settings {
        title: "Engines".into(),
        topics: vec![],
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_persons_socket_sees_the_place_fall_and_the_admission() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let first = world.sign_in(1).await;
    until("a ticket", async || world.me(&first).await.ticket).await;
    let second = world.sign_in(2).await;
    let (_session, mut stream) = attach(&world, &second, 0).await;
    let ticket = async || world.me(&second).await.ticket;
    assert_eq!(until("a ticket", ticket).await, Ticket { number: 2, ahead: 1 });
    // The place is shown from the first `Me` with a ticket on; it is there before anybody is admitted.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.mitalk.admit_next(call(), Home::default(), 1).await.unwrap();
    let place = next(&mut stream, |message| match message {
        LiveMessage::Ticket { ticket } => Some(ticket),
        LiveMessage::Me { me } => me.ticket.filter(|ticket| ticket.ahead == 0),
        _ => None,
    });
    assert_eq!(place.await, Ticket { number: 2, ahead: 0 });
    world.mitalk.admit_next(call(), Home::default(), 1).await.unwrap();
    let (mut active, mut told) = (false, false);
    next(&mut stream, |message| {
        match message {
            LiveMessage::Me { me } => active |= me.standing == Standing::Active,
            LiveMessage::Notice { notice } => told |= notice.what == NoticeKind::Admitted,
            _ => {}
        }
        (active && told).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn followers_are_told_that_a_room_was_started() {
    let mut limits = limits();
    // Several pages.
    limits.notices.fanout_per_second = 10;
    let world = World::start_with(limits).await;
    world.phase(Admits::Open).await;
    let host = world.sign_in(0).await;
    until("a profile", async || {
        world.mitalk.profile(&host, Who::Id(host.user)).await.ok()
    })
    .await;
    let mut followers = vec![];
    for n in 1..=45 {
        let follower = world.sign_in(n).await;
        world.mitalk.follow(&follower, host.user).await.unwrap();
        followers.push(follower);
    }
    let all = async || {
        (world
            .mitalk
            .profile(&host, Who::Id(host.user))
            .await
            .unwrap()
            .followers
            == 45)
            .then_some(())
    };
    until("all follow", all).await;
    // Pages without anybody lie between those who are told.
    followers.sort_unstable_by_key(|follower| follower.user);
    let left: Vec<_> = followers.splice(3..23, []).collect();
    for follower in &left {
        world.mitalk.unfollow(follower, host.user).await.unwrap();
    }
    let others_left = async || {
        let host = world.mitalk.profile(&host, Who::Id(host.user)).await.unwrap();
        (host.followers == followers.len() as u64).then_some(())
    };
    until("some are left", others_left).await;
    let (_session, mut stream) = attach(&world, &followers[0], 0).await;
    let room = world.mitalk.rooms().create(&host, settings()).await.unwrap();
    let started =
        |kind: &NoticeKind<_>| matches!(kind, NoticeKind::RoomStarted { title, .. } if title == "Engines");
    next(&mut stream, |message| match message {
        LiveMessage::Notice { notice } if started(&notice.what) => Some(()),
        _ => None,
    })
    .await;
    for follower in &followers {
        let told = async || {
            let notices = world.mitalk.notices(follower, None, 10).await.unwrap().items;
            (notices.iter().filter(|notice| started(&notice.what)).count() == 1).then_some(())
        };
        until("each follower is told once", told).await;
    }
    assert_eq!(room.title, "Engines");
}

#[tokio::test(start_paused = true)]
async fn a_socket_gets_what_it_missed_and_gives_way_to_the_next_one() {
    let world = World::start().await;
    world.phase(Admits::Open).await;
    let (a, b) = (world.sign_in(1).await, world.sign_in(2).await);
    until("a profile", async || world.mitalk.follow(&b, a.user).await.ok()).await;
    let told = async || (world.me(&a).await.notice_seq == 1).then_some(());
    until("a is told", told).await;
    let (_first, mut first) = attach(&world, &a, 0).await;
    let notice = next(&mut first, |message| match message {
        LiveMessage::Notice { notice } => Some(notice),
        _ => None,
    });
    let notice = notice.await;
    assert!(notice.seq == 1 && notice.what.person().unwrap().id == b.user);
    world.mitalk.notices_read(&a, 1).await.unwrap();
    assert_eq!(world.me(&a).await.notices_read, 1);

    let (second, _stream) = attach(&world, &a, 1).await;
    let closed = async || first.next().await.err();
    assert_eq!(
        until("the first gives way", closed).await,
        CloseReason::OpenedElsewhere
    );
    drop(second);
    until("nothing is held", async || {
        (world.mitalk.live_sockets() <= 1).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_persons_socket_is_closed() {
    let world = World::start().await;
    let caller = world.active(1).await;
    let (_session, mut stream) = attach(&world, &caller, 0).await;
    world
        .mitalk
        .suspend(call(), Person::User(caller.user), true)
        .await
        .unwrap();
    let closed = async || stream.next().await.err();
    assert_eq!(until("closed", closed).await, CloseReason::Suspended);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_attaches_while_its_device_is_signed_out_ends() {
    let world = World::start().await;
    let caller = world.active(1).await;
    for _ in 0..8 {
        let device = world.sign_in(1).await;
        let (sink, _stream) = world.mitalk.live_queue(&device);
        let attach = world.mitalk.attach(&device, sink.clone(), 0);
        let (attached, revoked) = tokio::join!(attach, world.mitalk.revoke(&caller, device.device));
        revoked.unwrap();
        let ended = async || (attached.is_err() || sink.closed().is_some()).then_some(());
        until("the socket ends", ended).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_poison_event_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let poison = Event {
        source: EntityId::new("nobody", "x"),
        sequence: 1,
        at: world.now(),
        payload: b"poison".to_vec(),
        trace: Trace::default(),
    };
    world.stores.log.append(events::NOTICES, &poison).await.unwrap();
    // Neither group can read it.
    let dead = async || {
        let dead = world.stores.log.dead(events::NOTICES);
        (dead.len() == 2).then_some(dead)
    };
    let mut dead = until("the dead letters", dead).await;
    dead.sort_by_key(|letter| letter.id());
    for (letter, group) in dead.iter().zip([INVITER, NOTIFIER]) {
        assert_eq!((&letter.event, &*letter.group), (&poison, group));
        assert!(!letter.reason.is_empty() && letter.at >= poison.at, "{letter:?}");
    }
    for (group, topic) in CONSUMED {
        let done = async || world.stores.log.is_done(group, topic).then_some(());
        until("it is recorded", done).await;
    }

    let waiting = world.sign_in(1).await;
    until("a ticket", async || world.me(&waiting).await.ticket).await;
    world.mitalk.admit_next(call(), Home::default(), 1).await.unwrap();
    let told = async || (world.stores.messages.sent().len() == 2).then_some(());
    until("a code and an admission", told).await;
}

/// A relay that does not know whether its append arrived appends again, right behind the first one.
#[tokio::test(start_paused = true)]
async fn an_event_that_was_appended_twice_is_dealt_with_once() {
    let world = World::start().await;
    let waiting = world.sign_in(1).await;
    until("a ticket", async || world.me(&waiting).await.ticket).await;
    let first = Event {
        source: EntityId::new("user", &waiting.user.to_string()),
        sequence: 1_000,
        at: world.now(),
        payload: events::Notices::Admitted { user: waiting.user }
            .outgoing()
            .payload,
        trace: Trace::default(),
    };
    let last = Event {
        sequence: 1_001,
        ..first.clone()
    };
    // Nothing waits between these, so one poll takes them all.
    for event in [&first, &first, &first, &last] {
        world.stores.log.append(events::NOTICES, event).await.unwrap();
    }
    let admitted = || {
        let sent = world.stores.messages.sent().into_iter();
        let keys = sent.filter(|sent| sent.message == Message::Admitted);
        keys.map(|sent| sent.key.0).collect::<Vec<_>>()
    };
    until("the last one", async || {
        admitted().contains(&last.id()).then_some(())
    })
    .await;
    assert_eq!(admitted(), [first.id(), last.id()]);
}

/// The numbers that got the text of their admission.
fn admitted(world: &World) -> Vec<PhoneNumber> {
    let sent = world.stores.messages.sent().into_iter();
    let admitted = sent.filter(|sent| sent.message == Message::Admitted);
    let mut numbers: Vec<_> = admitted.map(|sent| sent.to).collect();
    numbers.sort_by_key(|number| number.e164().to_owned());
    numbers
}

/// Signs the first `count` numbers in, who wait.
async fn line(world: &World, count: u32) {
    world.phase(Admits::ClosedTest).await;
    for n in 1..=count {
        let caller = world.sign_in(n).await;
        until("a ticket", async || world.me(&caller).await.ticket).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_takes_no_texts_does_not_hold_up_the_others() {
    let world = World::start().await;
    line(&world, 4).await;
    for n in [1, 2] {
        world.stores.messages.never_take(number(n));
    }
    let began = tokio::time::Instant::now();
    world.mitalk.admit_next(call(), Home::default(), 4).await.unwrap();
    until("the others are told", async || {
        (admitted(&world).len() == 2).then_some(())
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "at once, not after the tries of the others: {:?}",
        began.elapsed()
    );
    assert!(
        world.stores.log.dead(events::NOTICES).is_empty(),
        "not without a witness"
    );
    let mut others = 10..;
    let dead = async || {
        // Any text that goes out tells that it is not the provider; the two fail at least every half minute.
        world.sign_in(others.next()?).await;
        tokio::time::sleep(Duration::from_secs(31)).await;
        (world.stores.log.dead(events::NOTICES).len() == 2).then_some(())
    };
    until("the two are dead letters", dead).await;
    assert_eq!(admitted(&world), [number(3), number(4)], "each once");

    // The number is taken after all, and the operator retries its letter.
    world.stores.messages.take_again(&number(1));
    for letter in world.stores.log.dead(events::NOTICES) {
        assert!(world.stores.log.retry(&letter.id()).await.unwrap());
    }
    until("the retried one is told", async || {
        (admitted(&world) == [number(1), number(3), number(4)]).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_is_out_of_order_no_text_is_given_up() {
    let world = World::start().await;
    line(&world, 3).await;
    world.stores.messages.set_down(true);
    world.mitalk.admit_next(call(), Home::default(), 3).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6 * 60 * 60)).await;
    assert!(world.stores.log.dead(events::NOTICES).is_empty());
    world.stores.messages.set_down(false);
    until("all are told", async || {
        (admitted(&world).len() == 3).then_some(())
    })
    .await;
    let all = [number(1), number(2), number(3)];
    assert_eq!(admitted(&world), all, "each once");
    assert!(world.stores.log.dead(events::NOTICES).is_empty());
}

/// A text that does not go out holds nobody up, but what is remembered behind it has a bound, which is told.
#[tokio::test(start_paused = true)]
async fn what_is_done_behind_an_event_that_is_not_has_a_bound() {
    let world = World::start().await;
    let registry = prometheus::Registry::new();
    world.mitalk.metrics().register(&registry).unwrap();
    line(&world, 1).await;
    world.stores.messages.set_down(true);
    world.mitalk.admit_next(call(), Home::default(), 1).await.unwrap();
    for n in 0..1_000 {
        let nobody = UserId::new(Home::default(), n);
        let event = Event {
            source: EntityId::new("user", &nobody.to_string()),
            sequence: 1,
            at: world.now(),
            payload: events::Notices::Admitted { user: nobody }.outgoing().payload,
            trace: Trace::default(),
        };
        world.stores.log.append(events::NOTICES, &event).await.unwrap();
    }
    let is_full = async || {
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather());
        let full = "mitalk_people_events_full_total{group=\"inviter\"} 1";
        text.unwrap().contains(full).then_some(())
    };
    until("the bound", is_full).await;
    let is_done = |group| world.stores.log.is_done(group, events::NOTICES);
    until("the other group is through", async || {
        is_done(NOTIFIER).then_some(())
    })
    .await;
    assert!(!is_done(INVITER));
    world.stores.messages.set_down(false);
    until("all are told", async || is_done(INVITER).then_some(())).await;
    assert_eq!(admitted(&world), [number(1)], "once");
}
