//! Profiles, handles and following, through the facade.

use crate::world::{World, until};
use futures::future::join_all;
use mitalk_actors::account::{Error, Patch};
use mitalk_actors::people::{self, Who};
use mitalk_actors::person::{NoticeKind, Standing};
use mitalk_actors::phase::Admits;

#[tokio::test(start_paused = true)]
async fn of_a_hundred_who_want_a_handle_one_has_it() {
    let world = World::start().await;
    world.phase(Admits::Open).await;
    let mut people = vec![];
    for n in 0..100 {
        people.push(world.sign_in(n).await);
    }
    let set = join_all(people.iter().map(|caller| world.mitalk.set_handle(caller, "Ada"))).await;
    let won: Vec<_> = people
        .iter()
        .zip(&set)
        .filter(|(_, result)| result.is_ok())
        .map(|(c, _)| c)
        .collect();
    assert_eq!(won.len(), 1);
    assert!(
        set.iter()
            .filter_map(|result| result.as_ref().err())
            .all(|error| *error == Error::HandleTaken)
    );

    let winner = won[0];
    let found = async || {
        world
            .mitalk
            .profile(&people[0], Who::Handle("@ADA".into()))
            .await
            .ok()
    };
    assert_eq!(until("found by handle", found).await.profile.id, winner.user);
    // Given up, it is free for another.
    world.mitalk.set_handle(winner, "ada_2").await.unwrap();
    let loser = people.iter().find(|caller| caller.user != winner.user).unwrap();
    let free = async || world.mitalk.set_handle(loser, "ada").await.ok();
    assert_eq!(
        until("free again", free).await.profile.handle.as_deref(),
        Some("ada")
    );
    assert_eq!(
        world.mitalk.set_handle(loser, "admin").await,
        Err(Error::HandleInvalid)
    );
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_what_its_owner_writes() {
    let world = World::start().await;
    let caller = world.sign_in(1).await;
    assert_eq!(
        caller.standing,
        Standing::Waiting,
        "a waiting person fills in a profile, too"
    );
    let patch = Patch {
        name: Some("Ada Lovelace".into()),
        topics: Some(vec!["engines".into()]),
        ..Patch::default()
    };
    let me = world.mitalk.patch_profile(&caller, patch.clone()).await.unwrap();
    assert_eq!(me.profile.about.name, "Ada Lovelace");
    let again = world.mitalk.patch_profile(&caller, patch).await.unwrap();
    assert_eq!(me.revision, again.revision, "nothing changed");
    let headline = Patch {
        headline: Some("Analyst".into()),
        ..Patch::default()
    };
    let me = world.mitalk.patch_profile(&caller, headline).await.unwrap();
    assert_eq!(
        (me.profile.about.name.as_str(), me.profile.about.headline.as_str()),
        ("Ada Lovelace", "Analyst")
    );
    assert_ne!(me.revision, again.revision);
    let long = Patch {
        name: Some("x".repeat(51)),
        ..Patch::default()
    };
    let error = world.mitalk.patch_profile(&caller, long).await.unwrap_err();
    assert!(
        matches!(error, Error::FieldInvalid { field: "name", .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_changes_at_the_same_time_none_is_lost() {
    let world = World::start().await;
    let caller = world.sign_in(1).await;
    let hidden = Patch {
        shown_as_inviter: Some(false),
        ..Patch::default()
    };
    let headlines = (0..10).map(|n| Patch {
        headline: Some(format!("Analyst {n}")),
        ..Patch::default()
    });
    let name = Patch {
        name: Some("Ada".into()),
        ..Patch::default()
    };
    let patches = headlines.chain([hidden, name]);
    let answers = join_all(patches.map(|patch| world.mitalk.patch_profile(&caller, patch))).await;
    assert!(answers.iter().all(Result::is_ok));
    let me = world.me(&caller).await;
    assert!(!me.shown_as_inviter, "a switch of privacy that was acknowledged");
    assert_eq!(me.profile.about.name, "Ada");
    assert!(me.profile.about.headline.starts_with("Analyst"));
}

#[tokio::test(start_paused = true)]
async fn following_is_counted_once_and_told_once() {
    let world = World::start().await;
    world.phase(Admits::Open).await;
    let (a, b, c) = (
        world.sign_in(1).await,
        world.sign_in(2).await,
        world.sign_in(3).await,
    );
    let known = async || world.mitalk.profile(&a, Who::Id(b.user)).await.ok();
    until("b has a profile", known).await;
    for _ in 0..3 {
        world.mitalk.follow(&a, b.user).await.unwrap();
    }
    until("c has a profile", async || {
        world.mitalk.follow(&c, b.user).await.ok()
    })
    .await;
    let view = async || {
        let view = world.mitalk.profile(&a, Who::Id(b.user)).await.unwrap();
        (view.followed && view.followers == 2).then_some(view)
    };
    assert!(!until("two follow", view).await.follows_you);
    let first = world.mitalk.followers(&a, b.user, None, 1).await.unwrap();
    let second = world
        .mitalk
        .followers(&a, b.user, first.next.as_deref(), 1)
        .await
        .unwrap();
    let mut followers = vec![first.items[0].id, second.items[0].id];
    followers.sort_unstable();
    let mut expected = vec![a.user, c.user];
    expected.sort_unstable();
    assert_eq!((followers, second.next), (expected, None));
    let told = async || {
        let notices = world.mitalk.notices(&b, None, 10).await.unwrap().items;
        let new = |kind: &NoticeKind<_>| matches!(kind, NoticeKind::NewFollower { .. });
        (notices.iter().filter(|notice| new(&notice.what)).count() == 2).then_some(())
    };
    until("b is told of each", told).await;

    world.mitalk.unfollow(&a, b.user).await.unwrap();
    world.mitalk.unfollow(&a, b.user).await.unwrap();
    let gone = async || (!world.mitalk.profile(&a, Who::Id(b.user)).await.unwrap().followed).then_some(());
    until("not any more", gone).await;
    assert_eq!(
        world.mitalk.follow(&a, a.user).await,
        Err(people::Error::NotYourself)
    );
    let nobody = mitalk_actors::id::UserId::new(a.user.home(), 1);
    assert_eq!(
        world.mitalk.follow(&a, nobody).await,
        Err(people::Error::PersonNotFound)
    );
    let cursor = world.mitalk.followers(&a, b.user, Some("x"), 1).await;
    assert_eq!(cursor, Err(people::Error::CursorInvalid));
}
