//! Leaving, over the whole domain: what others see of it, and what the number's next owner finds.

use crate::world::{World, call, caller, limits, stranger, until};
use mitalk_actors::account::Patch;
use mitalk_actors::auth::Error as AuthError;
use mitalk_actors::invites::Invitee;
use mitalk_actors::people::Who;
use mitalk_actors::person::{NoticeKind, Standing};
use mitalk_actors::phase::Admits;
use mitalk_actors::rooms::{HandRaising, Settings, Visibility};
use mitalk_actors::{Caller, Limits};
use mitalk_cluster::RequestId;
use std::ops::Range;
use std::time::Duration;

/// More than two pages of the walk.
const FOLLOWERS: usize = 260;
/// Of those, by id, who stopped following.
const GONE: Range<usize> = 110..140;

fn soon() -> Limits {
    let mut limits = limits();
    limits.leaving.change_of_mind_s = 60;
    limits
}

async fn named(world: &World, caller: &Caller, name: &str) {
    let patch = Patch {
        name: Some(name.into()),
        ..Patch::default()
    };
    world.mitalk.patch_profile(caller, patch).await.unwrap();
}

async fn follows(world: &World, follower: &Caller, followee: &Caller) {
    let follow = async || {
        world.mitalk.follow(follower, followee.user).await.ok()?;
        let view = world
            .mitalk
            .profile(follower, Who::Id(followee.user))
            .await
            .ok()?;
        view.followed.then_some(())
    };
    until("one follows the other", follow).await;
}

async fn counts(world: &World, caller: &Caller) -> (u64, u64) {
    let view = world.mitalk.profile(caller, Who::Id(caller.user)).await.unwrap();
    (view.followers, view.following)
}

#[tokio::test(start_paused = true)]
async fn of_somebody_who_left_others_see_nothing() {
    let world = World::start_with(soon()).await;
    world.phase(Admits::Open).await;
    let ann = world.sign_in(1).await;
    named(&world, &ann, "Ann").await;
    world.mitalk.set_handle(&ann, "ann").await.unwrap();
    let link = world.mitalk.invite(&ann, Invitee::Link).await.unwrap();
    let ben = world.sign_in_with(2, link.link_code.as_deref()).await.unwrap();
    named(&world, &ben, "Ben").await;
    until("Ben shows who invited him", async || {
        world.me(&ben).await.profile.invited_by
    })
    .await;
    follows(&world, &ann, &ben).await;
    follows(&world, &ben, &ann).await;
    let request = Some(RequestId([1; 16]));
    let settings = Settings {
        title: "Ann's own words".into(),
        topics: vec![],
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    let host = Caller {
        request,
        ..ann.clone()
    };
    world.mitalk.rooms().create(&host, settings).await.unwrap();
    let started = async || {
        let page = world.mitalk.notices(&ben, None, 10).await.unwrap();
        page.items.into_iter().find_map(|notice| match notice.what {
            NoticeKind::RoomStarted { title, .. } => Some(title),
            _ => None,
        })
    };
    assert_eq!(until("Ben is told of the room", started).await, "Ann's own words");

    let me = world.mitalk.leave(&ann).await.unwrap();
    assert!(me.leaving_at.is_some() && world.me(&ann).await.leaving_at == me.leaving_at);
    let again = world.sign_in(1).await;
    assert_eq!(
        (again.user, world.me(&again).await.leaving_at),
        (ann.user, me.leaving_at)
    );

    until("she is gone", async || world.mitalk.me(&ann).await.err()).await;
    let gone = async || world.mitalk.profile(&ben, Who::Id(ann.user)).await.err();
    until("her profile is gone", gone).await;
    until("nobody follows or is followed", async || {
        (counts(&world, &ben).await == (0, 0)).then_some(())
    })
    .await;
    assert!(
        world
            .mitalk
            .profile(&ben, Who::Handle("ann".into()))
            .await
            .is_err()
    );
    assert!(world.mitalk.follow(&ben, ann.user).await.is_err());
    until("nobody invited Ben", async || {
        world.me(&ben).await.profile.invited_by.is_none().then_some(())
    })
    .await;
    let page = world.mitalk.notices(&ben, None, 10).await.unwrap();
    for notice in page.items {
        let by = notice.what.person().cloned().expect("all of them are about Ann");
        assert_eq!((by.name.as_str(), by.handle.as_deref()), ("", None));
    }

    let next = world.sign_in(1).await;
    assert_ne!(next.user, ann.user, "the number's next owner is somebody new");
    assert_eq!(world.me(&next).await.profile.about.name, "");
    let handle = async || world.mitalk.set_handle(&next, "ann").await.ok();
    until("the handle is free", handle).await;
    assert!(matches!(
        world
            .mitalk
            .rotate(
                &stranger(),
                &format!("{}.{}.{}", ann.user, ann.device, "A".repeat(43))
            )
            .await,
        Err(AuthError::RefreshInvalid)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_followers_is_told_page_by_page_over_a_restart() {
    let world = World::start_with(soon()).await;
    world.phase(Admits::Open).await;
    let star = world.sign_in(1).await;
    let fans = world
        .mitalk
        .test_accounts(call(), "+4915112", FOLLOWERS)
        .await
        .unwrap();
    let fans: Vec<_> = fans.iter().map(caller).collect();
    until("the star can be followed", async || {
        world.mitalk.follow(&fans[0], star.user).await.ok()
    })
    .await;
    for fan in &fans {
        world.mitalk.follow(fan, star.user).await.unwrap();
    }
    until("all follow", async || {
        (counts(&world, &star).await.0 == FOLLOWERS as u64).then_some(())
    })
    .await;
    // Pages without anybody lie among the others.
    let mut by_id: Vec<_> = fans.iter().collect();
    by_id.sort_unstable_by_key(|fan| fan.user);
    for fan in &by_id[GONE] {
        world.mitalk.unfollow(fan, star.user).await.unwrap();
    }
    until("some follow no more", async || {
        (counts(&world, &star).await.0 == (FOLLOWERS - GONE.len()) as u64).then_some(())
    })
    .await;
    world.mitalk.leave(&star).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let world = world.restart().await;
    until("nobody follows any more", async || {
        let mut cursor = None;
        loop {
            let read = world.mitalk.followers(&fans[0], star.user, cursor.as_deref(), 10);
            let page = read.await.unwrap();
            match (page.items.is_empty(), page.next) {
                (true, None) => return Some(()),
                (true, next) => cursor = next,
                (false, _) => return None,
            }
        }
    })
    .await;
    for fan in [&fans[0], &fans[FOLLOWERS - 1]] {
        let none = async || (counts(&world, fan).await == (0, 0)).then_some(());
        until("their counts are right", none).await;
    }
    assert_eq!(world.me(&fans[0]).await.standing, Standing::Active);
}

#[tokio::test(start_paused = true)]
async fn who_waits_leaves_the_line() {
    let world = World::start_with(soon()).await;
    world.phase(Admits::ClosedTest).await;
    let first = world.sign_in(1).await;
    until("a ticket", async || world.me(&first).await.ticket).await;
    let second = world.sign_in(2).await;
    let ahead = async |caller: &Caller| world.me(caller).await.ticket.map(|ticket| ticket.ahead);
    until("the second is behind", async || {
        ahead(&second).await.filter(|n| *n == 1)
    })
    .await;
    world.mitalk.leave(&first).await.unwrap();
    until("the second is next", async || {
        ahead(&second).await.filter(|n| *n == 0)
    })
    .await;
    let again = world.sign_in(1).await;
    assert_ne!(again.user, first.user);
    until("behind", async || ahead(&again).await.filter(|n| *n == 1)).await;
}
