//! RTP headers (RFC 3550) with one-byte extensions (RFC 8285), read and written.
//!
//! The engine's speakers come in through str0m and its listeners are written to by [`crate::egress`]; the reading and
//! writing here is the light client's. Lacks: two-byte extensions, padding (nothing here sends either).

/// The fixed part of a header.
pub(crate) const FIXED_BYTES: usize = 12;
/// Profile of one-byte header extensions.
pub(crate) const ONE_BYTE_PROFILE: [u8; 2] = [0xbe, 0xde];

#[cfg(feature = "client")]
pub use header::Header;

#[cfg(feature = "client")]
mod header;
