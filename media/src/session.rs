//! One PeerConnection: ICE, DTLS, SDP, RTCP and the microphone's packets by str0m; liveness and the way to our own
//! egress here.
//!
//! ICE is a full agent, though the server is always reachable: an ICE-lite server costs 50 ms of every join in
//! Chromium, which nominates with its second check only (79 ms against 31-34 ms to `connected`). The price is a check
//! and its answer per listener every five seconds: some 10 of the 40 us that an idle second of a listener costs, where
//! audio costs 250. And it buys return routability: a replayed check moves no audio.
//!
//! Invariants
//! - str0m is never asked to write RTP: the slots' SSRCs belong to [`crate::egress`].
//! - Life is counted from authenticated packets only: decrypted RTP, and STUN made with the newest password that is no
//!   replay from somewhere else ([`paths`]).
//! - The association, its keys, the slots' SSRCs and indices outlive ICE restarts.
//!
//! Lacks: renegotiation of anything but ICE; str0m's sender reports say 0 packets, and nobody minds.

mod gate;
pub(crate) mod paths;
mod sdp;

use crate::dtls::{Factory, Keys};
use crate::egress::{ExtensionIds, Listener, Member, Slot};
use crate::metrics::Dropped;
use crate::offer::{Offer, Shape};
use crate::rights;
use crate::rtp::MID_ID;
use crate::stun::{Class, Message};
use crate::wire::Wire;
use crate::{Error, Gone, Link, RoomKey, SessionKey};
use gate::Gate;
use paths::{Check, Paths};
use sdp::with_candidates;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::config::DtlsCert;
use str0m::media::{MediaAdded, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpPacket};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// A client is lost after this long without an authentic sign of life. RFC 7675 has it check its consent every 4 to 6 s:
/// one check and its answer may get lost. (Its RTCP is authentic, too, but str0m alone can tell, and it tells nobody.)
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(11);
/// ICE and DTLS take 30 ms on a good day; who needs longer than this will not come.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How often we check a path that works. str0m's 3 s find a dead peer sooner; here [`SILENT_AFTER`] does that.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// What we answer with if the client's offer leaves us the choice.
const LEVEL_ID: u8 = 1;
/// One-byte elements have no higher ones (RFC 8285, 4.2): 15 ends the list. str0m knows two-byte ids as well, we do not.
const MAX_EXTENSION_ID: u8 = 14;

/// What all sessions of a shard have in common.
pub(crate) struct Setup {
    pub(crate) factory: &'static Factory,
    pub(crate) certificate: DtlsCert,
    /// One per IP version: the one that str0m knows. It never matters which of our addresses a packet came to.
    pub(crate) local: Vec<SocketAddr>,
    /// All addresses that clients are told.
    pub(crate) candidates: Vec<SocketAddr>,
}

/// What a session was made for.
pub(crate) struct Purpose {
    pub(crate) key: SessionKey,
    pub(crate) room: RoomKey,
    pub(crate) rights: Arc<rights::Cell>,
    pub(crate) grace: Duration,
}

pub(crate) struct Session {
    pub(crate) purpose: Purpose,
    pub(crate) link: Link,
    pub(crate) paths: Paths,
    /// What the shard has under [`Session::paths`]' addresses; it is the shard that keeps this.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Our ICE user name fragment, by which checks find this session.
    pub(crate) ufrag: String,
    /// The listener while nothing is sent to it, so that its indices go on afterwards.
    pub(crate) parked: Option<Listener>,
    /// Decrypted, waiting to be forwarded.
    pub(crate) inbox: Vec<RtpPacket>,
    pub(crate) packets_in: u64,
    rtc: Rtc,
    rtc_due: Instant,
    keys: Keys,
    gate: Gate,
    slots: Vec<Slot>,
    /// Of the join: what a restart may not change.
    shape: Shape,
    payload_type: u8,
    extensions: ExtensionIds,
    joined_at: Instant,
    /// When the last authenticated packet came.
    heard_at: Instant,
    closed_by_peer: bool,
}

impl Session {
    /// Makes the session and its answer.
    ///
    /// # Errors
    /// [`Error::BadOffer`].
    pub(crate) fn new(
        setup: &Setup,
        purpose: Purpose,
        offer: Offer,
        now: Instant,
    ) -> Result<(Self, String), Error> {
        let (mut rtc, keys) = setup.factory.build(rtc_config(setup), now);
        for local in &setup.local {
            let candidate = Candidate::host(*local, "udp").map_err(|e| Error::BadOffer(e.to_string()))?;
            rtc.add_local_candidate(candidate);
        }
        let mut session = Self {
            purpose,
            link: Link::Connecting,
            paths: Paths::new("", &offer.password),
            addresses: Vec::new(),
            ufrag: String::new(),
            parked: None,
            inbox: Vec::new(),
            packets_in: 0,
            rtc,
            rtc_due: now,
            keys,
            gate: Gate::new(now),
            slots: Vec::new(),
            shape: offer.shape.clone(),
            payload_type: 0,
            extensions: ExtensionIds::default(),
            joined_at: now,
            heard_at: now,
            closed_by_peer: false,
        };
        let answer = session.negotiate(setup, offer)?;
        Ok((session, answer))
    }

    /// Answers an ICE restart.
    ///
    /// # Errors
    /// [`Error::BadOffer`]. The session goes on as it was if the offer's m-lines or SSRCs are not the join's. What str0m
    /// refuses after that ends it ([`Gone::Failed`]): str0m has taken the new credentials by then, and we have not.
    pub(crate) fn restart(&mut self, setup: &Setup, offer: Offer) -> Result<String, Error> {
        if !offer.shape.continues(&self.shape) {
            let what = "an ICE restart must offer the same m-lines, in the same order, and SSRCs as the join";
            return Err(Error::BadOffer(what.to_owned()));
        }
        let answered = self.negotiate(setup, offer);
        if answered.is_err() {
            self.abort();
        }
        answered
    }

    fn negotiate(&mut self, setup: &Setup, offer: Offer) -> Result<String, Error> {
        let answer = self.rtc.sdp_api().accept_offer(offer.sdp);
        let answer = answer.map_err(|e| Error::BadOffer(format!("the SDP cannot be answered: {e}")))?;
        let ours = self.rtc.direct_api().local_ice_credentials();
        self.paths.restart(&ours.pass, &offer.password);
        self.ufrag = ours.ufrag;
        Ok(with_candidates(&answer.to_sdp_string(), &setup.candidates))
    }

    /// Takes in a STUN message.
    ///
    /// # Errors
    /// It is not the client's, or from one address too many; it changed nothing. `TooFast` is said of an authentic one that
    /// is not answered any more: what it says of its sender (life, a nomination) counts all the same.
    pub(crate) fn receive_stun(
        &mut self,
        from: SocketAddr,
        message: &Message<'_>,
        bytes: &[u8],
        setup: &Setup,
        now: Instant,
        wire: &mut impl Wire,
    ) -> Result<(), Dropped> {
        if self.paths.check(message, from)? == Check::Alive {
            self.heard_at = now;
        }
        self.gate.admit_check(now)?;
        self.input(from, bytes, setup, now, wire);
        Ok(())
    }

    /// Takes in a datagram that is no STUN.
    ///
    /// # Errors
    /// It is not let through; it changed nothing.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        setup: &Setup,
        now: Instant,
        wire: &mut impl Wire,
    ) -> Result<(), Dropped> {
        self.gate.admit(bytes, &self.keys, now)?;
        self.input(from, bytes, setup, now, wire);
        Ok(())
    }

    /// Gives a datagram to str0m, which decrypts it. What it cannot decrypt changes nothing: [`gate`] keeps from it the
    /// one kind that would.
    fn input(&mut self, from: SocketAddr, bytes: &[u8], setup: &Setup, now: Instant, wire: &mut impl Wire) {
        let destination = setup.local.iter().find(|local| local.is_ipv4() == from.is_ipv4());
        let (Some(destination), Ok(contents)) = (destination, bytes.try_into()) else {
            return;
        };
        let receive = Receive {
            proto: Protocol::Udp,
            source: from,
            destination: *destination,
            contents,
        };
        // An error is about this datagram, which anybody may have sent; a broken session shows as not alive.
        if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
            tracing::debug!(session = self.purpose.key.0, %error, "datagram refused");
        }
        self.poll(now, wire);
    }

    /// Lets str0m do what is due.
    pub(crate) fn tick(&mut self, now: Instant, wire: &mut impl Wire) {
        if self.rtc_due <= now {
            if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
                tracing::debug!(session = self.purpose.key.0, %error, "timer failed");
            }
            self.poll(now, wire);
        }
    }

    /// Says goodbye by DTLS.
    pub(crate) fn close(&mut self, now: Instant, wire: &mut impl Wire) {
        // Before the handshake there is nobody to say it to, and str0m says so.
        let _ = self.rtc.close();
        self.poll(now, wire);
    }

    /// Gives up at once: the session's state cannot be trusted any more.
    pub(crate) fn abort(&mut self) {
        self.inbox.clear();
        self.rtc.disconnect();
    }

    /// Sends what str0m wants sent and notes what it tells.
    pub(crate) fn poll(&mut self, now: Instant, wire: &mut impl Wire) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(out)) => {
                    if let Some(check) = Message::parse(&out.contents).filter(|m| m.class() == Class::Request)
                    {
                        self.paths.asked(out.destination, check.transaction());
                    }
                    wire.send_copy(&out.contents, out.destination);
                }
                Ok(Output::Event(event)) => self.note(event, now),
                Ok(Output::Timeout(due)) => {
                    self.rtc_due = due;
                    return;
                }
                Err(error) => {
                    tracing::debug!(session = self.purpose.key.0, %error, "session failed");
                    self.rtc.disconnect();
                    return;
                }
            }
        }
    }

    fn note(&mut self, event: Event, now: Instant) {
        match event {
            Event::RtpPacket(packet) => {
                self.heard_at = now;
                self.packets_in += 1;
                self.inbox.push(packet);
            }
            // Comes once DTLS is up, not with the offer.
            Event::MediaAdded(MediaAdded { mid, direction, .. }) if direction.is_sending() => {
                self.add_slot(mid)
            }
            Event::Closed => self.closed_by_peer = true,
            _ => {}
        }
    }

    /// str0m has chosen the SSRC and written it into the answer; from here on it is ours.
    fn add_slot(&mut self, mid: Mid) {
        let Some(media) = self.rtc.media(mid) else {
            return;
        };
        self.payload_type = media
            .remote_pts()
            .first()
            .map_or(0, |payload_type| **payload_type);
        let id = |extension| {
            let id = media.remote_extmap().id_of(extension);
            id.filter(|id| *id <= MAX_EXTENSION_ID).unwrap_or(0)
        };
        self.extensions = ExtensionIds {
            level: id(Extension::AudioLevel),
            mid: id(Extension::RtpMid),
        };
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(mid, None) {
            let ssrc = *stream.ssrc();
            let mid = if mid.trim_end().len() == 1 {
                mid.as_bytes()[0]
            } else {
                0
            };
            self.slots.push(Slot { ssrc, mid, index: 1 });
        }
    }

    /// The way to send to this client, once ICE, DTLS and SDP are through. Comes once.
    pub(crate) fn take_listener(&mut self, member: Member) -> Option<Listener> {
        let to = self.paths.target()?;
        if self.slots.len() < self.shape.slots() {
            return None;
        }
        Some(Listener {
            member,
            to,
            srtp: self.keys.take_outbound()?,
            payload_type: self.payload_type,
            extensions: self.extensions,
            slots: std::mem::take(&mut self.slots),
        })
    }

    /// How many streams str0m keeps for SSRCs that the client may have named, and for its slots.
    #[cfg(test)]
    pub(crate) fn streams(&mut self, named: impl IntoIterator<Item = u32>, rids: &[&str]) -> usize {
        let mids = self.shape.mids();
        let mut api = self.rtc.direct_api();
        let receiving = named
            .into_iter()
            .filter(|ssrc| api.stream_rx(&(*ssrc).into()).is_some());
        let receiving = receiving.count();
        let layers = rids.iter().map(|rid| Some((*rid).into())).chain([None]);
        let pairs = layers.flat_map(|layer| mids.iter().map(move |mid| (mid.as_str().into(), layer)));
        let sending = pairs.filter(|(mid, rid)| api.stream_tx_by_mid(*mid, *rid).is_some());
        receiving + sending.count()
    }

    /// How the session ended, if it has.
    pub(crate) fn over(&self, now: Instant) -> Option<Gone> {
        if self.closed_by_peer {
            Some(Gone::ClosedByPeer)
        } else if !self.rtc.is_alive() {
            Some(Gone::Failed)
        } else if self.link == Link::Connecting {
            (now.saturating_duration_since(self.joined_at) >= CONNECT_WITHIN).then_some(Gone::NeverConnected)
        } else {
            (self.quiet_for(now) >= self.purpose.grace).then_some(Gone::GraceOver)
        }
    }

    /// Whether nothing was heard for so long that the client's network must be lost.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.quiet_for(now) >= SILENT_AFTER
    }

    pub(crate) fn quiet_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at)
    }

    /// When to call [`Session::tick`] and look at [`Session::over`] again.
    pub(crate) fn due(&self) -> Instant {
        let liveness = match self.link {
            Link::Connecting => self.joined_at + CONNECT_WITHIN,
            Link::Up => self.heard_at + SILENT_AFTER.min(self.purpose.grace),
            Link::Silent => self.heard_at + self.purpose.grace,
        };
        liveness.min(self.rtc_due)
    }
}

fn rtc_config(setup: &Setup) -> RtcConfig {
    let mut config = setup.factory.config();
    config.set_max_stun_rto(CHECK_EVERY);
    config
        .set_dtls_cert(setup.certificate.clone())
        .set_ice_lite(false)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        // No transport-cc: its feedback is 20 packets per second and speaker, and nothing here would heed it.
        .clear_extension_map()
        .set_extension(LEVEL_ID, Extension::AudioLevel)
        .set_extension(MID_ID, Extension::RtpMid)
}
