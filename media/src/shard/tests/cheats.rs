//! Modified clients that ignore every signal: nobody may hear them.

use super::*;
use crate::light::{FRAME_SAMPLES, Header, MICROPHONE, PAYLOAD_TYPE};
use world::VOICE;

/// A world where an honest person speaks and is heard, with somebody who cheats.
pub(super) fn world(seed: u64, cheat: Rights) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let honest = world.join(SPEAK(7), 3);
    let cheat = world.join(cheat, 3);
    let listener = world.join(Rights::Listen, 3);
    world.run(MS(500));
    world.speak(honest, Some(30));
    world.run(MS(500));
    world.events();
    (world, cheat, listener)
}

/// Sends one packet on any SSRC.
fn send(world: &mut World, peer: usize, ssrc: u32, index: u64) {
    let header = Header {
        payload_type: PAYLOAD_TYPE,
        sequence: index as u16,
        timestamp: index as u32 * FRAME_SAMPLES,
        ssrc,
        csrc: Some(7),
        level: Some(0),
        mid: Some(MICROPHONE),
        ..Header::default()
    };
    let world::Peer { client, wire, .. } = &mut world.peers[peer];
    client.send(&header, index, VOICE, wire);
}

#[test]
fn a_listener_that_floods_level_zero_on_every_ssrc_is_not_heard() {
    for rights in [Rights::Listen, Rights::Muted(StageNumber(8))] {
        let (mut world, cheat, listener) = world(20, rights);
        let own = world.peers[cheat].client.ssrc();
        let slots: Vec<u32> = world.peers[cheat]
            .client
            .slots()
            .iter()
            .map(|slot| slot.ssrc)
            .collect();
        let others: Vec<u32> = world.peers[listener]
            .client
            .slots()
            .iter()
            .map(|slot| slot.ssrc)
            .collect();
        let before = world.voice_packets(listener);
        let refused = world.shard.counts.refused_rights;
        for index in 1..200 {
            for ssrc in [own, 1, u32::MAX].iter().chain(&slots).chain(&others) {
                send(&mut world, cheat, *ssrc, index);
            }
            world.run(MS(5));
        }
        assert_eq!(world.speakers_heard(listener), [7]);
        let heard = world.voice_packets(listener) - before;
        assert!(
            (48..=51).contains(&heard),
            "only the honest one's 50 packets, not {heard}"
        );
        // By its right, on every SSRC that it was let in with, and not for want of a stream.
        let refused = world.shard.counts.refused_rights - refused;
        assert!(refused > 8 * 40, "{refused}");
        world.assert_clean();
    }
}

#[test]
fn a_speaker_that_floods_drowns_nobody() {
    let (mut world, cheat, listener) = world(21, SPEAK(8));
    let own = world.peers[cheat].client.ssrc();
    let before = world.voice_packets(listener);
    for index in 1..2000 {
        send(&mut world, cheat, own, index);
        if index % 4 == 0 {
            world.run(MS(5));
        }
    }
    assert_eq!(
        world.speakers_heard(listener),
        [7, 8],
        "it may speak, and so may the other"
    );
    let heard = world.voice_packets(listener) - before;
    println!("{heard} packets heard in 2.5 s, of 2,000 sent by the flooder and 125 by the other");
    assert!(heard < 125 + 60 + 300 + 10, "{heard}");
    world.assert_clean();
}

#[test]
fn after_leave_nothing_old_gets_in_and_nothing_comes_out() {
    let (mut world, cheat, listener) = world(22, SPEAK(8));
    world.speak(cheat, Some(0));
    world.run(MS(1000));
    assert_eq!(world.speakers_heard(listener), [7, 8]);
    world.leave(cheat);
    let session = world.key(cheat);
    world.run(MS(5));
    assert_eq!(world.peers[cheat].client.state(), State::Closed, "it was told");
    assert_eq!(
        world.events(),
        [SessionEvent::Gone {
            session,
            why: Gone::Removed
        }]
    );
    world.network.sent_to(cheat);

    let (before, dropped) = (
        world.voice_packets(listener),
        world.shard.counts.dropped[Dropped::Unknown as usize],
    );
    let replay = world.peers[cheat].said.clone();
    let from = world.address(cheat);
    let elsewhere = world.fresh_address();
    for at in 0..100 {
        let world::Peer { client, wire, .. } = &mut world.peers[cheat];
        client.check(world.now, wire);
        for datagram in &replay[at * replay.len() / 100..(at + 1) * replay.len() / 100] {
            world.inject(from, datagram);
            world.inject(elsewhere, datagram);
        }
        world.run(MS(10));
    }
    assert_eq!(
        world.network.sent_to(cheat),
        Vec::<Vec<u8>>::new(),
        "not one datagram to it"
    );
    assert_eq!(world.speakers_heard(listener), [7]);
    assert!((49..=51).contains(&(world.voice_packets(listener) - before)));
    assert!(world.shard.counts.dropped[Dropped::Unknown as usize] >= dropped + 200 + 50);
    assert_eq!(world.events(), []);
}

#[test]
fn after_a_restart_the_old_credentials_lead_nowhere() {
    let (mut world, cheat, _) = world(23, Rights::Listen);
    let old = world.peers[cheat]
        .said
        .iter()
        .find(|datagram| datagram[0] == 0)
        .unwrap()
        .clone();
    world.restart(cheat).unwrap();
    world.run(MS(500));
    world.network.sent_to(cheat);
    let dropped = world.shard.counts.dropped[Dropped::Unknown as usize];
    let elsewhere = world.fresh_address();
    world.inject(elsewhere, &old);
    assert_eq!(world.shard.counts.dropped[Dropped::Unknown as usize], dropped + 1);
    assert!(
        !world.network.wire.sent.iter().any(|(to, _)| *to == elsewhere),
        "and it gets no answer"
    );
}

#[test]
fn a_certificate_that_is_not_the_offers_ends_the_session() {
    let (mut world, _, _) = world(28, Rights::Listen);
    let thief = world.join_with(SPEAK(9), 3, |offer| {
        let at = offer.find("sha-256 ").unwrap() + "sha-256 ".len();
        offer.replace(&offer[at..at + 8], "00:00:00")
    });
    world.run(MS(1000));
    let session = world.key(thief);
    assert_eq!(
        world.events(),
        [SessionEvent::Gone {
            session,
            why: Gone::Failed
        }]
    );
}
