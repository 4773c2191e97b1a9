//! One RTP header.

use super::{FIXED_BYTES, MID_ID, ONE_BYTE_PROFILE};

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Of the payload, as the SDP numbered it.
    pub payload_type: u8,
    /// First packet after a pause.
    pub marker: bool,
    /// The low 16 bits of the packet's index.
    pub sequence: u16,
    /// In the payload's clock.
    pub timestamp: u32,
    /// Whose sequence this is.
    pub ssrc: u32,
    /// The first contributing source.
    pub csrc: Option<u32>,
    /// The extension element with the id that was asked for: the level byte of RFC 6464.
    pub level: Option<u8>,
    /// The m-line's MID (RFC 8843, 15) under our own offers' id, if it is one character.
    pub mid: Option<u8>,
}

impl Header {
    /// Reads a header; `level_id` names the extension element to look for. Also returns the header's length.
    /// `None` if it is no RTP or truncated.
    pub fn parse(packet: &[u8], level_id: u8) -> Option<(Self, usize)> {
        let fixed = packet.first_chunk::<FIXED_BYTES>()?;
        // RFC 5761, 4: payload types 64-95 with the marker bit are RTCP.
        if fixed[0] >> 6 != 2 || (192..=223).contains(&fixed[1]) {
            return None;
        }
        let mut header = Self {
            payload_type: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: be32(packet, 4)?,
            ssrc: be32(packet, 8)?,
            csrc: None,
            level: None,
            mid: None,
        };
        let mut len = FIXED_BYTES + 4 * usize::from(fixed[0] & 15);
        if len > FIXED_BYTES {
            header.csrc = Some(be32(packet, FIXED_BYTES)?);
        }
        if fixed[0] & 0x10 != 0 {
            let words = usize::from(u16::from_be_bytes([*packet.get(len + 2)?, *packet.get(len + 3)?]));
            let elements = packet.get(len + 4..len + 4 + 4 * words)?;
            if packet[len..len + 2] == ONE_BYTE_PROFILE {
                header.level = element(elements, level_id).and_then(|e| e.first().copied());
                header.mid = match element(elements, MID_ID) {
                    Some(&[mid]) => Some(mid),
                    _ => None,
                };
            }
            len += 4 + 4 * words;
        }
        (len <= packet.len()).then_some((header, len))
    }

    /// Writes the header, with the CSRC, the level (under `level_id`) and the MID if there are any. Returns its length.
    ///
    /// # Panics
    /// If `out` is shorter than 24 bytes.
    #[cfg(feature = "client")]
    pub fn write(&self, level_id: u8, out: &mut [u8]) -> usize {
        let extended = self.level.is_some() || self.mid.is_some();
        out[0] = 0x80 | u8::from(extended) << 4 | u8::from(self.csrc.is_some());
        out[1] = u8::from(self.marker) << 7 | self.payload_type;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        let mut len = FIXED_BYTES;
        if let Some(csrc) = self.csrc {
            out[len..len + 4].copy_from_slice(&csrc.to_be_bytes());
            len += 4;
        }
        if extended {
            out[len..len + 2].copy_from_slice(&ONE_BYTE_PROFILE);
            out[len + 2..len + 8].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            if let Some(level) = self.level {
                out[len + 4..len + 6].copy_from_slice(&[level_id << 4, level]);
            }
            if let Some(mid) = self.mid {
                out[len + 6..len + 8].copy_from_slice(&[MID_ID << 4, mid]);
            }
            len += 8;
        }
        len
    }
}

/// The value of one element; id 0 is padding, 15 ends the list (RFC 8285, 4.2).
fn element(mut elements: &[u8], id: u8) -> Option<&[u8]> {
    while let [first, rest @ ..] = elements {
        match first >> 4 {
            0 => elements = rest,
            15 => return None,
            found => {
                let len = usize::from(first & 15) + 1;
                let value = rest.get(..len)?;
                if found == id {
                    return Some(value);
                }
                elements = &rest[len..];
            }
        }
    }
    None
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_writes(sequence: u16, timestamp: u32, ssrc: u32, csrc: Option<u32>, level in prop::option::of(0u8..128), mid in prop::option::of(b'0'..=b'9'), marker: bool) {
            let header = Header { payload_type: 111, marker, sequence, timestamp, ssrc, csrc, level, mid };
            let mut out = [0; 64];
            let len = header.write(3, &mut out);
            prop_assert_eq!(Header::parse(&out, 3), Some((header, len)));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), id in 1u8..15) {
            if let Some((_, len)) = Header::parse(&bytes, id) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
