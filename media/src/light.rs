//! A light client: what a browser does to join a room, in 26 KB and a few microseconds per packet.
//!
//! For load tests (hundreds of listeners on one thread, each one's audio checked) and for cheats: it sends on any
//! SSRC, with any level, and goes on with old credentials after it was told to go. Sans-I/O like the engine:
//! datagrams and the time go in, datagrams come out through a [`Wire`].
//!
//! ```text
//! Client::new -> offer() -> (the server answers) -> accept(answer) -> tick(), handle(datagram) ... -> close()
//! ```
//!
//! Lacks on purpose: RTCP, gathering, a jitter buffer, a replay window, DTLS in the server's role. It trusts the answer.

mod crowd;
mod heard;
mod ice;
mod sdp;

pub use crate::rtp::Header;
pub use crate::srtp::{Context, MAX_TAG_BYTES, Profile, contexts};
pub use crate::wire::{MAX_DATAGRAM_BYTES, Wire};
pub use crowd::{Crowd, Person, SocketWire};
pub use heard::Heard;
pub use sdp::candidates;

use ice::Ice;
use sdp::Answer;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Payload type of Opus in our offers.
pub const PAYLOAD_TYPE: u8 = 111;
/// Samples of a 20 ms packet.
pub const FRAME_SAMPLES: u32 = crate::opus::FRAME;
/// Extension id of RFC 6464 levels in our offers.
pub const LEVEL_ID: u8 = 1;
/// What our offers call the microphone; its packets say so, as a browser's do.
pub const MICROPHONE: u8 = b'0';
const DTLS_BUFFER_BYTES: usize = 2048;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The answer is not one of this engine's.
    #[error("the answer lacks {0}")]
    BadAnswer(&'static str),
    /// No certificate or no cryptography.
    #[error("DTLS: {0}")]
    Dtls(String),
}

/// What all clients of a process share: making it costs milliseconds, so make it once.
#[derive(Debug)]
pub struct Identity {
    config: Arc<dimpl::Config>,
    certificate: dimpl::DtlsCertificate,
    fingerprint: String,
}

impl Identity {
    /// Makes a certificate.
    ///
    /// # Errors
    /// [`Error::Dtls`].
    pub fn new() -> Result<Arc<Self>, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::Dtls(e.to_string());
        let config = dimpl::Config::builder()
            .use_server_cookie(false)
            .build()
            .map_err(|e| failed(&e))?;
        let certificate = dimpl::certificate::generate_self_signed_certificate().map_err(|e| failed(&e))?;
        let fingerprint = sdp::fingerprint(&certificate.certificate);
        Ok(Arc::new(Self {
            config: Arc::new(config),
            certificate,
            fingerprint,
        }))
    }
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Before [`Client::accept`].
    New,
    /// ICE or DTLS is under way.
    Connecting,
    /// Audio can flow.
    Up,
    /// The server said goodbye, or we did.
    Closed,
}

/// A packet that was heard. The payload is decrypted where the datagram was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which slot, from 0.
    pub slot: usize,
    /// What its header says.
    pub header: Header,
    /// Where in the datagram its payload is.
    pub payload: Range<usize>,
}

/// One client.
pub struct Client {
    identity: Arc<Identity>,
    ice: Ice,
    dtls: Box<dimpl::Dtls>,
    dtls_due: Option<Instant>,
    /// SHA-256 of the certificate that the answer promised.
    promised: String,
    state: State,
    up_at: Option<Instant>,
    sealing: Option<Context>,
    opening: Option<Context>,
    /// For tests that seal what a light client never sends.
    #[cfg(test)]
    pub(crate) material: Vec<u8>,
    heard: Vec<Heard>,
    strays: u64,
    microphone: Microphone,
}

/// The send m-line.
#[derive(Clone, Copy, Debug)]
struct Microphone {
    ssrc: u32,
    index: u64,
    timestamp: u32,
}

impl Client {
    /// A client with this many slots, 1 to 4.
    pub fn new(identity: &Arc<Identity>, slots: usize, rng: &mut impl rand::Rng, now: Instant) -> Self {
        let mut dtls = Box::new(dimpl::Dtls::new_12(
            identity.config.clone(),
            identity.certificate.clone(),
            now,
        ));
        dtls.set_active(true);
        Self {
            identity: identity.clone(),
            ice: Ice::new(rng),
            dtls,
            dtls_due: None,
            promised: String::new(),
            state: State::New,
            up_at: None,
            sealing: None,
            opening: None,
            #[cfg(test)]
            material: Vec::new(),
            heard: vec![Heard::default(); slots],
            strays: 0,
            microphone: Microphone {
                ssrc: rng.random(),
                index: 1,
                timestamp: rng.random(),
            },
        }
    }

    /// The SDP to join with, or, after [`Client::restart`], to restart ICE with.
    pub fn offer(&self) -> String {
        sdp::offer(
            self.heard.len(),
            self.ice.local(),
            &self.identity.fingerprint,
            self.microphone.ssrc,
        )
    }

    /// Takes the answer; the next [`Client::tick`] sends the first check.
    ///
    /// # Errors
    /// [`Error::BadAnswer`].
    pub fn accept(&mut self, answer: &str, now: Instant) -> Result<(), Error> {
        let answer = Answer::parse(answer)?;
        if answer.slots.len() != self.heard.len() {
            return Err(Error::BadAnswer("a slot's a=ssrc"));
        }
        for (heard, ssrc) in self.heard.iter_mut().zip(&answer.slots) {
            heard.ssrc = *ssrc;
        }
        self.ice
            .accept(answer.ufrag, &answer.password, answer.candidates, now);
        self.promised = answer.fingerprint;
        if self.state == State::New {
            self.state = State::Connecting;
        }
        Ok(())
    }

    /// New ICE credentials. Send [`Client::offer`] and give the answer to [`Client::accept`]; audio goes on meanwhile.
    pub fn restart(&mut self, rng: &mut impl rand::Rng) {
        self.ice.restart(rng);
    }

    /// Takes in a datagram. Returns the audio in it, if it is some.
    pub fn handle(
        &mut self,
        from: SocketAddr,
        datagram: &mut [u8],
        now: Instant,
        wire: &mut impl Wire,
    ) -> Option<Received> {
        match *datagram.first()? {
            0..=3 => self.handle_stun(from, datagram, now, wire),
            20..=63 => {
                // What is malformed is not for us.
                let _ = self.dtls.handle_packet(datagram);
                self.poll_dtls(now, wire);
            }
            128..=191 => return self.handle_rtp(datagram, now),
            _ => {}
        }
        None
    }

    fn handle_stun(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, wire: &mut impl Wire) {
        let before = self.ice.remote();
        self.ice.handle(from, datagram, now, wire);
        if before.is_none() && self.ice.remote().is_some() {
            self.dtls_due = Some(now);
            self.poll_dtls(now, wire);
        }
    }

    fn handle_rtp(&mut self, datagram: &mut [u8], now: Instant) -> Option<Received> {
        let (header, at) = Header::parse(datagram, LEVEL_ID)?;
        let Some(slot) = self.heard.iter().position(|heard| heard.ssrc == header.ssrc) else {
            self.strays += 1;
            return None;
        };
        let heard = &mut self.heard[slot];
        let index = heard.index_of(header.sequence);
        let end = self.opening.as_ref()?.open(datagram, at, index)?;
        heard.note(&header, index, &datagram[at..end], now);
        Some(Received {
            slot,
            header,
            payload: at..end,
        })
    }

    /// Sends what is due: checks, DTLS.
    pub fn tick(&mut self, now: Instant, wire: &mut impl Wire) {
        self.ice.tick(now, wire);
        if self.dtls_due.is_some_and(|due| due <= now) {
            self.poll_dtls(now, wire);
        }
    }

    /// When to call [`Client::tick`] next.
    pub fn due(&self) -> Option<Instant> {
        self.dtls_due.into_iter().chain(self.ice.due()).min()
    }

    fn poll_dtls(&mut self, now: Instant, wire: &mut impl Wire) {
        let Some(remote) = self.ice.remote() else { return };
        // A handshake that fails shows as one that never ends.
        let _ = self.dtls.handle_timeout(now);
        let mut buffer = [0; DTLS_BUFFER_BYTES];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                dimpl::Output::Packet(packet) => wire.send_copy(packet, remote),
                dimpl::Output::PeerCert(certificate) if sdp::fingerprint(certificate) != self.promised => {
                    self.state = State::Closed;
                    return;
                }
                dimpl::Output::KeyingMaterial(material, profile) => {
                    #[cfg(test)]
                    material.clone_into(&mut self.material);
                    let agreed = Profile::agreed(profile).and_then(|profile| contexts(profile, &material));
                    (self.sealing, self.opening) = agreed.unzip();
                }
                dimpl::Output::Connected => {
                    (self.state, self.up_at) = (State::Up, Some(now));
                }
                dimpl::Output::CloseNotify => self.state = State::Closed,
                dimpl::Output::Timeout(due) => {
                    self.dtls_due = Some(due).filter(|due| *due < now + IDLE);
                    return;
                }
                _ => {}
            }
        }
    }

    /// Sends 20 ms of audio. Levels are RFC 6464: 0 is the loudest, 127 silence.
    pub fn speak(&mut self, level: u8, payload: &[u8], wire: &mut impl Wire) {
        let Microphone {
            ssrc,
            index,
            timestamp,
        } = self.microphone;
        let header = Header {
            payload_type: PAYLOAD_TYPE,
            sequence: index as u16,
            timestamp,
            ssrc,
            level: Some(level),
            mid: Some(MICROPHONE),
            ..Header::default()
        };
        self.send(&header, index, payload, wire);
        self.microphone.index += 1;
        self.microphone.timestamp = timestamp.wrapping_add(FRAME_SAMPLES);
    }

    /// Nothing is said for a while: the clock goes on, the sequence does not.
    pub fn pause(&mut self, time: Duration) {
        let samples = time.as_millis() as u32 * (crate::opus::CLOCK_HZ / 1000);
        self.microphone.timestamp = self.microphone.timestamp.wrapping_add(samples);
    }

    /// Sends any packet whatever, as a cheat would. `index` is its place in its SSRC's sequence. Nothing is sent before
    /// the handshake is done, or if `payload` fits no datagram.
    pub fn send(&mut self, header: &Header, index: u64, payload: &[u8], wire: &mut impl Wire) {
        let mut packet = [0; MAX_DATAGRAM_BYTES];
        let at = header.write(LEVEL_ID, &mut packet);
        if let Some(rest) = packet.get_mut(at..at + payload.len()) {
            rest.copy_from_slice(payload);
            self.send_bytes(&packet[..at + payload.len()], at, index, wire);
        }
    }

    /// Seals bytes and sends them, whatever they are; the first `at` of them stay in the clear, as a header does. `index`
    /// must agree with what is in the place of the sequence. Nothing is sent in the cases of [`Client::send`].
    ///
    /// # Panics
    /// If `at` is less than 12, or more than there are bytes.
    pub fn send_bytes(&mut self, packet: &[u8], at: usize, index: u64, wire: &mut impl Wire) {
        let (Some(context), Some(remote)) = (&self.sealing, self.ice.remote()) else {
            return;
        };
        let out = wire.buffer();
        if packet.len() + MAX_TAG_BYTES > out.len() {
            return;
        }
        out[..packet.len()].copy_from_slice(packet);
        let sealed = context.seal(out, at, packet.len(), index);
        wire.send(sealed, remote);
    }

    /// Sends a check with the newest credentials at once, whatever the state: what a client does that was told to go.
    pub fn check(&mut self, now: Instant, wire: &mut impl Wire) {
        self.ice.check(now, wire);
    }

    /// Says goodbye by DTLS. Keys and credentials are kept, for cheats.
    pub fn close(&mut self, now: Instant, wire: &mut impl Wire) {
        let _ = self.dtls.close();
        self.poll_dtls(now, wire);
        self.state = State::Closed;
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// When the handshake was done.
    pub fn up_at(&self) -> Option<Instant> {
        self.up_at
    }

    /// What was heard in each slot.
    pub fn slots(&self) -> &[Heard] {
        &self.heard
    }

    /// RTP packets on SSRCs that the answer did not name: there should be none.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// SSRC of the microphone.
    pub fn ssrc(&self) -> u32 {
        self.microphone.ssrc
    }
}

/// dimpl's idle timers are days away: not worth a look.
const IDLE: Duration = Duration::from_secs(3600);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("state", &self.state)
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}
