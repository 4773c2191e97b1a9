//! Who may enter a room: visibility, pings, share links.

use crate::offer::join;
use crate::rooms::Scene;
use anyhow::Result;
use mitalk::wire::rooms::{JoinRequest, RoomPatch, Visibility};
use mitalk_tests::server::{code, until};

#[tokio::test]
async fn a_closed_room_is_for_those_who_were_asked() -> Result<()> {
    let scene = Scene::new().await?;
    let outside = scene.server.person("+4915112345904", "Outside").await?;
    let closed = RoomPatch {
        visibility: Some(Visibility::Closed),
        ..RoomPatch::default()
    };
    scene.host.client.patch_room(&scene.room, &closed).await?;
    assert_eq!(
        code(outside.client.join(&scene.room, &join()).await),
        "room_closed"
    );
    scene
        .sees(&scene.guest.client, "the key", |room| room.link_key.is_some())
        .await;
    let social = RoomPatch {
        visibility: Some(Visibility::Social),
        ..RoomPatch::default()
    };
    scene.host.client.patch_room(&scene.room, &social).await?;
    assert_eq!(
        code(outside.client.join(&scene.room, &join()).await),
        "room_social"
    );
    outside.client.follow(&scene.host.id).await?;
    until("the follower to get in", async || {
        outside.client.join(&scene.room, &join()).await.ok()
    })
    .await;
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_shared_link_opens_a_closed_room_until_a_moderator_renews_it() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    let outside = scene.server.person("+4915112345905", "Outside").await?.client;
    let by = |key: &str| JoinRequest {
        link_key: Some(key.to_owned()),
        ..join()
    };
    assert_eq!(guest.room(room).await?.link_key, None, "an open room needs none");
    let closed = RoomPatch {
        visibility: Some(Visibility::Closed),
        ..RoomPatch::default()
    };
    host.patch_room(room, &closed).await?;
    let seen = scene
        .sees(guest, "the key, in the audience", |room| room.link_key.is_some())
        .await;
    let key = seen.link_key.expect("it was waited for");

    for wrong in ["", "x", &key[1..], &format!("{key}A")] {
        assert_eq!(code(outside.room_by_link(room, wrong).await), "room_closed");
        assert_eq!(code(outside.join(room, &by(wrong)).await), "room_closed");
    }
    let preview = outside.room_by_link(room, &key).await?;
    assert_eq!(
        (preview.my_role, preview.link_key),
        (None, None),
        "seen from the door"
    );
    let joined = outside.join(room, &by(&key)).await?;
    assert_eq!(
        joined.room.link_key.as_deref(),
        Some(key.as_str()),
        "and shared on"
    );

    outside.leave(room).await?;
    assert_eq!(code(guest.renew_link(room).await), "moderators_only");
    assert_eq!(code(outside.renew_link(room).await), "not_in_room");
    host.renew_link(room).await?;
    let renewed = scene
        .sees(guest, "the new key", |room| {
            room.link_key.as_ref().is_some_and(|new| *new != key)
        })
        .await;
    assert_eq!(code(outside.join(room, &by(&key)).await), "room_closed");
    let key = renewed.link_key.expect("it was waited for");
    outside.join(room, &by(&key)).await?;
    scene.server.stop().await?;
    Ok(())
}
