//! RTP headers (RFC 3550) with one-byte extensions (RFC 8285), read and written.
//!
//! The engine's speakers come in through str0m and its listeners are written to by [`crate::egress`]; reading is for the
//! first packet of an SSRC, which is checked before str0m sees it, and for the light client; writing is the client's. Lacks: two-byte extensions, padding (nothing here sends either).

/// The fixed part of a header.
pub(crate) const FIXED_BYTES: usize = 12;
/// Profile of one-byte header extensions.
pub(crate) const ONE_BYTE_PROFILE: [u8; 2] = [0xbe, 0xde];
/// Id of the MID in our own offers, and what is proposed to clients whose offer leaves the choice: Chromium's.
pub(crate) const MID_ID: u8 = 4;

mod header;

pub use header::Header;
