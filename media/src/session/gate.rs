//! Who gets as far as str0m: a budget for each kind of datagram, and SSRCs that the client has shown to be its own.
//!
//! str0m finds a packet's stream by its SSRC or, for a new one, by the MID that it carries, *before* it checks the tag:
//! one packet that anybody made moves the microphone to another SSRC, and the client's own packets find nothing any more.
//! And it remembers each SSRC for ever. So the first packet of an SSRC is authenticated here, and there are few of them.
//! From then on this costs a look at an array. (The join's offer may name SSRCs as well, two at most, and no other offer
//! does: [`crate::offer`].)
//!
//! Invariants
//! - str0m sees RTP on at most [`MAX_SSRCS`] SSRCs, each of which has sent a packet that was made with the client's keys.
//! - Who does not know an SSRC of the client's cannot use up the budget of its audio.
//!
//! Lacks: a look at the tags of later packets, and at DTLS and RTCP; str0m and dimpl authenticate those.

use crate::bucket::Bucket;
use crate::dtls::Keys;
use crate::metrics::Dropped;
use crate::rtp::Header;
use crate::srtp;
use crate::wire::MAX_DATAGRAM_BYTES;
use std::time::Instant;

/// A client sends on one, and on another one if it begins anew.
pub(super) const MAX_SSRCS: usize = 8;
/// Audio packets per second and in a burst after a stall: 2.5 times what is forwarded at most, so that a flood costs its
/// sender's session and hardly anything else.
pub(super) const AUDIO_PER_SECOND: u16 = 300;
pub(super) const AUDIO_BURST: u16 = 300;
/// Checks, and separately DTLS, RTCP and first packets of SSRCs. Chromium checks every 48 ms while it connects, and later
/// every 2.5 s; a handshake takes some ten datagrams.
pub(super) const OTHERS_PER_SECOND: u16 = 100;
pub(super) const OTHERS_BURST: u16 = 100;

#[derive(Debug)]
pub(super) struct Gate {
    /// Opens what the client sealed, once DTLS is done.
    inbound: Option<srtp::Context>,
    ssrcs: [u32; MAX_SSRCS],
    /// How many of them there are.
    known: usize,
    audio: Bucket,
    checks: Bucket,
    others: Bucket,
}

impl Gate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            inbound: None,
            ssrcs: [0; MAX_SSRCS],
            known: 0,
            audio: Bucket::new(AUDIO_BURST, AUDIO_PER_SECOND, now),
            checks: Bucket::new(OTHERS_BURST, OTHERS_PER_SECOND, now),
            others: Bucket::new(OTHERS_BURST, OTHERS_PER_SECOND, now),
        }
    }

    /// For a check that is authentic.
    ///
    /// # Errors
    /// Too many of them.
    pub(super) fn admit_check(&mut self, now: Instant) -> Result<(), Dropped> {
        within(&mut self.checks, now)
    }

    /// For anything that is no check, sorted by its first bytes as RFC 7983 and RFC 5761 say.
    ///
    /// # Errors
    /// Why str0m must not see it.
    pub(super) fn admit(&mut self, datagram: &[u8], keys: &Keys, now: Instant) -> Result<(), Dropped> {
        match datagram {
            [20..=63, ..] => within(&mut self.others, now),
            [128..=191, kind, ..] if (64..96).contains(&(kind & 0x7f)) => within(&mut self.others, now),
            [128..=191, _, _, _, _, _, _, _, ssrc @ ..] => {
                let ssrc = ssrc.first_chunk().ok_or(Dropped::Unknown)?;
                self.admit_audio(u32::from_be_bytes(*ssrc), datagram, keys, now)
            }
            _ => Err(Dropped::Unknown),
        }
    }

    fn admit_audio(&mut self, ssrc: u32, datagram: &[u8], keys: &Keys, now: Instant) -> Result<(), Dropped> {
        if self.ssrcs[..self.known].contains(&ssrc) {
            return within(&mut self.audio, now);
        }
        let place = self.ssrcs.get_mut(self.known).ok_or(Dropped::TooManySources)?;
        within(&mut self.others, now)?;
        if self.inbound.is_none() {
            self.inbound = keys.take_inbound();
        }
        let inbound = self.inbound.as_ref().ok_or(Dropped::Forged)?;
        if !is_authentic(inbound, datagram) {
            return Err(Dropped::Forged);
        }
        *place = ssrc;
        self.known += 1;
        Ok(())
    }
}

fn within(bucket: &mut Bucket, now: Instant) -> Result<(), Dropped> {
    if bucket.take(now) {
        Ok(())
    } else {
        Err(Dropped::TooFast)
    }
}

/// Whether the first packet of its SSRC was made with the client's keys. Its roll-over counter is 0 then, as str0m
/// assumes, too (RFC 3711, 3.3.1).
fn is_authentic(inbound: &srtp::Context, datagram: &[u8]) -> bool {
    let mut copy = [0; MAX_DATAGRAM_BYTES];
    let Some(copy) = copy.get_mut(..datagram.len()) else {
        return false;
    };
    copy.copy_from_slice(datagram);
    const NO_LEVEL: u8 = 0;
    Header::parse(datagram, NO_LEVEL)
        .is_some_and(|(header, at)| inbound.open(copy, at, u64::from(header.sequence)).is_some())
}
