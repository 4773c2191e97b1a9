//! A modified client that ignores every signal, against the real server: whatever it sends, with whatever credentials,
//! an honest listener beside it hears none of it, and hears an honest speaker throughout.
//!
//! The cheat is a light client on raw UDP: it keeps its keys, its ICE credentials and its tokens when it is told to go.

mod stage;

use anyhow::Context;
use mitalk::wire::rooms::{Moderation, Role};
use mitalk_media::light::{Header, MICROPHONE, PAYLOAD_TYPE, State};
use mitalk_tests::light::{Session, clock, frame};
use stage::{CHEAT, HONEST, Stage};
use std::collections::BTreeSet;
use std::time::Instant;

/// Frames of a flood: a minute of speech ...
const FLOOD: u32 = 3_000;
/// ... at 50 times its rate: so many frames at once, every 20 ms. Faster than that the system drops datagrams, anybody's.
const BURST: u32 = 50;
/// The loudest there is, in -dBov.
const LOUDEST: u8 = 0;
/// Frames said before and after the cheat is told to stop.
const SAID: u32 = 50;
/// The first frame that is said when the right to speak is back; higher than any that was said without it.
const SPOKEN_AGAIN: u32 = 10_000_000;

/// Sends frames of the cheat's at 50 times the rate of speech, as loud as can be.
async fn flood(cheat: &Session, first: u32) {
    let mut clock = clock();
    for begin in (first..first + FLOOD).step_by(BURST as usize) {
        clock.tick().await;
        cheat
            .act(move |client, wire| {
                (begin..begin + BURST)
                    .for_each(|counter| client.speak(LOUDEST, &frame(CHEAT, counter), wire));
            })
            .await;
    }
}

/// Sends frames on an SSRC that was not given to the cheat, under somebody's stage number. They say that they are of the
/// microphone, as a browser's do: without that the server finds no stream for them, and never comes to ask for rights.
async fn forge(cheat: &Session, ssrc: u32, csrc: Option<u32>, first: u32) {
    cheat
        .act(move |client, wire| {
            for counter in first..first + SAID {
                let header = Header {
                    payload_type: PAYLOAD_TYPE,
                    sequence: counter as u16,
                    timestamp: counter * 960,
                    ssrc,
                    csrc,
                    level: Some(LOUDEST),
                    mid: Some(MICROPHONE),
                    ..Header::default()
                };
                // Within the first 65,536 of the SSRC: elsewhere nobody could authenticate it (RFC 3711, 3.3.1).
                let index = u64::from(header.sequence);
                client.send(&header, index, &frame(CHEAT, counter), wire);
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_of_the_audience_who_sends_is_not_heard() -> anyhow::Result<()> {
    let mut stage = Stage::set().await?;
    let cheat = Session::join(&stage.cheat, &stage.room, None).await?;
    let talk = cheat.talk(CHEAT, 0);
    flood(&cheat, 100_000).await;
    stage.nothing_of_the_cheat(0).await?;
    drop(talk);

    // On the SSRCs of its own slots, on a new one, and under the honest speaker's number.
    let number = stage.listener.ear().frames.iter().find_map(|heard| heard.csrc);
    assert!(number.is_some(), "the server names its speakers");
    let slots = slots_of(&cheat.joined.sdp);
    assert_eq!(slots.len(), mitalk_tests::light::SLOTS);
    for (n, ssrc) in slots.into_iter().chain([0x00c0_ffee]).enumerate() {
        let refused = stage.refused().await?;
        forge(&cheat, ssrc, None, 200_000 + n as u32 * SAID).await;
        stage.were_refused(SAID, refused).await?;
    }
    let refused = stage.refused().await?;
    forge(&cheat, 0x0bad_cafe, number, 300_000).await;
    stage.were_refused(SAID, refused).await?;
    stage.nothing_of_the_cheat(0).await
}

/// Which SSRC somebody on stage sends on is their affair: listeners hear them under their own number and nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ssrc_somebody_on_stage_sends_on_they_speak_as_themselves() -> anyhow::Result<()> {
    let mut stage = Stage::set().await?;
    let cheat = stage.cheat_on_stage().await?;
    let honest = stage.listener.ear().frames.iter().find_map(|heard| heard.csrc);
    assert!(honest.is_some(), "the server names its speakers");
    let ssrcs = slots_of(&cheat.joined.sdp)
        .into_iter()
        .chain([cheat.ssrc().await?]);
    for (n, ssrc) in (0..).zip(ssrcs) {
        // All of them are heard, so the packets are well formed and arrive.
        let first = n * SAID;
        forge(&cheat, ssrc, honest, first).await;
        stage.cheat_is_heard(first).await?;
        // Until as many packets may be sent at once again.
        stage.talk.goes_on(SAID).await?;
    }
    let heard = stage.listener.ear().frames.clone();
    let numbers = |speaker| {
        let frames = heard.iter().filter(move |heard| heard.frame.speaker == speaker);
        frames.map(|heard| heard.csrc).collect::<BTreeSet<_>>()
    };
    let (honest_as, cheat_as) = (numbers(HONEST), numbers(CHEAT));
    assert_eq!((honest_as.len(), cheat_as.len()), (1, 1), "each has one number");
    assert_ne!(honest_as, cheat_as, "the cheat spoke under another's number");
    Ok(())
}

/// All that somebody may try who has lost the right to speak and not their place: every way back into the session that
/// they have, and then noise on every SSRC they know of. Returns the session they have at the end.
async fn replay_all(stage: &mut Stage, mut cheat: Session, first: u32) -> anyhow::Result<Session> {
    let role = stage.cheat.client.room(&stage.room).await?.my_role;
    let tries: [(&str, Credential); 4] = [
        ("new ICE credentials", Credential::Restart),
        ("the resume token of the time on stage", Credential::Resume),
        ("a fresh access token", Credential::Refresh),
        ("a session beside the old one", Credential::JoinAgain),
    ];
    for (n, (name, credential)) in (1..).zip(tries) {
        let before = cheat.joined.clone();
        match credential {
            Credential::Restart => cheat.restart_ice(&stage.cheat, &stage.room).await?,
            Credential::Resume => {
                cheat = Session::join(&stage.cheat, &stage.room, Some(&before.resume_token)).await?;
            }
            Credential::Refresh => {
                stage.cheat.renew().await?;
                cheat = Session::join(&stage.cheat, &stage.room, Some(&cheat.joined.resume_token)).await?;
            }
            Credential::JoinAgain => cheat = Session::join(&stage.cheat, &stage.room, None).await?,
        }
        let now = stage.cheat.client.room(&stage.room).await?.my_role;
        assert_eq!(now, role, "another role by {name}");
        let mut talk = cheat.talk(CHEAT, n * 1_000_000);
        talk.goes_on(SAID).await?;
        drop(talk);
        flood(&cheat, n * 1_000_000 + 100_000).await;
        for (slot, ssrc) in (0..).zip(slots_of(&cheat.joined.sdp)) {
            forge(&cheat, ssrc, None, n * 1_000_000 + 200_000 + slot * SAID).await;
        }
        stage
            .nothing_of_the_cheat(first)
            .await
            .with_context(|| name.to_owned())?;
    }
    Ok(cheat)
}

/// What a cheat shows to get a right back.
#[derive(Clone, Copy)]
enum Credential {
    Restart,
    Resume,
    Refresh,
    JoinAgain,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_muted_and_goes_on_sending_is_not_heard() -> anyhow::Result<()> {
    let mut stage = Stage::set().await?;
    let cheat = stage.cheat_on_stage().await?;
    let mut talk = cheat.talk(CHEAT, 0);
    stage.cheat_is_heard(0).await?;

    stage.moderate(Moderation::Mute).await?;
    // Said by a packet that the task had sent before the answer came: not the server's fault.
    let first = talk.next() + 1;
    talk.goes_on(SAID).await?;
    flood(&cheat, 100_000).await;
    stage.nothing_of_the_cheat(first).await?;
    drop(talk);
    let cheat = replay_all(&mut stage, cheat, first).await?;
    let _talk = cheat.talk(CHEAT, SPOKEN_AGAIN);

    // The right comes back with unmuting, and the voice with it: it was the right that held it back.
    stage.cheat.client.mute(&stage.room, false).await?;
    stage.cheat_is_heard(SPOKEN_AGAIN).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_moved_back_and_goes_on_sending_is_not_heard() -> anyhow::Result<()> {
    let mut stage = Stage::set().await?;
    let cheat = stage.cheat_on_stage().await?;
    let mut talk = cheat.talk(CHEAT, 0);
    stage.cheat_is_heard(0).await?;

    stage.moderate(Moderation::MoveBack).await?;
    let first = talk.next() + 1;
    talk.goes_on(SAID).await?;
    flood(&cheat, 100_000).await;
    let refused = stage.cheat.client.mute(&stage.room, false).await;
    assert!(refused.is_err(), "unmuting is for those on stage");
    let refused = stage.cheat.client.answer_stage(&stage.room, true).await;
    assert_eq!(
        refused.expect_err("the invitation was used").code(),
        Some("not_invited")
    );
    stage.nothing_of_the_cheat(first).await?;
    drop(talk);
    replay_all(&mut stage, cheat, first).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_keeps_nothing_that_works() -> anyhow::Result<()> {
    let mut stage = Stage::set().await?;
    let mut cheat = stage.cheat_on_stage().await?;
    let mut talk = cheat.talk(CHEAT, 0);
    stage.cheat_is_heard(0).await?;

    stage.moderate(Moderation::Remove).await?;
    let first = talk.next() + 1;
    cheat.reaches(State::Closed).await?;
    let deaf_from = cheat.ear().packets;
    // Old keys, old ICE credentials, old address.
    for _ in 0..SAID {
        cheat.act(|client, wire| client.check(Instant::now(), wire)).await;
    }
    talk.goes_on(SAID).await?;
    flood(&cheat, 100_000).await;
    stage.nothing_of_the_cheat(first).await?;
    assert_eq!(cheat.ear().packets, deaf_from, "the cheat goes on listening");

    // The resume token gives back nothing.
    let resumed = Session::join(&stage.cheat, &stage.room, Some(&cheat.joined.resume_token)).await;
    let refused = resumed.err().expect("the token's place was taken away");
    assert!(format!("{refused:#}").contains("resume_refused"), "{refused:#}");
    // Coming back is allowed, to the audience.
    let back = Session::join(&stage.cheat, &stage.room, None).await?;
    assert_eq!(
        (back.joined.room.my_role, back.joined.resumed),
        (Some(Role::Listener), false)
    );
    flood(&back, 200_000).await;
    stage.nothing_of_the_cheat(first).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_banned_stays_out_whatever_they_show() -> anyhow::Result<()> {
    let mut stage = Stage::set().await?;
    let mut cheat = stage.cheat_on_stage().await?;
    let mut talk = cheat.talk(CHEAT, 0);
    stage.cheat_is_heard(0).await?;

    stage.moderate(Moderation::Ban).await?;
    let first = talk.next() + 1;
    cheat.reaches(State::Closed).await?;
    let deaf_from = cheat.ear().packets;
    for token in [None, Some(cheat.joined.resume_token.as_str())] {
        let refused = Session::join(&stage.cheat, &stage.room, token)
            .await
            .err()
            .expect("banned");
        let text = format!("{refused:#}");
        assert!(
            text.contains("room_banned") || text.contains("resume_refused"),
            "{text}"
        );
    }
    let restarted = cheat.restart_ice(&stage.cheat, &stage.room).await;
    let refused = restarted.expect_err("the session is gone");
    assert!(
        format!("{refused:#}").contains("session_not_found"),
        "{refused:#}"
    );
    for refused in [
        stage.cheat.client.raise_hand(&stage.room).await,
        stage.cheat.client.answer_stage(&stage.room, true).await,
        stage.cheat.client.mute(&stage.room, false).await,
    ] {
        assert!(refused.is_err(), "a banned person acts in the room");
    }
    // A fresh access token is the same person.
    stage.cheat.renew().await?;
    let refused = Session::join(&stage.cheat, &stage.room, None)
        .await
        .err()
        .expect("banned");
    assert!(format!("{refused:#}").contains("room_banned"), "{refused:#}");
    for _ in 0..SAID {
        cheat.act(|client, wire| client.check(Instant::now(), wire)).await;
    }
    talk.goes_on(SAID).await?;
    flood(&cheat, 100_000).await;
    stage.nothing_of_the_cheat(first).await?;
    assert_eq!(cheat.ear().packets, deaf_from, "the banned go on listening");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_is_used_twice_signs_its_device_out() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let mut cheat = stage.cheat.clone();
    let mut copy = stage.cheat.clone();
    cheat.renew().await?;
    let code = |error: anyhow::Error| {
        error
            .downcast_ref::<mitalk::client::Error>()
            .and_then(|e| e.code().map(str::to_owned))
    };
    // The old token is taken once more, since the answer that brought the new one could have been lost; but only one of
    // the two goes on from there, whoever it is.
    copy.renew().await?;
    let reused = cheat.renew().await.err().and_then(code);
    assert_eq!(reused.as_deref(), Some("refresh_reused"));
    let family = copy.renew().await.err().and_then(code);
    assert!(
        matches!(family.as_deref(), Some("refresh_invalid" | "refresh_reused")),
        "{family:?}"
    );
    // The access token of the device that is signed out opens no room, although its time is not over.
    let refused = Session::join(&cheat, &stage.room, None)
        .await
        .err()
        .expect("signed out");
    assert!(format!("{refused:#}").contains("401"), "{refused:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resume_token_works_once() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let first = Session::join(&stage.cheat, &stage.room, None).await?;
    let again = Session::join(&stage.cheat, &stage.room, Some(&first.joined.resume_token)).await?;
    assert!(again.joined.resumed, "back in the same place");
    let replayed = Session::join(&stage.cheat, &stage.room, Some(&first.joined.resume_token)).await;
    let refused = replayed.err().expect("used before");
    assert!(format!("{refused:#}").contains("resume_refused"), "{refused:#}");
    // Another's token is no good either.
    let stolen = Session::join(&stage.cheat, &stage.room, Some(&stage.honest.joined.resume_token)).await;
    let refused = stolen.err().expect("somebody else's");
    assert!(format!("{refused:#}").contains("resume_"), "{refused:#}");
    Ok(())
}

/// SSRCs of the slots in an answer, in their order.
fn slots_of(answer: &str) -> Vec<u32> {
    let sections = answer.split("\r\nm=").skip(2);
    let ssrc = |section: &str| {
        section
            .lines()
            .find_map(|l| l.strip_prefix("a=ssrc:")?.split(' ').next()?.parse().ok())
    };
    sections.filter_map(ssrc).collect()
}
