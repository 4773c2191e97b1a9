//! A whole shard with light clients, on a simulated network in virtual time: joining, hearing, rights, silence, restarts,
//! ends, and everything that a cheat or a fuzzer sends.

mod addresses;
mod cheats;
mod floods;
mod fuzz;
mod insiders;
mod world;

use super::*;
use crate::light::State;
use crate::metrics::Dropped;
use crate::session::{CONNECT_WITHIN, SILENT_AFTER};
use crate::{Rights, SessionEvent, StageNumber};
use world::World;

const SPEAK: fn(u32) -> Rights = |number| Rights::Speak(StageNumber(number));
const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn three_people_hear_each_other_and_not_themselves() {
    let mut world = World::new(1);
    let people: Vec<usize> = (0..3).map(|n| world.join(SPEAK(100 + n), 3)).collect();
    let audience = world.join(Rights::Listen, 3);
    world.run(MS(500));
    for (at, person) in people.iter().enumerate() {
        assert_eq!(
            world.event(),
            Some(SessionEvent::Up {
                session: world.key(*person)
            }),
            "person {at}"
        );
        world.speak(*person, Some(20));
    }
    assert_eq!(
        world.event(),
        Some(SessionEvent::Up {
            session: world.key(audience)
        })
    );
    world.run(MS(2000));
    for (at, person) in people.iter().enumerate() {
        let others: Vec<u32> = (0..3).filter(|n| *n != at as u32).map(|n| 100 + n).collect();
        assert_eq!(world.speakers_heard(*person), others);
    }
    assert_eq!(world.speakers_heard(audience), [100, 101, 102]);
    world.assert_clean();
    let stats = world.shard.stats(world.now);
    assert_eq!((stats.packets_in, stats.sessions.len()), (3 * 101, 4));
    assert_eq!(stats.packets_out, 3 * stats.packets_in);
    assert_eq!(
        stats.sessions.iter().map(|s| s.packets_out).sum::<u64>(),
        stats.packets_out
    );
}

/// AES-GCM breaks at the first repeated nonce, and str0m has the same key: through mutes, silence and restarts every
/// packet on the wire is ours, and no (SSRC, index) comes twice.
#[test]
fn only_the_egress_sends_rtp_and_no_nonce_repeats() {
    let mut world = World::new(12);
    let (speaker, listener) = (world.join(SPEAK(7), 3), world.join(SPEAK(8), 3));
    world.run(MS(500));
    world.speak(speaker, Some(20));
    world.run(MS(1000));
    world.cut(listener, true);
    world.run(SILENT_AFTER + MS(1000));
    world.cut(listener, false);
    world.run(MS(3000));
    world.set_rights(speaker, Rights::Muted(StageNumber(7)));
    world.run(MS(200));
    world.set_rights(speaker, SPEAK(7));
    world.restart(listener).unwrap();
    world.run(MS(10_000));
    let mut nonces = HashSet::new();
    let sent = world.network.sent_to(listener);
    let rtp = sent
        .iter()
        .filter_map(|datagram| crate::light::Header::parse(datagram, 1));
    for (header, _) in rtp {
        assert!(
            nonces.insert((header.ssrc, header.sequence)),
            "{header:?} comes twice"
        );
    }
    let stats = world.shard.stats(world.now);
    let counted = stats
        .sessions
        .iter()
        .find(|s| s.session == world.key(listener))
        .unwrap()
        .packets_out;
    assert_eq!(nonces.len() as u64, counted);
    assert!(counted > 900, "{counted}");
}

#[test]
fn one_to_four_slots_are_served() {
    let mut world = World::new(2);
    let people: Vec<usize> = (0..4).map(|n| world.join(SPEAK(100 + n), 4)).collect();
    let listeners: Vec<usize> = (1..=4).map(|slots| world.join(Rights::Listen, slots)).collect();
    world.run(MS(500));
    people
        .iter()
        .enumerate()
        .for_each(|(at, person)| world.speak(*person, Some(10 + 10 * at as u8)));
    world.run(MS(1000));
    for (slots, listener) in listeners.iter().enumerate() {
        let loudest: Vec<u32> = (0..=slots as u32).map(|n| 100 + n).collect();
        assert_eq!(world.speakers_heard(*listener), loudest);
    }
    world.assert_clean();
}

/// 15 would end the list of elements before it began, and 16 would be padding.
#[test]
fn an_extension_id_beyond_one_byte_elements_is_as_good_as_none() {
    for id in [15, 16] {
        let mut world = World::new(14);
        let speaker = world.join(SPEAK(7), 3);
        let level = |id: u8| format!("a=extmap:{id} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n");
        let mid = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";
        let listener = world.join_with(Rights::Listen, 3, |offer| {
            offer.replace(&level(crate::light::LEVEL_ID), &(level(id) + mid))
        });
        world.run(MS(500));
        world.speak(speaker, Some(20));
        world.run(MS(500));
        let sent = world.network.sent_to(listener);
        let elements: Vec<&[u8]> = sent
            .iter()
            .filter(|d| d[0] >> 6 == 2 && d[1] & 0x7f == crate::light::PAYLOAD_TYPE)
            .map(|d| &d[20..24])
            .collect();
        assert!(elements.len() >= 20);
        assert!(elements.iter().all(|e| e[..3] == [0, 0, 4 << 4]), "{elements:?}");
    }
}

#[test]
fn a_mute_works_from_the_very_next_packet() {
    let mut world = World::new(3);
    let (speaker, listener) = (world.join(SPEAK(7), 3), world.join(Rights::Listen, 3));
    world.run(MS(500));
    world.speak(speaker, Some(20));
    world.run(MS(1000));
    world.set_rights(speaker, Rights::Muted(StageNumber(7)));
    let before = world.voice_packets(listener);
    world.run(MS(1000));
    assert_eq!(
        world.voice_packets(listener),
        before,
        "not one packet after the mute"
    );
    assert_eq!(
        world.peers[listener].client.slots()[0].silent,
        3,
        "and the slot says that it is quiet"
    );
    world.set_rights(speaker, SPEAK(7));
    world.run(MS(1000));
    assert!(world.voice_packets(listener) > before + 45);
    world.assert_clean();
}

#[test]
fn a_lost_client_is_silent_then_back_and_its_audio_goes_on() {
    let mut world = World::new(4);
    let (speaker, listener) = (world.join(SPEAK(7), 3), world.join(Rights::Listen, 3));
    world.run(MS(500));
    world.speak(speaker, Some(20));
    world.run(MS(1000));
    world.events();
    world.cut(listener, true);
    world.run(SILENT_AFTER + MS(3000));
    let session = world.key(listener);
    assert_eq!(world.events(), [SessionEvent::Silent { session }]);
    world.network.sent_to(listener);
    world.run(MS(1000));
    assert!(
        !world.network.sent_to(listener).iter().any(|d| d[0] >> 6 == 2),
        "no audio into the void"
    );
    world.cut(listener, false);
    world.run(MS(3000));
    assert_eq!(world.events(), [SessionEvent::Back { session }]);
    let before = world.voice_packets(listener);
    world.run(MS(1000));
    assert!(world.voice_packets(listener) >= before + 49);
    assert_eq!(world.peers[listener].client.slots()[0].breaks, 0);
}

#[test]
fn grace_is_counted_from_the_last_authenticated_packet() {
    let mut world = World::new(5);
    let listener = world.join(Rights::Listen, 3);
    world.run(MS(1000));
    let session = world.key(listener);
    world.cut(listener, true);
    world.run(world::GRACE - MS(3000));
    assert_eq!(
        world.events(),
        [SessionEvent::Up { session }, SessionEvent::Silent { session }]
    );
    // Anybody can send this; it prolongs nothing.
    let garbage = vec![0x80; 60];
    for _ in 0..100 {
        world.inject(world.address(listener), &garbage);
    }
    world.run(MS(3100));
    assert_eq!(
        world.events(),
        [SessionEvent::Gone {
            session,
            why: Gone::GraceOver
        }]
    );
    assert_eq!(world.shard.len(), 0);
}

#[test]
fn who_never_connects_is_given_up() {
    let mut world = World::new(6);
    let person = world.join(Rights::Listen, 3);
    world.cut(person, true);
    world.run(CONNECT_WITHIN - MS(100));
    assert_eq!(world.events(), []);
    world.run(MS(200));
    let session = world.key(person);
    assert_eq!(
        world.events(),
        [SessionEvent::Gone {
            session,
            why: Gone::NeverConnected
        }]
    );
}

#[test]
fn a_goodbye_ends_the_session_at_once() {
    let mut world = World::new(7);
    let person = world.join(Rights::Listen, 3);
    world.run(MS(500));
    world.events();
    world.close(person);
    world.run(MS(10));
    let session = world.key(person);
    assert_eq!(
        world.events(),
        [SessionEvent::Gone {
            session,
            why: Gone::ClosedByPeer
        }]
    );
    let other = world.join(Rights::Listen, 3);
    world.run(MS(500));
    assert_eq!(world.peers[other].client.state(), State::Up);
}

#[test]
fn an_ice_restart_from_a_new_address_keeps_keys_and_sequence() {
    let mut world = World::new(8);
    let (speaker, listener) = (world.join(SPEAK(7), 3), world.join(Rights::Listen, 3));
    world.run(MS(500));
    world.speak(speaker, Some(20));
    world.run(MS(1000));
    for person in [listener, speaker, listener] {
        world.move_away(person);
        world.restart(person).unwrap();
        world.run(MS(1000));
    }
    let heard = &world.peers[listener].client.slots()[0];
    assert_eq!((heard.breaks, heard.switches), (0, 0));
    assert!(heard.packets >= 185, "{heard:?}");
    let ssrcs: Vec<u32> = world.peers[listener]
        .client
        .slots()
        .iter()
        .map(|slot| slot.ssrc)
        .collect();
    world.restart(listener).unwrap();
    assert_eq!(
        world.peers[listener]
            .client
            .slots()
            .iter()
            .map(|s| s.ssrc)
            .collect::<Vec<_>>(),
        ssrcs
    );
}

/// Whatever is refused is refused before str0m knows of it: the old credentials go on working, and so does the audio.
#[test]
fn a_restart_must_fit_the_session() {
    let mut world = World::new(9);
    let (speaker, listener) = (world.join(SPEAK(7), 3), world.join(Rights::Listen, 3));
    world.run(MS(500));
    world.speak(speaker, Some(20));
    world.run(MS(500));
    let good = world.fresh_offer(speaker);
    let ssrc = world.peers[speaker].client.ssrc();
    let foreign = {
        let mut other = World::new(10);
        let two = other.join(Rights::Listen, 2);
        other.fresh_offer(two)
    };
    let turned = good
        .replace("a=sendonly", "a=turned")
        .replacen("a=recvonly", "a=sendonly", 1)
        .replacen("a=turned", "a=recvonly", 1);
    for (what, offer) in [
        ("a slot less", foreign),
        (
            "another mid",
            good.replace("a=mid:3", "a=mid:9").replace("1 2 3", "1 2 9"),
        ),
        ("mids in another order", swapped(&good)),
        ("another direction", turned),
        (
            "another SSRC",
            good.replace(&format!("a=ssrc:{ssrc}"), "a=ssrc:4711"),
        ),
    ] {
        let offer = crate::offer::check_restart(&offer).unwrap();
        let refused = world.offer_restart(speaker, offer);
        assert!(matches!(refused, Err(Error::BadOffer(_))), "{what}: {refused:?}");
        world.run(MS(SILENT_AFTER.as_millis() as u64 / 2));
        assert_eq!(world.speakers_heard(listener), [7], "{what}");
    }
    assert_eq!(world.shard.counts.restarts, 0);
    let offer = crate::offer::check_restart(&good).unwrap();
    let unknown = world
        .shard
        .restart(SessionKey(999), offer, world.now, &mut world.network.wire);
    assert_eq!(unknown, Err(Error::NoSuchSession));
    world.assert_clean();
    world.restart(speaker).unwrap();
    world.run(MS(500));
    assert_eq!(world.speakers_heard(listener), [7]);
}

/// The first two slots change places.
fn swapped(offer: &str) -> String {
    offer
        .replace("a=mid:1", "a=mid:x")
        .replace("a=mid:2", "a=mid:1")
        .replace("a=mid:x", "a=mid:2")
}

/// str0m takes the new credentials before it looks at the m-lines: what it refuses then cannot go on.
#[test]
fn a_restart_that_str0m_refuses_ends_the_session() {
    let mut world = World::new(15);
    let person = world.join(Rights::Listen, 3);
    world.run(MS(500));
    world.events();
    let good = world.fresh_offer(person);
    let mut offer = crate::offer::check_restart(&good).unwrap();
    offer.sdp = crate::offer::check_restart(&swapped(&good)).unwrap().sdp;
    let refused = world.offer_restart(person, offer);
    assert!(matches!(refused, Err(Error::BadOffer(_))), "{refused:?}");
    let (session, why) = (world.key(person), Gone::Failed);
    world.run(MS(5));
    assert_eq!(world.events(), [SessionEvent::Gone { session, why }]);
    assert_eq!((world.shard.len(), world.shard.by_ufrag.len()), (0, 0));
}

/// People who joined together are due together, and somebody else's audio must not wait for all of them.
#[test]
fn a_turn_looks_at_a_bounded_number_of_sessions() {
    let mut world = World::new(16);
    let crowd = TICKS_PER_TURN + 40;
    for _ in 0..crowd {
        let person = world.join(Rights::Listen, 1);
        world.cut(person, true);
    }
    world.now += CONNECT_WITHIN;
    world.shard.tick(world.now, &mut world.network.wire);
    assert_eq!(world.shard.len(), crowd - TICKS_PER_TURN);
    assert!(
        world.shard.due().is_some_and(|due| due <= world.now),
        "the rest is due at once"
    );
    world.shard.tick(world.now, &mut world.network.wire);
    assert_eq!(world.shard.len(), 0);
}

#[test]
fn idle_sessions_cost_little() {
    let mut world = World::new(11);
    let person = world.join(Rights::Listen, 3);
    world.run(MS(5000));
    world.network.sent_to(person);
    world.run(MS(60_000));
    let sent = world.network.sent_to(person);
    let checks = sent.iter().filter(|d| d[0] == 0).count();
    println!(
        "{} datagrams a minute to an idle listener, {checks} of them checks",
        sent.len()
    );
    assert!(sent.len() < 120, "{}", sent.len());
}

/// Its feedback is 20 packets per second and speaker, and nothing here would heed it.
#[test]
fn no_feedback_is_negotiated() {
    let mut world = World::new(17);
    let asked = world.join_with(Rights::Listen, 3, |offer| {
        let feedback = "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
                        a=rtcp-fb:111 transport-cc\r\na=rtcp-fb:111 nack\r\na=rtcp-mux\r\n";
        offer.replace("a=rtcp-mux\r\n", feedback)
    });
    let answer = &world.peers[asked].answer;
    assert!(answer.contains("a=rtpmap:111 opus/48000/2"), "{answer}");
    for unwanted in ["transport-cc", "transport-wide-cc", "rtcp-fb", "simulcast"] {
        assert!(!answer.contains(unwanted), "{unwanted} in {answer}");
    }
}

/// Room for room: in the middle of a packet, and when a slot is looked at and falls quiet.
#[test]
fn a_panic_in_a_room_ends_that_room_only() {
    for stops_speaking in [false, true] {
        let mut world = World::new(13);
        let (speaker, listener) = (world.join(SPEAK(7), 3), world.join(Rights::Listen, 3));
        world.room = RoomKey(2);
        let (other, trapped) = (world.join(SPEAK(8), 3), world.join(Rights::Listen, 3));
        world.run(MS(500));
        world.speak(speaker, Some(20));
        world.speak(other, Some(20));
        world.run(MS(500));
        assert_eq!(world.speakers_heard(trapped), [8]);
        world.events();
        if stops_speaking {
            world.speak(other, None);
        }
        world.network.wire.trap = Some(world.address(trapped));
        world.run(MS(500));
        let why = Gone::Failed;
        let [one, two] = [other, trapped].map(|peer| world.key(peer));
        assert_eq!(
            world.events(),
            [
                SessionEvent::Gone { session: one, why },
                SessionEvent::Gone { session: two, why }
            ]
        );
        assert_eq!((world.shard.counts.panics, world.shard.len()), (1, 2));
        let heard = &world.peers[listener].client.slots()[0];
        assert_eq!((heard.lost, heard.late, heard.breaks), (0, 0, 0));
        assert_eq!(world.speakers_heard(listener), [7]);
    }
}
