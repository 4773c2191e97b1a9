//! What somebody with keys can send: malformed before it is sealed, so that it reaches every parser behind SRTP.

use super::fuzz::{mutate, seed};
use super::*;
use crate::light::{FRAME_SAMPLES, Header, LEVEL_ID, PAYLOAD_TYPE};
use crate::srtp::derive;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use world::{Peer, VOICE};

const PACKETS: u64 = 20_000;
const FIXED_BYTES: usize = 12;
/// Sender report, receiver report, ..., extended report (RFC 3550, RFC 4585, RFC 3611).
const SENDER_REPORT: u8 = 200;
const RTCP_TYPES: std::ops::RangeInclusive<u8> = SENDER_REPORT..=207;

/// One direction's SRTCP with AES-256-GCM (RFC 7714, 9).
struct Srtcp {
    key: LessSafeKey,
    salt: [u8; 12],
    index: u32,
}

impl Srtcp {
    /// Of the client's half of the material, or of the server's.
    fn new(material: &[u8], server: usize) -> Self {
        let master = &material[32 * server..][..32];
        let master_salt = &material[64 + 12 * server..][..12];
        let (mut key, mut salt) = ([0; 32], [0; 12]);
        // RFC 3711, 4.3.2: labels 3 and 5.
        derive(master, master_salt, 3, &mut key).unwrap();
        derive(master, master_salt, 5, &mut salt).unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        Self { key, salt, index: 0 }
    }

    fn nonce(&self, ssrc: &[u8], index: u32) -> Nonce {
        let mut iv = [0; 12];
        iv[2..6].copy_from_slice(ssrc);
        iv[8..].copy_from_slice(&index.to_be_bytes());
        iv.iter_mut()
            .zip(self.salt)
            .for_each(|(byte, salt)| *byte ^= salt);
        Nonce::assume_unique_for_key(iv)
    }

    /// `packet` has at least its header and SSRC.
    fn seal(&mut self, packet: &[u8]) -> Vec<u8> {
        self.index += 1;
        let word = (self.index | 1 << 31).to_be_bytes();
        let (head, mut body) = (&packet[..8], packet[8..].to_vec());
        let nonce = self.nonce(&head[4..], self.index);
        let aad = Aad::from([head, &word].concat());
        self.key.seal_in_place_append_tag(nonce, aad, &mut body).unwrap();
        [head, &body, &word].concat()
    }

    fn open(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let (rest, word) = packet.split_last_chunk::<4>()?;
        let (head, body) = rest.split_at_checked(8)?;
        let nonce = self.nonce(&head[4..], u32::from_be_bytes(*word) & !(1 << 31));
        let mut body = body.to_vec();
        let aad = Aad::from([head, word].concat());
        let clear = self.key.open_in_place(nonce, aad, &mut body).ok()?.to_vec();
        Some([head, &clear].concat())
    }
}

fn is_rtcp(datagram: &[u8]) -> bool {
    datagram[0] >> 6 == 2 && RTCP_TYPES.contains(&datagram[1])
}

/// A well-formed packet of any type, mostly noise.
fn rtcp(rng: &mut StdRng, ssrc: u32) -> Vec<u8> {
    let words = rng.random_range(1..16u16);
    let mut packet = vec![0x80 | rng.random_range(0..32u8), rng.random_range(RTCP_TYPES)];
    packet.extend(words.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.resize(4 + 4 * usize::from(words), 0);
    if rng.random_bool(0.7) {
        rng.fill_bytes(&mut packet[8..]);
    }
    packet
}

fn rtp(rng: &mut StdRng, ssrc: u32, index: u64) -> Vec<u8> {
    let mut packet = [0; 64];
    let header = Header {
        payload_type: PAYLOAD_TYPE,
        timestamp: index as u32 * FRAME_SAMPLES,
        ssrc,
        csrc: rng.random_bool(0.3).then(|| rng.random()),
        level: rng.random_bool(0.8).then(|| rng.random_range(0..128)),
        ..Header::default()
    };
    let at = header.write(LEVEL_ID, &mut packet);
    [&packet[..at], VOICE].concat()
}

/// The proof that what this file seals is read: the server's reports repeat what the client's said.
#[test]
fn sealed_reports_are_read() {
    let mut world = World::new(50);
    let speaker = world.join(SPEAK(7), 3);
    world.run(MS(500));
    world.speak(speaker, Some(20));
    let Peer { client, address, .. } = &world.peers[speaker];
    let (from, ssrc, material) = (*address, client.ssrc(), client.material.clone());
    let mut report = vec![0x80, SENDER_REPORT, 0, 6];
    report.extend(ssrc.to_be_bytes());
    // NTP time, some half second of 2026; receivers repeat the middle of it (RFC 3550, 6.4.1).
    report.extend([0xee, 0xbb, 0x12, 0x34, 0x80, 0, 0, 0]);
    report.extend([0; 12]);
    let sealed = Srtcp::new(&material, 0).seal(&report);
    world.run(MS(100));
    world.inject(from, &sealed);
    world.network.sent_to(speaker);
    world.run(MS(20_000));
    let server = Srtcp::new(&material, 1);
    let sent = world.network.sent_to(speaker);
    let mut reports = sent.iter().filter(|d| is_rtcp(d)).filter_map(|d| server.open(d));
    assert!(reports.any(|report| report.windows(4).any(|four| four == [0x12, 0x34, 0x80, 0])));
}

#[test]
fn whatever_is_sealed_panics_nothing_and_hurts_nobody_else() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(seed);
    let people: Vec<usize> = (0..2).map(|n| world.join(SPEAK(100 + n), 3)).collect();
    let listener = world.join(Rights::Listen, 3);
    let insider = world.join(SPEAK(200), 3);
    world.run(MS(500));
    people.iter().for_each(|person| world.speak(*person, Some(20)));
    let Peer { client, address, .. } = &world.peers[insider];
    let (from, ssrc) = (*address, client.ssrc());
    let mut srtcp = Srtcp::new(&client.material, 0);
    for index in 1..=PACKETS {
        let mut packet = rtp(&mut rng, ssrc, index);
        mutate(&mut rng, &mut packet);
        if packet.len() >= FIXED_BYTES {
            packet[2..4].copy_from_slice(&(index as u16).to_be_bytes());
            if rng.random_bool(0.9) {
                // Enough of a packet that it is looked into.
                packet[0] = packet[0] & 0x3f | 0x80;
                packet[1] = packet[1] & 0x80 | PAYLOAD_TYPE;
                packet[8..FIXED_BYTES].copy_from_slice(&ssrc.to_be_bytes());
            }
            let at = Header::parse(&packet, LEVEL_ID).map_or(FIXED_BYTES, |(_, at)| at);
            let Peer { client, wire, .. } = &mut world.peers[insider];
            client.send_bytes(&packet, at, index, wire);
        }
        let mut packet = rtcp(&mut rng, ssrc);
        if rng.random_bool(0.5) {
            mutate(&mut rng, &mut packet);
        }
        if packet.len() >= 8 {
            world.inject(from, &srtcp.seal(&packet));
        }
        world.run(MS(10));
    }
    assert_eq!(world.shard.counts.panics, 0, "seed {seed}");
    let session = world.key(insider);
    let stats = world.shard.stats(world.now);
    let packets_in = stats
        .sessions
        .iter()
        .find(|s| s.session == session)
        .unwrap()
        .packets_in;
    println!(
        "{packets_in} of {PACKETS} malformed packets were decrypted; {:?}",
        world.shard.counts
    );
    assert!(packets_in > PACKETS / 4, "seed {seed}: the insider was shut out");
    let heard = world.speakers_heard(listener);
    assert!(
        heard.contains(&100) && heard.contains(&101),
        "seed {seed}: {heard:?}"
    );
    for slot in world.peers[listener].client.slots() {
        assert_eq!((slot.lost, slot.late, slot.breaks), (0, 0, 0), "seed {seed}");
    }
}
