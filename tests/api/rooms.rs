//! Rooms without sound: opening, joining, hands, stage, moderation, leaving, the end.

use crate::offer::{join, offer};
use anyhow::Result;
use mitalk::client::Client;
use mitalk::wire::rooms::{
    CreateRoom, HandRaising, JoinRequest, Moderation, Role, RoomPatch, RoomSnapshot, Visibility,
};
use mitalk_tests::server::{Person, Server, code, until};

pub(crate) fn titled(title: &str) -> CreateRoom {
    CreateRoom {
        title: title.to_owned(),
        topics: vec!["bridges".to_owned()],
        language: Some("en".to_owned()),
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    }
}

/// A room with its moderator in it, and somebody in the audience.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) host: Person,
    pub(crate) guest: Person,
    pub(crate) room: String,
}

impl Scene {
    pub(crate) async fn new() -> Result<Self> {
        let server = Server::open(&[]).await?;
        let host = server.person("+4915112345901", "Host").await?;
        let guest = server.person("+4915112345902", "Guest").await?;
        let room = host.client.create_room(&titled("Bridges"), "room").await?.id;
        host.client.join(&room, &join()).await?;
        guest.client.join(&room, &join()).await?;
        Ok(Self {
            server,
            host,
            guest,
            room,
        })
    }

    /// Waits until somebody sees the room as wished.
    pub(crate) async fn sees(
        &self,
        who: &Client,
        what: &str,
        wish: impl Fn(&RoomSnapshot) -> bool,
    ) -> RoomSnapshot {
        until(what, async || {
            who.room(&self.room).await.ok().filter(|room| wish(room))
        })
        .await
    }
}

#[tokio::test]
async fn a_repeated_opening_is_the_same_room_and_the_hallway_shows_it() -> Result<()> {
    let scene = Scene::new().await?;
    let again = scene.host.client.create_room(&titled("Bridges"), "room").await?;
    assert_eq!(again.id, scene.room);
    let card = until("the hallway to show it", async || {
        let page = scene.guest.client.hallway(None, None).await.ok()?;
        page.items
            .into_iter()
            .find(|card| card.id == scene.room && card.audience_count == 1)
    })
    .await;
    assert_eq!((card.title.as_str(), card.stage_count), ("Bridges", 1));
    assert_eq!(card.stage[0].id, scene.host.id);
    assert_eq!(
        scene.guest.client.me().await?.room.as_deref(),
        Some(scene.room.as_str())
    );
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_hand_is_raised_accepted_and_leads_on_stage() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    assert_eq!(code(guest.answer_stage(room, true).await), "not_invited");
    assert_eq!(code(guest.mute(room, false).await), "not_on_stage");
    assert_eq!(guest.raise_hand(room).await?.hand, Some(1));
    assert_eq!(
        guest.raise_hand(room).await?.hand,
        Some(1),
        "again changes nothing"
    );
    scene.sees(host, "the hand", |room| room.hands.len() == 1).await;
    assert_eq!(
        code(guest.answer_hand(room, &scene.guest.id, true).await),
        "moderators_only"
    );
    host.answer_hand(room, &scene.guest.id, true).await?;
    scene
        .sees(guest, "the invitation", |room| {
            room.invited_to_stage && room.my_hand.is_none()
        })
        .await;
    guest.answer_stage(room, true).await?;
    let seen = scene
        .sees(guest, "the stage", |room| room.my_role == Some(Role::Speaker))
        .await;
    let me = seen
        .stage
        .iter()
        .find(|member| member.person.id == scene.guest.id)
        .expect("on stage");
    assert!(me.muted, "one comes on stage muted");
    assert_eq!(code(guest.raise_hand(room).await), "already_on_stage");
    guest.mute(room, false).await?;
    scene
        .sees(host, "the open microphone", |room| {
            room.stage
                .iter()
                .all(|m| m.person.id != scene.guest.id || !m.muted)
        })
        .await;
    guest.leave_stage(room).await?;
    scene
        .sees(guest, "the audience again", |room| {
            room.my_role == Some(Role::Listener)
        })
        .await;
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn hands_can_be_lowered_declined_and_switched_off() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    guest.raise_hand(room).await?;
    guest.lower_hand(room).await?;
    scene.sees(host, "no hand", |room| room.hand_count == 0).await;
    assert_eq!(
        code(host.answer_hand(room, &scene.guest.id, true).await),
        "hand_not_up"
    );
    guest.raise_hand(room).await?;
    host.answer_hand(room, &scene.guest.id, false).await?;
    scene
        .sees(guest, "the declined hand", |room| {
            room.hand_count == 0 && !room.invited_to_stage
        })
        .await;
    let off = RoomPatch {
        hand_raising: Some(HandRaising::Off),
        ..RoomPatch::default()
    };
    assert_eq!(code(guest.patch_room(room, &off).await), "moderators_only");
    host.patch_room(room, &off).await?;
    assert_eq!(code(guest.raise_hand(room).await), "hands_off");
    let empty = RoomPatch {
        title: Some(String::new()),
        ..RoomPatch::default()
    };
    assert_eq!(code(host.patch_room(room, &empty).await), "unprocessable");
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn moderators_invite_promote_move_back_remove_and_ban() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    let id = scene.guest.id.as_str();
    assert_eq!(
        code(guest.moderate(room, &scene.host.id, Moderation::Mute).await),
        "moderators_only"
    );
    assert_eq!(
        code(host.moderate(room, id, Moderation::Mute).await),
        "not_on_stage"
    );
    host.moderate(room, id, Moderation::InviteToStage).await?;
    host.moderate(room, id, Moderation::CancelInvitation).await?;
    assert_eq!(code(guest.answer_stage(room, true).await), "not_invited");
    host.moderate(room, id, Moderation::InviteToStage).await?;
    guest.answer_stage(room, true).await?;
    guest.mute(room, false).await?;
    host.moderate(room, id, Moderation::Mute).await?;
    scene
        .sees(guest, "the muted microphone", |room| {
            room.stage.iter().any(|m| m.person.id == id && m.muted)
        })
        .await;
    host.moderate(room, id, Moderation::MakeModerator).await?;
    scene
        .sees(guest, "the new role", |room| {
            room.my_role == Some(Role::Moderator)
        })
        .await;
    host.moderate(room, id, Moderation::MoveBack).await?;
    scene
        .sees(guest, "the audience", |room| room.my_role == Some(Role::Listener))
        .await;
    host.moderate(room, id, Moderation::Remove).await?;
    until("the guest to be out", async || {
        guest.me().await.ok()?.room.is_none().then_some(())
    })
    .await;
    guest.join(room, &join()).await?;
    host.moderate(room, id, Moderation::Ban).await?;
    until("the guest to be banned", async || {
        (guest.join(room, &join()).await.err()?.code() == Some("room_banned")).then_some(())
    })
    .await;
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_resume_token_brings_back_to_the_same_place_and_not_after_a_removal() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    let resume = |token: &str| JoinRequest {
        resume_token: Some(token.to_owned()),
        ..join()
    };
    let first = guest.join(room, &join()).await?;
    guest.raise_hand(room).await?;
    // The answer may be lost: until its client is connected, the same token counts again.
    for _ in 0..2 {
        let back = guest.join(room, &resume(&first.resume_token)).await?;
        assert!(
            back.resumed && back.room.my_hand == Some(1),
            "the hand is still up"
        );
    }
    let back = guest.join(room, &resume(&first.resume_token)).await?;
    assert_eq!(
        code(host.join(room, &resume(&back.resume_token)).await),
        "resume_invalid"
    );
    assert_eq!(
        code(guest.join(room, &resume("nonsense")).await),
        "resume_invalid"
    );
    host.moderate(room, &scene.guest.id, Moderation::Remove).await?;
    until("the token to be worthless", async || {
        let refused = guest.join(room, &resume(&back.resume_token)).await.err()?;
        (refused.code() == Some("resume_refused")).then_some(())
    })
    .await;
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn bad_offers_and_unknown_rooms_are_explained() -> Result<()> {
    let scene = Scene::new().await?;
    let (guest, room) = (&scene.guest.client, scene.room.as_str());
    let with = |sdp: String| JoinRequest { sdp, ..join() };
    for bad in [
        String::new(),
        "v=0\r\n".to_owned(),
        "\u{0}".repeat(100),
        offer().replace("ice-ufrag", "ice-no"),
    ] {
        assert_eq!(code(guest.join(room, &with(bad)).await), "sdp_invalid");
    }
    assert_eq!(
        code(guest.join(room, &with("x".repeat(40_000))).await),
        "sdp_invalid"
    );
    let strange = JoinRequest {
        socket: Some("x".to_owned()),
        ..join()
    };
    assert_eq!(code(guest.join(room, &strange).await), "unprocessable");
    for unknown in ["nothing", "zz0000000000000000000000"] {
        assert_eq!(code(guest.room(unknown).await), "room_not_found");
        assert_eq!(code(guest.join(unknown, &join()).await), "room_not_found");
    }
    let joined = guest.join(room, &join()).await?;
    assert_eq!(
        code(guest.restart_ice(room, "x", &offer()).await),
        "session_not_found"
    );
    assert_eq!(
        code(guest.restart_ice(room, &joined.session, "x").await),
        "sdp_invalid"
    );
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_roster_is_for_people_in_the_room_and_contacts_are_pinged() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    let outside = scene.server.person("+4915112345903", "Outside").await?;
    let roster = until("the roster", async || {
        let page = host.roster(room, None, None).await.ok()?;
        (page.items.len() == 1).then_some(page.items)
    })
    .await;
    assert_eq!(roster[0].person.id, scene.guest.id);
    assert_eq!(code(outside.client.roster(room, None, None).await), "not_in_room");
    assert_eq!(code(guest.ping_into(room, &outside.id).await), "not_a_contact");
    scene.guest.client.follow(&outside.id).await?;
    outside.client.follow(&scene.guest.id).await?;
    until("the ping to go", async || {
        guest.ping_into(room, &outside.id).await.ok()
    })
    .await;
    until("the contact to be told", async || {
        let notices = outside.client.notices(None, None).await.ok()?.items;
        notices
            .into_iter()
            .find(|n| matches!(&n.what, mitalk::wire::people::NoticeKind::Pinged { .. }))
    })
    .await;
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn three_rooms_on_stage_together_earn_both_an_invite() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest) = (&scene.host.client, &scene.guest.client);
    let before = guest.invites().await?;
    assert_eq!((before.earned, before.rooms_to_next), (0, Some(3)));
    let more = [
        host.create_room(&titled("Second"), "second").await?.id,
        host.create_room(&titled("Third"), "third").await?.id,
    ];
    for room in [scene.room.clone()].into_iter().chain(more) {
        for person in [host, guest] {
            person.join(&room, &join()).await?;
        }
        host.moderate(&room, &scene.guest.id, Moderation::InviteToStage)
            .await?;
        guest.answer_stage(&room, true).await?;
    }
    for person in [host, guest] {
        until("an invite to be earned", async || {
            let invites = person.invites().await.ok()?;
            (invites.left == before.left + 1 && invites.earned == 1).then_some(())
        })
        .await;
    }
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn after_the_end_every_command_says_so() -> Result<()> {
    let scene = Scene::new().await?;
    let (host, guest, room) = (&scene.host.client, &scene.guest.client, scene.room.as_str());
    assert_eq!(code(guest.end_room(room).await), "moderators_only");
    host.end_room(room).await?;
    until("the room to be over", async || {
        (guest.room(room).await.err()?.code() == Some("room_ended")).then_some(())
    })
    .await;
    assert_eq!(code(guest.join(room, &join()).await), "room_ended");
    assert_eq!(code(guest.raise_hand(room).await), "room_ended");
    assert_eq!(
        code(host.moderate(room, &scene.guest.id, Moderation::Ban).await),
        "room_ended"
    );
    until("everybody to be out", async || {
        guest.me().await.ok()?.room.is_none().then_some(())
    })
    .await;
    scene.server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn joining_elsewhere_moves_and_leaving_is_quiet() -> Result<()> {
    let scene = Scene::new().await?;
    let other = scene
        .host
        .client
        .create_room(&titled("Elsewhere"), "elsewhere")
        .await?
        .id;
    scene.guest.client.join(&other, &join()).await?;
    until("the guest to have moved", async || {
        let first = scene.host.client.room(&scene.room).await.ok()?;
        let me = scene.guest.client.me().await.ok()?;
        (first.audience_count == 0 && me.room.as_deref() == Some(other.as_str())).then_some(())
    })
    .await;
    scene.guest.client.leave(&other).await?;
    scene.guest.client.leave(&other).await?;
    until("the guest to be out", async || {
        scene.guest.client.me().await.ok()?.room.is_none().then_some(())
    })
    .await;
    scene.server.stop().await?;
    Ok(())
}
