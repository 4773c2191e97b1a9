//! Phases, the allow-list and the waitlist, through the facade.

use crate::world::{World, call, until};
use mitalk_actors::Caller;
use mitalk_actors::events::{self, Message as _};
use mitalk_actors::id::Home;
use mitalk_actors::live::Revoked;
use mitalk_actors::operator::{AllowedNumber, Error, Person};
use mitalk_actors::person::{NoticeKind, Standing, Ticket};
use mitalk_actors::phase::Admits;
use mitalk_actors::ports::Message;
use mitalk_actors::testing::{number, number_text};
use mitalk_cluster::RequestId;
use std::time::Duration;

async fn ticket(world: &World, caller: &Caller) -> Ticket {
    until("a ticket", async || world.me(caller).await.ticket).await
}

async fn becomes_active(world: &World, caller: &Caller) {
    let active = async || (world.me(caller).await.standing == Standing::Active).then_some(());
    until("active", active).await;
}

#[tokio::test(start_paused = true)]
async fn who_becomes_active_in_each_phase() {
    let world = World::start().await;
    assert_eq!(
        world.mitalk.phase(call()).await.unwrap(),
        Admits::Employees,
        "at first"
    );
    let allow = |n, enabled| AllowedNumber {
        phone: number_text(n),
        enabled,
    };
    world
        .mitalk
        .import_allow_list(call(), &[allow(1, true), allow(2, false)])
        .await
        .unwrap();
    let standing = async |n| world.sign_in(n).await.standing;
    assert_eq!(standing(1).await, Standing::Active, "registered and enabled");
    assert_eq!(standing(2).await, Standing::Waiting, "registered only");
    assert_eq!(standing(3).await, Standing::Waiting);

    world.phase(Admits::ClosedTest).await;
    world
        .mitalk
        .import_allow_list(call(), &[allow(4, true)])
        .await
        .unwrap();
    assert_eq!(standing(4).await, Standing::Active);
    assert_eq!(standing(5).await, Standing::Waiting);
    let count = world.mitalk.count_allowed().await.unwrap();
    assert_eq!((count.registered, count.enabled), (3, 2));

    world.phase(Admits::Open).await;
    assert_eq!(standing(6).await, Standing::Active);
    let wrong = [
        allow(7, true),
        AllowedNumber {
            phone: "12".into(),
            enabled: true,
        },
    ];
    let wrong = world.mitalk.import_allow_list(call(), &wrong).await;
    assert_eq!(wrong, Err(Error::PhoneInvalid { index: 1 }));
    assert_eq!(world.mitalk.count_allowed().await.unwrap(), count, "all or none");
    assert!(
        world
            .mitalk
            .remove_allowed(call(), &number_text(1))
            .await
            .unwrap()
    );
    let audited = async || (world.stores.log.topic(events::AUDIT).len() == 5).then_some(());
    until(
        "each action is audited: two phases, two imports, a removal",
        audited,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn opening_admits_everybody_who_waits() {
    let world = World::start().await;
    let mut waiting = vec![];
    for n in 0..70 {
        waiting.push(world.sign_in(n).await);
    }
    ticket(&world, &waiting[69]).await;
    world.phase(Admits::Open).await;
    for caller in &waiting {
        becomes_active(&world, caller).await;
    }
    let empty = async || {
        let list = world.mitalk.waitlist(call(), Home::default()).await.unwrap();
        (list.waiting == 0 && list.owed == 0).then_some(())
    };
    until("the waitlist is empty", empty).await;
}

#[tokio::test(start_paused = true)]
async fn places_fall_as_people_are_admitted() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let mut people = vec![];
    for n in 0..5 {
        let caller = world.sign_in(n).await;
        let ticket = ticket(&world, &caller).await;
        assert_eq!((ticket.number, ticket.ahead), (u64::from(n) + 1, u64::from(n)));
        people.push(caller);
    }
    let ahead = async |n: usize| ticket(&world, &people[n]).await.ahead;
    // One in the middle, by name; again changes nothing.
    for _ in 0..2 {
        world
            .mitalk
            .admit_person(call(), Person::Phone(number_text(2)))
            .await
            .unwrap();
    }
    becomes_active(&world, &people[2]).await;
    until("one fewer ahead", async || (ahead(4).await == 3).then_some(())).await;
    assert_eq!(ahead(1).await, 1, "nobody before them went");

    // The next two, once: a repeated request admits nobody more.
    for _ in 0..3 {
        let call = call().request(RequestId([7; 16]));
        world.mitalk.admit_next(call, Home::default(), 2).await.unwrap();
    }
    becomes_active(&world, &people[0]).await;
    becomes_active(&world, &people[1]).await;
    until("two fewer ahead", async || (ahead(4).await == 1).then_some(())).await;
    assert_eq!(ahead(3).await, 0);
    let list = world.mitalk.waitlist(call(), Home::default()).await.unwrap();
    assert_eq!((list.waiting, list.admitted, list.owed), (2, 2, 0));

    // Both are told: in-app, and by a text message with the event's id as key.
    let notices = world.mitalk.notices(&people[0], None, 10).await.unwrap().items;
    assert_eq!(
        notices.into_iter().map(|notice| notice.what).collect::<Vec<_>>(),
        [NoticeKind::Admitted]
    );
    let told = async || {
        let sent = world.stores.messages.sent();
        let mut keys: Vec<_> = sent
            .iter()
            .filter(|sent| sent.message == Message::Admitted)
            .map(|sent| sent.key.clone())
            .collect();
        keys.dedup();
        (keys.len() == 3).then_some(())
    };
    until("three text messages", told).await;
    assert!(
        world
            .stores
            .messages
            .sent()
            .iter()
            .any(|sent| sent.to == number(2))
    );
}

#[tokio::test(start_paused = true)]
async fn an_admission_goes_on_after_a_restart() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let mut people = vec![];
    for n in 0..150 {
        people.push(world.sign_in(n).await);
    }
    ticket(&world, &people[149]).await;
    world
        .mitalk
        .admit_next(call(), Home::default(), 149)
        .await
        .unwrap();
    let world = world.restart().await;
    for caller in &people[..149] {
        becomes_active(&world, caller).await;
    }
    assert_eq!(world.me(&people[149]).await.standing, Standing::Waiting);
    assert_eq!(ticket(&world, &people[149]).await.ahead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_rate_admits_by_itself() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let people = [world.sign_in(1).await, world.sign_in(2).await];
    ticket(&world, &people[1]).await;
    world
        .mitalk
        .admit_per_hour(call(), Home::default(), 3_600)
        .await
        .unwrap();
    becomes_active(&world, &people[0]).await;
    becomes_active(&world, &people[1]).await;
    world
        .mitalk
        .admit_per_hour(call(), Home::default(), 0)
        .await
        .unwrap();
    let third = world.sign_in(3).await;
    ticket(&world, &third).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(
        world.me(&third).await.standing,
        Standing::Waiting,
        "the rate is off"
    );
}

#[tokio::test(start_paused = true)]
async fn among_employees_nobody_is_admitted_but_by_the_allow_list() {
    let world = World::start().await;
    let caller = world.sign_in(1).await;
    ticket(&world, &caller).await;
    let admit = async || {
        let mitalk = &world.mitalk;
        let named = mitalk.admit_person(call(), Person::User(caller.user)).await;
        let next = mitalk.admit_next(call(), Home::default(), 1).await;
        let rate = mitalk.admit_per_hour(call(), Home::default(), 3_600).await;
        [named, next, rate]
    };
    let refused = [const { Err(Error::PhaseEmployees) }; 3];
    assert_eq!(admit().await, refused, "at first");
    world.phase(Admits::ClosedTest).await;
    world.phase(Admits::Employees).await;
    assert_eq!(admit().await, refused, "and again");
    world
        .mitalk
        .admit_per_hour(call(), Home::default(), 0)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.me(&caller).await.standing, Standing::Waiting);
    world.phase(Admits::ClosedTest).await;
    assert_eq!(admit().await, [const { Ok(()) }; 3]);
    becomes_active(&world, &caller).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_stopped_while_waiting_is_passed_over_and_waits_anew() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let (stopped, other) = (world.sign_in(1).await, world.sign_in(2).await);
    ticket(&world, &stopped).await;
    assert_eq!(ticket(&world, &other).await.number, 2);
    let suspend = async |suspended| {
        let person = Person::User(stopped.user);
        world.mitalk.suspend(call(), person, suspended).await.unwrap();
    };
    suspend(true).await;
    let refused = world
        .mitalk
        .admit_person(call(), Person::User(stopped.user))
        .await;
    assert_eq!(refused, Err(Error::Suspended));
    until("the other one is first", async || {
        (ticket(&world, &other).await.ahead == 0).then_some(())
    })
    .await;
    world.mitalk.admit_next(call(), Home::default(), 1).await.unwrap();
    becomes_active(&world, &other).await;
    suspend(false).await;
    let back = world.sign_in(1).await;
    assert_eq!(ticket(&world, &back).await.number, 3, "at the end of the line");
    world.mitalk.admit_next(call(), Home::default(), 1).await.unwrap();
    becomes_active(&world, &back).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_person_comes_in_when_their_number_is_allowed() {
    let world = World::start().await;
    let caller = world.sign_in(1).await;
    ticket(&world, &caller).await;
    let number = AllowedNumber {
        phone: number_text(1),
        enabled: true,
    };
    world.mitalk.import_allow_list(call(), &[number]).await.unwrap();
    assert_eq!(world.me(&caller).await.standing, Standing::Active);
    let empty = async || {
        let list = world.mitalk.waitlist(call(), Home::default()).await.unwrap();
        (list.waiting == 0).then_some(())
    };
    until("their ticket is crossed out", empty).await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_person_is_shut_out() {
    let world = World::start().await;
    let caller = world.active(1).await;
    world
        .mitalk
        .suspend(call(), Person::User(caller.user), true)
        .await
        .unwrap();
    until("shut out", async || {
        world.mitalk.revoked(caller.user, caller.device)
    })
    .await;
    let refused = world.sign_in_with(1, None).await.err().unwrap();
    assert_eq!(refused.code(), "suspended");
    world
        .mitalk
        .suspend(call(), Person::User(caller.user), false)
        .await
        .unwrap();
    let let_in = async || {
        let device = world.mitalk.revoked(caller.user, caller.device);
        (device == Some(Revoked::Device)).then_some(())
    };
    until("let in again, but not on the old device", let_in).await;
    assert_eq!(world.sign_in(1).await.standing, Standing::Active);
    let nobody = world.mitalk.account(call(), Person::Phone(number_text(9))).await;
    assert_eq!(nobody, Err(Error::PersonNotFound));
}

#[tokio::test(start_paused = true)]
async fn test_accounts_are_active_and_the_same_again() {
    let world = World::start().await;
    let first = world.mitalk.test_accounts(call(), "+4915155", 40).await.unwrap();
    let second = world.mitalk.test_accounts(call(), "+4915155", 40).await.unwrap();
    assert!(first.iter().all(|account| account.standing == Standing::Active));
    let users =
        |accounts: &[mitalk_actors::auth::Verified]| accounts.iter().map(|a| a.user).collect::<Vec<_>>();
    assert_eq!(users(&first), users(&second));
    let by_number = async || {
        world
            .mitalk
            .account(call(), Person::Phone("+4915155000007".into()))
            .await
            .ok()
            .map(|a| a.me.profile.id)
    };
    assert_eq!(until("its number is confirmed", by_number).await, first[7].user);
}

#[tokio::test(start_paused = true)]
async fn no_number_leaves_the_allow_list_unrecorded() {
    let world = World::start().await;
    world.active(1).await;
    // As if the node died, or the store went, between the list and the record.
    let late = mitalk_cluster::Call::within(Duration::ZERO);
    let failed = world.mitalk.remove_allowed(late, &number_text(1)).await;
    assert!(matches!(failed, Err(Error::Trouble(_))), "{failed:?}");
    let removed = || {
        let audits = world.stores.log.topic(events::AUDIT).into_iter();
        let read = audits.map(|event| events::Audit::read(&event.payload).unwrap());
        read.filter(|audit| audit.action == "allow_list_removed").count()
    };
    assert_eq!(
        (world.mitalk.count_allowed().await.unwrap().registered, removed()),
        (1, 0)
    );
    assert_eq!(
        world.mitalk.remove_allowed(call(), &number_text(1)).await,
        Ok(true)
    );
    assert_eq!(world.mitalk.count_allowed().await.unwrap().registered, 0);
    until("it is recorded", async || (removed() == 1).then_some(())).await;
    assert_eq!(
        world.mitalk.remove_allowed(call(), &number_text(1)).await,
        Ok(false)
    );
}
