//! The simulated network: no delay, no loss unless a cable is cut, time in steps of 5 ms.

use super::super::*;
use super::MS;
use crate::dtls::Factory;
use crate::light::{Client, Heard, Identity, MAX_DATAGRAM_BYTES, State};
use crate::rights;
use crate::{Rights, SessionEvent, offer};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;

pub(super) const GRACE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(5);
const PACKET: Duration = Duration::from_millis(20);
pub(super) const SERVER: &str = "192.0.2.254:7400";
/// 20 ms of hybrid Opus, as far as the first byte tells.
pub(super) const VOICE: &[u8] = &[
    0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
];

/// Keeps what is sent.
pub(super) struct Capture {
    buffer: [u8; MAX_DATAGRAM_BYTES],
    pub(super) sent: Vec<(SocketAddr, Vec<u8>)>,
    /// RTP to this address panics: a fault in the middle of a room's audio.
    pub(super) trap: Option<SocketAddr>,
}

impl Capture {
    fn new() -> Self {
        Self {
            buffer: [0; MAX_DATAGRAM_BYTES],
            sent: Vec::new(),
            trap: None,
        }
    }
}

impl Wire for Capture {
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        &mut self.buffer
    }

    fn send(&mut self, len: usize, to: SocketAddr) {
        assert!(self.trap != Some(to) || self.buffer[0] >> 6 != 2, "a trap");
        self.sent.push((to, self.buffer[..len].to_vec()));
    }
}

pub(super) struct Network {
    pub(super) wire: Capture,
    /// What the server sent, per client, since it was last asked for.
    received: Vec<Vec<Vec<u8>>>,
}

impl Network {
    pub(super) fn sent_to(&mut self, peer: usize) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.received[peer])
    }
}

pub(super) struct Peer {
    pub(super) client: Client,
    pub(super) wire: Capture,
    pub(super) rights: Arc<rights::Cell>,
    pub(super) address: SocketAddr,
    /// To the join.
    pub(super) answer: String,
    /// All that the client ever sent, for replays.
    pub(super) said: Vec<Vec<u8>>,
    cut: bool,
    level: Option<u8>,
    next_packet: Instant,
}

pub(super) struct World {
    pub(super) shard: Shard,
    pub(super) peers: Vec<Peer>,
    pub(super) network: Network,
    pub(super) now: Instant,
    pub(super) rng: StdRng,
    /// Where people join.
    pub(super) room: RoomKey,
    identity: Arc<Identity>,
    events: Vec<SessionEvent>,
    addresses: u32,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let factory = Factory::shared().unwrap();
        let server: SocketAddr = SERVER.parse().unwrap();
        let setup = Setup {
            factory,
            certificate: factory.certificate().unwrap(),
            local: vec![server],
            candidates: vec![server],
        };
        Self {
            shard: Shard::new(setup),
            peers: Vec::new(),
            network: Network {
                wire: Capture::new(),
                received: Vec::new(),
            },
            now: Instant::now(),
            rng: StdRng::seed_from_u64(seed),
            room: RoomKey(1),
            identity: Identity::new().unwrap(),
            events: Vec::new(),
            addresses: 0,
        }
    }

    pub(super) fn key(&self, peer: usize) -> SessionKey {
        SessionKey(1000 + peer as u64)
    }

    pub(super) fn address(&self, peer: usize) -> SocketAddr {
        self.peers[peer].address
    }

    pub(super) fn fresh_address(&mut self) -> SocketAddr {
        self.addresses += 1;
        let [_, a, b, c] = self.addresses.to_be_bytes();
        SocketAddr::from(([10, a, b, c], 5000))
    }

    pub(super) fn join(&mut self, rights: Rights, slots: usize) -> usize {
        self.join_with(rights, slots, |offer| offer)
    }

    /// Joins with an offer that was tampered with.
    pub(super) fn join_with(
        &mut self,
        rights: Rights,
        slots: usize,
        tamper: impl FnOnce(String) -> String,
    ) -> usize {
        let peer = self.peers.len();
        let mut client = Client::new(&self.identity, slots, &mut self.rng, self.now);
        let rights = Arc::new(rights::Cell::new(rights));
        let key = self.key(peer);
        let purpose = Purpose {
            key,
            room: self.room,
            rights: rights.clone(),
            grace: GRACE,
        };
        let offer = offer::check(&tamper(client.offer())).unwrap();
        let answer = self
            .shard
            .join(purpose, offer, self.now, &mut self.network.wire)
            .unwrap();
        client.accept(&answer.sdp, self.now).unwrap();
        let address = self.fresh_address();
        self.peers.push(Peer {
            client,
            wire: Capture::new(),
            rights,
            address,
            answer: answer.sdp,
            said: Vec::new(),
            cut: false,
            level: None,
            next_packet: self.now,
        });
        self.network.received.push(Vec::new());
        peer
    }

    pub(super) fn restart(&mut self, peer: usize) -> Result<(), Error> {
        self.restart_with(peer, |offer| offer)
    }

    /// Restarts ICE with an offer that was tampered with and is answered all the same.
    pub(super) fn restart_with(
        &mut self,
        peer: usize,
        tamper: impl FnOnce(String) -> String,
    ) -> Result<(), Error> {
        let client = &mut self.peers[peer].client;
        client.restart(&mut self.rng);
        let offer = offer::check_restart(&tamper(client.offer()))?;
        let answer = self.offer_restart(peer, offer)?;
        self.peers[peer].client.accept(&answer.sdp, self.now).unwrap();
        Ok(())
    }

    /// A restart that the client itself does not go along with.
    pub(super) fn offer_restart(&mut self, peer: usize, offer: offer::Offer) -> Result<Answer, Error> {
        let key = self.key(peer);
        self.shard.restart(key, offer, self.now, &mut self.network.wire)
    }

    /// The client's offer with other credentials.
    pub(super) fn fresh_offer(&self, peer: usize) -> String {
        let offer = self.peers[peer].client.offer();
        let renewed = |line: &str| match line.strip_prefix("a=ice-pwd:") {
            Some(_) => "a=ice-pwd:another-password-of-24-characters".to_owned(),
            None => line.to_owned(),
        };
        offer.lines().map(|line| renewed(line) + "\r\n").collect()
    }

    pub(super) fn speak(&mut self, peer: usize, level: Option<u8>) {
        (self.peers[peer].level, self.peers[peer].next_packet) = (level, self.now);
    }

    pub(super) fn set_rights(&mut self, peer: usize, rights: Rights) {
        assert!(self.peers[peer].rights.set(rights));
        self.shard.rights_changed(self.now);
    }

    pub(super) fn leave(&mut self, peer: usize) {
        assert!(self.peers[peer].rights.close());
        self.shard.leave(self.key(peer), self.now, &mut self.network.wire);
    }

    pub(super) fn cut(&mut self, peer: usize, cut: bool) {
        self.peers[peer].cut = cut;
    }

    /// Another network, another address.
    pub(super) fn move_away(&mut self, peer: usize) {
        self.peers[peer].address = self.fresh_address();
    }

    pub(super) fn close(&mut self, peer: usize) {
        let Peer { client, wire, .. } = &mut self.peers[peer];
        client.close(self.now, wire);
    }

    /// A datagram from anywhere.
    pub(super) fn inject(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.shard
            .receive(from, datagram, self.now, &mut self.network.wire);
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP.min(end - self.now);
            self.clients();
            self.shard.tick(self.now, &mut self.network.wire);
            while self.deliver() {}
            self.assert_routes();
        }
        let events = &mut self.events;
        self.shard.notices.flush(|event| {
            events.push(event);
            true
        });
    }

    fn clients(&mut self) {
        for Peer {
            client,
            wire,
            level,
            next_packet,
            ..
        } in &mut self.peers
        {
            if client.due().is_some_and(|due| due <= self.now) {
                client.tick(self.now, wire);
            }
            if let Some(level) = level.filter(|_| *next_packet <= self.now) {
                client.speak(level, VOICE, wire);
                *next_packet += PACKET;
            }
        }
    }

    /// Carries what was sent. False once nothing is on the way.
    fn deliver(&mut self) -> bool {
        let mut moved = false;
        for at in 0..self.peers.len() {
            let peer = &mut self.peers[at];
            for (to, datagram) in std::mem::take(&mut peer.wire.sent) {
                assert_eq!(to, SERVER.parse().unwrap());
                moved = true;
                peer.said.push(datagram.clone());
                if !peer.cut {
                    self.shard
                        .receive(peer.address, &datagram, self.now, &mut self.network.wire);
                }
            }
        }
        for (to, mut datagram) in std::mem::take(&mut self.network.wire.sent) {
            moved = true;
            let Some(at) = self.peers.iter().position(|peer| peer.address == to) else {
                continue;
            };
            self.network.received[at].push(datagram.clone());
            let Peer {
                client, wire, cut, ..
            } = &mut self.peers[at];
            if !*cut {
                client.handle(SERVER.parse().unwrap(), &mut datagram, self.now, wire);
            }
        }
        moved
    }

    /// The next event.
    pub(super) fn event(&mut self) -> Option<SessionEvent> {
        (!self.events.is_empty()).then(|| self.events.remove(0))
    }

    pub(super) fn events(&mut self) -> Vec<SessionEvent> {
        std::mem::take(&mut self.events)
    }

    /// Numbers that a client sees speaking now.
    pub(super) fn speakers_heard(&self, peer: usize) -> Vec<u32> {
        let fresh = |slot: &&Heard| slot.last_at.is_some_and(|at| self.now - at <= MS(100));
        let slots = self.peers[peer].client.slots();
        let mut heard: Vec<u32> = slots
            .iter()
            .filter(fresh)
            .filter_map(|slot| slot.speaker)
            .collect();
        heard.sort_unstable();
        heard
    }

    /// Packets that were no silence.
    pub(super) fn voice_packets(&self, peer: usize) -> u64 {
        self.peers[peer]
            .client
            .slots()
            .iter()
            .map(|slot| slot.packets - slot.silent)
            .sum()
    }

    /// Whatever leads to a session leads to one that lives.
    fn assert_routes(&self) {
        let Shard {
            by_key,
            by_ufrag,
            by_address,
            sessions,
            ..
        } = &self.shard;
        let members = by_key
            .values()
            .chain(by_ufrag.values())
            .chain(by_address.values());
        for member in members {
            assert!(sessions[member.0 as usize].is_some(), "{member:?} is gone");
        }
        assert_eq!(by_key.len(), by_ufrag.len());
    }

    /// Nobody lost a packet, saw a clock break or got what was not theirs.
    pub(super) fn assert_clean(&self) {
        for (at, peer) in self.peers.iter().enumerate() {
            assert_eq!(peer.client.state(), State::Up, "client {at}");
            assert_eq!(peer.client.strays(), 0, "client {at}");
            for slot in peer.client.slots() {
                assert_eq!(
                    (slot.lost, slot.late, slot.breaks),
                    (0, 0, 0),
                    "client {at}: {slot:?}"
                );
            }
        }
        assert_eq!(self.shard.counts.panics, 0);
    }
}
