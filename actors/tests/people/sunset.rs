//! The service's end, over the whole domain: what goes on until the hour, and what is left after it.

use crate::world::{World, call, caller, stranger, until};
use mitalk_actors::account::Error as AccountError;
use mitalk_actors::auth::Error as AuthError;
use mitalk_actors::operator::Error as OperatorError;
use mitalk_actors::phase::Admits;
use mitalk_actors::rooms::{Error as RoomError, HandRaising, Settings, Visibility};
use mitalk_actors::testing::number_text;
use mitalk_cluster::Timestamp;
use std::time::Duration;

/// More than a page of the walk.
const PEOPLE: usize = 130;
const HOUR: Duration = Duration::from_secs(60 * 60);

fn settings() -> Settings {
    Settings {
        title: "The last one".into(),
        topics: vec![],
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    }
}

#[tokio::test(start_paused = true)]
async fn at_its_hour_everybody_is_deleted_and_that_is_proven() {
    let world = World::start().await;
    world.phase(Admits::Open).await;
    let ann = world.sign_in(1).await;
    let crowd = world
        .mitalk
        .test_accounts(call(), "+4915112", PEOPLE)
        .await
        .unwrap();
    let fan = caller(&crowd[0]);
    until("a fan follows Ann", async || {
        world.mitalk.follow(&fan, ann.user).await.ok()
    })
    .await;

    let past = world.mitalk.set_sunset(call(), Timestamp(1)).await;
    assert_eq!(past, Err(OperatorError::SunsetPast));
    let at = world.now() + HOUR;
    world.mitalk.set_sunset(call(), at).await.unwrap();
    assert_eq!(world.mitalk.ends_at(call()).await, Ok(Some(at)));
    world.mitalk.mine(&ann).await.unwrap();
    world.mitalk.rooms().create(&ann, settings()).await.unwrap();
    let code = world.code(2).await;

    tokio::time::sleep(HOUR).await;
    until("the deletion begins", async || {
        world.mitalk.sunset(call()).await.ok()?.purge
    })
    .await;
    assert_eq!(
        world.mitalk.cancel_sunset(call()).await,
        Err(OperatorError::SunsetBegun)
    );
    let room = world.mitalk.rooms().create(&ann, settings()).await;
    assert!(matches!(room, Err(RoomError::Sunset)), "{room:?}");
    assert!(matches!(world.mitalk.mine(&ann).await, Err(AccountError::Sunset)));
    let asked = world.mitalk.send_code(&stranger(), &number_text(3)).await;
    assert_eq!(asked, Err(AuthError::Sunset));
    let verify = mitalk_actors::auth::Verify {
        phone: number_text(2),
        code,
        device_name: None,
        invite: None,
    };
    assert!(matches!(
        world.mitalk.verify(&stranger(), verify).await,
        Err(AuthError::Sunset)
    ));

    let world = world.restart().await;
    let purge = until("nobody is left", async || {
        let purge = world.mitalk.sunset(call()).await.ok()?.purge?;
        purge.done_at.map(|_| purge)
    })
    .await;
    assert_eq!((purge.deleted, purge.left), (PEOPLE as u64 + 1, 0));
    assert_eq!(world.mitalk.me(&ann).await, Err(AccountError::NotFound));
    assert_eq!(world.mitalk.me(&fan).await, Err(AccountError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn an_announcement_that_was_taken_back_ends_nothing() {
    let world = World::start().await;
    world.phase(Admits::Open).await;
    let ann = world.sign_in(1).await;
    world.mitalk.set_sunset(call(), world.now() + HOUR).await.unwrap();
    world.mitalk.cancel_sunset(call()).await.unwrap();
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(world.mitalk.ends_at(call()).await, Ok(None));
    world.me(&ann).await;
    world.mitalk.rooms().create(&ann, settings()).await.unwrap();
}
