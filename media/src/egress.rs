//! What one listener is sent: the same packet as everybody else, under their own SSRCs, sequence and keys.
//!
//! A packet is laid out once per mix; per listener five fields are patched, and it is sealed in the buffer that
//! the system sends from. Layout, 24 bytes before the payload: fixed header, one CSRC (the speaker's stage
//! number), one word of one-byte extensions (level, and the m-line's MID if it is one character).
//!
//! Invariants
//! - An index is used once per SSRC and key: it only grows, through ICE restarts and pauses alike.
//! - str0m never writes RTP on these SSRCs.

use crate::StageNumber;
use crate::rtp;
use crate::srtp;
use crate::timeline::Place;
use crate::wire::{MAX_DATAGRAM_BYTES, Wire};
use std::net::SocketAddr;

const HEADER_BYTES: usize = rtp::FIXED_BYTES + 4 + 8;
/// Opus packets are at most 1,275 bytes per frame; a longer payload is no voice.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 1275;
const _: () = assert!(HEADER_BYTES + MAX_PAYLOAD_BYTES + srtp::MAX_TAG_BYTES <= MAX_DATAGRAM_BYTES);

/// A session's place in its shard. Short, for it is looked at for every packet and listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member(pub(crate) u32);

/// One packet as all listeners of a mix get it.
pub(crate) struct Template {
    bytes: [u8; HEADER_BYTES + MAX_PAYLOAD_BYTES],
    len: usize,
    level: u8,
}

impl Template {
    /// `dbov` is what listeners are shown as the speaker's level; `payload` at most [`MAX_PAYLOAD_BYTES`].
    pub(crate) fn new(place: Place, speaker: StageNumber, dbov: f32, payload: &[u8]) -> Self {
        let len = HEADER_BYTES + payload.len();
        let mut bytes = [0; HEADER_BYTES + MAX_PAYLOAD_BYTES];
        bytes[0] = 0x91; // version 2, extensions, one CSRC
        bytes[1] = u8::from(place.marker) << 7;
        bytes[4..8].copy_from_slice(&place.timestamp.to_be_bytes());
        bytes[12..16].copy_from_slice(&speaker.0.to_be_bytes());
        bytes[16..18].copy_from_slice(&rtp::ONE_BYTE_PROFILE);
        bytes[19] = 1;
        bytes[HEADER_BYTES..len].copy_from_slice(payload);
        Self {
            bytes,
            len,
            level: (-dbov).clamp(0.0, 127.0) as u8,
        }
    }
}

/// One receive m-line of one listener.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) ssrc: u32,
    /// The MID, if it is one character; else 0 and not sent (the answer's `a=ssrc` lines say the same).
    pub(crate) mid: u8,
    /// Index of the next packet. Starts at 1: receivers guess the roll-over counter from the first sequence they
    /// see, and guess right far from the wrap.
    pub(crate) index: u64,
}

/// The numbers that the client's offer gave to header extensions; 0 if it offered none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExtensionIds {
    pub(crate) level: u8,
    pub(crate) mid: u8,
}

/// Everything needed to send to one listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) member: Member,
    pub(crate) to: SocketAddr,
    pub(crate) srtp: srtp::Context,
    pub(crate) payload_type: u8,
    pub(crate) extensions: ExtensionIds,
    pub(crate) slots: Vec<Slot>,
}

impl Listener {
    /// Sends the packet on a slot.
    pub(crate) fn send(&mut self, slot: usize, template: &Template, wire: &mut impl Wire) {
        let Some(slot) = self.slots.get_mut(slot) else {
            return;
        };
        let out = wire.buffer();
        out[..template.len].copy_from_slice(&template.bytes[..template.len]);
        out[1] |= self.payload_type;
        out[2..4].copy_from_slice(&(slot.index as u16).to_be_bytes());
        out[8..12].copy_from_slice(&slot.ssrc.to_be_bytes());
        if self.extensions.level != 0 {
            out[20..22].copy_from_slice(&[self.extensions.level << 4, template.level]);
        }
        if self.extensions.mid != 0 && slot.mid != 0 {
            out[22..24].copy_from_slice(&[self.extensions.mid << 4, slot.mid]);
        }
        let len = self.srtp.seal(out, HEADER_BYTES, template.len, slot.index);
        slot.index += 1;
        wire.send(len, self.to);
    }

    /// Packets sent so far, on all slots.
    pub(crate) fn packets_out(&self) -> u64 {
        self.slots.iter().map(|slot| slot.index - 1).sum()
    }
}
