//! What a client must not get as far as str0m with: SSRCs that are not its own, too many of them, too much of anything.

use super::cheats::world;
use super::*;
use crate::light::{FRAME_SAMPLES, MICROPHONE, PAYLOAD_TYPE};
use crate::rtp::MID_ID;
use rand::RngCore;
use world::{Peer, VOICE};

/// A packet that says which m-line it belongs to. Returns it with its header's length.
fn packet(ssrc: u32, sequence: u16) -> (Vec<u8>, usize) {
    let mut packet = vec![0x90, PAYLOAD_TYPE];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * FRAME_SAMPLES).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, MID_ID << 4, MICROPHONE, 0, 0]);
    let header = packet.len();
    packet.extend(VOICE);
    (packet, header)
}

fn send(world: &mut World, peer: usize, ssrc: u32, index: u64) {
    let (packet, header) = packet(ssrc, index as u16);
    let Peer { client, wire, .. } = &mut world.peers[peer];
    client.send_bytes(&packet, header, index, wire);
}

fn dropped(world: &World, why: Dropped) -> u64 {
    world.shard.counts.dropped[why as usize]
}

/// str0m asks a new SSRC for its MID before it asks for its tag: whoever sends from somebody's address could have moved
/// their microphone to another SSRC.
#[test]
fn a_forged_packet_moves_no_microphone() {
    let (mut world, _, listener) = world(40, Rights::Listen);
    let victim = world.join(SPEAK(9), 3);
    world.run(MS(500));
    world.speak(victim, Some(20));
    world.run(MS(500));
    assert_eq!(world.speakers_heard(listener), [7, 9]);
    let (before, from) = (dropped(&world, Dropped::Forged), world.address(victim));
    for ssrc in 0..50 {
        let (mut forged, _) = packet(ssrc, 1);
        let mut tag = [0; 16];
        world.rng.fill_bytes(&mut tag);
        forged.extend(tag);
        world.inject(from, &forged);
        world.run(MS(20));
    }
    assert_eq!(world.speakers_heard(listener), [7, 9]);
    assert_eq!(dropped(&world, Dropped::Forged), before + 50);
    world.assert_clean();
}

#[test]
fn a_client_cannot_fill_memory_with_ssrcs() {
    let (mut world, _, _) = world(41, Rights::Listen);
    let cheat = world.join(Rights::Listen, 3);
    world.run(MS(500));
    for ssrc in 1000..2000 {
        send(&mut world, cheat, ssrc, 1);
        send(&mut world, cheat, ssrc, 2);
        world.run(MS(10));
    }
    let session = world.key(cheat);
    let stats = world.shard.stats(world.now);
    let cheat = stats.sessions.iter().find(|s| s.session == session).unwrap();
    assert_eq!(cheat.packets_in, 2 * 8, "two packets on each of the first SSRCs");
    assert_eq!(dropped(&world, Dropped::TooManySources), 2 * (1000 - 8));
}

#[test]
fn a_flood_is_dropped_before_it_is_decrypted() {
    let (mut world, cheat, _) = world(42, Rights::Listen);
    let ssrc = world.peers[cheat].client.ssrc();
    for index in 1..=10_000 {
        send(&mut world, cheat, ssrc, index);
        if index % 50 == 0 {
            world.run(MS(5));
        }
    }
    let session = world.key(cheat);
    let stats = world.shard.stats(world.now);
    let packets_in = stats
        .sessions
        .iter()
        .find(|s| s.session == session)
        .unwrap()
        .packets_in;
    println!("{packets_in} of 10,000 packets in a second were decrypted");
    assert!((300..=601).contains(&packets_in), "{packets_in}");
    assert!(dropped(&world, Dropped::TooFast) >= 10_000 - 601);
    world.assert_clean();
}

/// Budgets are a weapon, too, if somebody else can spend them.
#[test]
fn nobody_spends_a_speakers_budget_without_its_ssrc() {
    let (mut world, cheat, listener) = world(43, Rights::Listen);
    let (speaker, heard) = (0, world.voice_packets(listener));
    let from = world.address(speaker);
    for at in 0..200 {
        for n in 0..50 {
            let (forged, _) = packet(at * 50 + n, 1);
            world.inject(from, &forged);
            world.inject(from, &[22, 254, 253, 0, 0]);
            world.inject(from, &[0x80, 201, 0, 1, 0, 0, 0, 0]);
        }
        world.run(MS(5));
    }
    assert!(dropped(&world, Dropped::TooFast) > 29_000);
    assert!(world.voice_packets(listener) >= heard + 49);
    assert_eq!(world.speakers_heard(cheat), [7]);
    world.assert_clean();
}

#[test]
fn checks_are_bounded_once_they_are_authentic() {
    let (mut world, cheat, _) = world(44, Rights::Listen);
    let before = dropped(&world, Dropped::TooFast);
    world.network.sent_to(cheat);
    for _ in 0..1000 {
        let Peer { client, wire, .. } = &mut world.peers[cheat];
        client.check(world.now, wire);
        world.run(MS(1));
    }
    let answers = world
        .network
        .sent_to(cheat)
        .iter()
        .filter(|d| d[..2] == [1, 1])
        .count();
    println!("{answers} of 1,000 checks in a second were answered");
    assert!((100..=210).contains(&answers), "{answers}");
    assert!(dropped(&world, Dropped::TooFast) - before >= 790);
    world.assert_clean();
}

/// Each of these lines made str0m keep a stream for ever, and each restart brought new ones: an hour of them, from one
/// account, and the thread did nothing else any more.
#[test]
fn a_thousand_hostile_offers_make_no_stream() {
    let (mut world, cheat, listener) = world(45, Rights::Listen);
    let rids = ["a", "b", "c"];
    let hostile = |offer: String, round: u32| {
        let sources: String = (0..200)
            .map(|n| format!("a=ssrc:{} cname:a\r\n", named(round, n)))
            .collect();
        let layers = "a=rid:a recv\r\na=rid:b recv\r\na=rid:c recv\r\na=simulcast:recv a;b;c\r\n";
        offer.replace("a=recvonly\r\n", &format!("a=recvonly\r\n{sources}{layers}"))
    };
    fn named(round: u32, n: u32) -> u32 {
        1_000_000 + round * 200 + n
    }
    let streams = |world: &mut World, peer: usize| {
        let member = world.shard.by_key[&world.key(peer)];
        let session = world.shard.sessions[member.0 as usize].as_mut().unwrap();
        let own = world.peers[peer].client.ssrc();
        let all = (0..=1000).flat_map(|round| (0..200).map(move |n| named(round, n)));
        session.streams(all.chain([own]), &rids)
    };
    let before = streams(&mut world, cheat);
    assert_eq!(before, 1 + 3, "the microphone and three slots");
    for round in 0..1000 {
        world.restart_with(cheat, |offer| hostile(offer, round)).unwrap();
        if round % 50 == 0 {
            world.run(MS(20));
        }
    }
    assert_eq!(streams(&mut world, cheat), before);
    let joined = world.join_with(Rights::Listen, 3, |offer| hostile(offer, 1000));
    world.run(MS(500));
    assert_eq!(streams(&mut world, joined), before);
    let own = world.peers[cheat].client.ssrc();
    let more = world.fresh_offer(cheat).replace(
        &format!("a=ssrc:{own} cname:light"),
        &(0..900)
            .map(|n| format!("a=ssrc:{n} cname:a\r\n"))
            .collect::<String>(),
    );
    assert!(matches!(crate::offer::check(&more), Err(Error::BadOffer(_))));
    assert_eq!(world.speakers_heard(listener), [7]);
    world.assert_clean();
}
