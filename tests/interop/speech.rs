//! Real Opus, between a full client and a light one: byte for byte what the other's encoder made.
//!
//! `speech.opus-frames` holds 50 packets of 20 ms from libopus 1.3.1 (VoIP, 48 kHz mono, 16 kbit/s, variable), each behind
//! its length in two bytes: a voice-like buzz in syllables, synthesised for this test. libopus decodes all of them.

use crate::full_client::{FullClient, PATIENCE};
use crate::{join, number};
use anyhow::Context;
use mitalk::wire::rooms::{CreateRoom, HandRaising, Moderation, Visibility};
use mitalk_tests::light::{Session, clock};
use mitalk_tests::server::Server;

/// A clear voice, in -dBov.
const LEVEL: u8 = 20;
/// Times that the recording is said: two seconds.
const TIMES: usize = 2;

/// The recording's packets.
fn recording() -> Vec<Vec<u8>> {
    let mut rest = &include_bytes!("speech.opus-frames")[..];
    let mut packets = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let (packet, behind) = behind.split_at(usize::from(u16::from_be_bytes(*len)));
        packets.push(packet.to_vec());
        rest = behind;
    }
    packets
}

/// All that is said.
fn speech() -> Vec<Vec<u8>> {
    let recording = recording();
    let all = recording.len() * TIMES;
    recording.into_iter().cycle().take(all).collect()
}

async fn say(light: &Session, speech: Vec<Vec<u8>>) {
    let mut clock = clock();
    for payload in speech {
        clock.tick().await;
        light
            .act(move |client, wire| client.speak(LEVEL, &payload, wire))
            .await;
    }
}

/// What a full client heard of somebody, until all of their speech has come.
async fn heard_by(full: &mut FullClient, number: u32, packets: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut heard = Vec::new();
    let listen = async {
        while heard.len() < packets {
            let packet = full.received.recv().await.context("the connection has ended")?;
            if packet.csrc == Some(number) && packet.payload.len() > 3 {
                heard.push(packet.payload);
            }
        }
        anyhow::Ok(())
    };
    let listened = tokio::time::timeout(PATIENCE, listen).await;
    listened.with_context(|| format!("waited {PATIENCE:?} for {packets} packets"))??;
    Ok(heard)
}

#[test]
fn the_recording_is_opus() {
    let recording = recording();
    assert_eq!(recording.len(), 50);
    // RFC 6716, 3.1: hybrid, full band, 20 ms, mono, one frame.
    assert!(
        recording
            .iter()
            .all(|packet| packet[0] == 0x78 && packet.len() > 20)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_client_and_a_light_one_hear_each_others_opus() -> anyhow::Result<()> {
    let server = Server::start(&["admin.test_admission=true"]).await?;
    let [anna, ben] = server.people().await?;
    let create = CreateRoom {
        title: "Real voices".to_owned(),
        topics: Vec::new(),
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    let room = anna.client.create_room(&create, "voices").await?.id;
    let (mut full, _) = join(&anna, &room).await?;
    anna.client.mute(&room, false).await?;
    let light = Session::join(&ben, &room, None).await?;
    anna.client
        .moderate(&room, &ben.user, Moderation::InviteToStage)
        .await?;
    ben.client.answer_stage(&room, true).await?;
    ben.client.mute(&room, false).await?;
    let snapshot = anna.client.room(&room).await?;
    let (anna, ben) = (number(&snapshot, &anna)?, number(&snapshot, &ben)?);

    let speech = speech();
    let counted = (0..).zip(speech.clone());
    let ((), said) = tokio::join!(say(&light, speech.clone()), full.say(counted));
    said?;
    assert_eq!(
        heard_by(&mut full, ben, speech.len()).await?,
        speech,
        "the full client"
    );
    light
        .hears("the full client's speech", |ear| {
            ear.foreign.len() >= speech.len()
        })
        .await?;
    let heard = light.ear().foreign.clone();
    assert!(
        heard.iter().all(|(csrc, _)| *csrc == Some(anna)),
        "under her number"
    );
    let heard: Vec<_> = heard.into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(heard, speech, "the light client");
    full.close().await
}
