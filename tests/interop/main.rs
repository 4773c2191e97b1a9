//! A complete, independent client joins by the same API as the app, publishes Opus and hears the others: the engine is
//! not tuned to one browser. And the load tool, as people run it.

mod full_client;
mod load;
mod speech;

use anyhow::Context;
use full_client::{FullClient, PATIENCE};
use mitalk::wire::rooms::{
    CreateRoom, HandRaising, JoinRequest, Joined, Moderation, RoomSnapshot, Visibility,
};
use mitalk_load::ear::{Counts, Ear, Packet, Speaker};
use mitalk_load::people::Person;
use mitalk_tests::server::Server;

const RUN: u32 = 0x1e57;
/// Four seconds of speech each.
const FRAMES: u32 = 200;
const SLOTS: usize = 3;
/// Anna's and Ben's indices in frames.
const ANNA: u32 = 0;
const BEN: u32 = 1;

pub(crate) async fn join(person: &Person, room: &str) -> anyhow::Result<(FullClient, Joined)> {
    let mut client = FullClient::new().await?;
    let sdp = client.offer().await?;
    let joined = person
        .client
        .join(
            room,
            &JoinRequest {
                sdp,
                ..JoinRequest::default()
            },
        )
        .await?;
    client.answer(joined.sdp.clone()).await?;
    client.connected().await?;
    Ok((client, joined))
}

pub(crate) fn number(room: &RoomSnapshot, person: &Person) -> anyhow::Result<u32> {
    let member = room.stage.iter().find(|member| member.person.id == person.user);
    Ok(member.context("somebody is not on stage")?.number)
}

/// Listens until the speaker's last frame has come, and judges.
async fn listen(client: &mut FullClient, speaker: Speaker, last: u32) -> anyhow::Result<Counts> {
    let mut ear = Ear::new(RUN, SLOTS, vec![speaker]);
    let heard = async {
        while let Some(packet) = client.received.recv().await {
            let frame = ear.hear(&Packet {
                ssrc: packet.ssrc,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                csrc: packet.csrc,
                payload: &packet.payload,
            });
            if frame.is_some_and(|frame| frame.counter == last) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard)
        .await
        .with_context(|| format!("never heard the last frame of {speaker:?}"))?;
    let mut sent = vec![None; speaker.index as usize + 1];
    sent[speaker.index as usize] = Some(last);
    Ok(ear.finish(&sent))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_full_clients_hear_each_other() -> anyhow::Result<()> {
    let server = Server::start(&["admin.test_admission=true"]).await?;
    let [anna, ben] = server.people().await?;
    let create = CreateRoom {
        title: "Interoperability".to_owned(),
        topics: Vec::new(),
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    let room = anna.client.create_room(&create, "interop").await?.id;
    let (mut a, _) = join(&anna, &room).await?;
    anna.client.mute(&room, false).await?;
    let (mut b, joined) = join(&ben, &room).await?;
    anna.client
        .moderate(&room, &ben.user, Moderation::InviteToStage)
        .await?;
    ben.client.answer_stage(&room, true).await?;
    ben.client.mute(&room, false).await?;
    let snapshot = anna.client.room(&room).await?;
    let speakers = [
        Speaker {
            index: ANNA,
            number: number(&snapshot, &anna)?,
        },
        Speaker {
            index: BEN,
            number: number(&snapshot, &ben)?,
        },
    ];

    let (by_ben, by_anna) = converse(&mut a, &mut b, speakers, 0).await?;
    println!("of {FRAMES} frames each, Ben heard {by_ben:?}, Anna heard {by_anna:?}");
    assert!(by_ben.clean() && by_anna.clean());

    // New ICE credentials, same connection: nothing of the conversation is lost.
    let offer = b.restart_offer().await?;
    let restarted = ben.client.restart_ice(&room, &joined.session, &offer).await?;
    b.answer(restarted.sdp).await?;
    let (by_ben, by_anna) = converse(&mut a, &mut b, speakers, FRAMES).await?;
    println!("after an ICE restart Ben heard {by_ben:?}, Anna heard {by_anna:?}");
    assert!(by_ben.clean() && by_anna.clean());

    // Muted by the moderator, Ben sends on and is not heard.
    anna.client.moderate(&room, &ben.user, Moderation::Mute).await?;
    while a.received.try_recv().is_ok() {}
    let (first, after) = (2 * FRAMES, 3 * FRAMES);
    tokio::try_join!(a.speak(RUN, ANNA, first..after), b.speak(RUN, BEN, first..after))?;
    assert!(listen(&mut b, speakers[0], after - 1).await?.clean());
    let voices = std::iter::from_fn(|| a.received.try_recv().ok());
    let heard: Vec<_> = voices.filter(|packet| packet.payload.len() > 3).collect();
    assert!(
        heard.is_empty(),
        "Anna heard {} frames of Ben, whom she has muted",
        heard.len()
    );
    // And hears him again when he may speak: it was the right that was missing, not the connection.
    ben.client.mute(&room, false).await?;
    let (by_ben, by_anna) = converse(&mut a, &mut b, speakers, after).await?;
    println!("unmuted again, Ben heard {by_ben:?}, Anna heard {by_anna:?}");
    assert!(by_ben.clean() && by_anna.clean());
    a.close().await?;
    b.close().await
}

/// Both talk at the same time. What `(Ben, Anna)` heard of the other.
async fn converse(
    a: &mut FullClient,
    b: &mut FullClient,
    [anna, ben]: [Speaker; 2],
    from: u32,
) -> anyhow::Result<(Counts, Counts)> {
    let until = from + FRAMES;
    tokio::try_join!(a.speak(RUN, ANNA, from..until), b.speak(RUN, BEN, from..until))?;
    Ok((
        listen(b, anna, until - 1).await?,
        listen(a, ben, until - 1).await?,
    ))
}
