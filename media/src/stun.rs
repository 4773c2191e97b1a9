//! STUN binding requests and responses (RFC 8489) as ICE uses them (RFC 8445): read, checked, written.
//!
//! The engine reads them only: str0m answers. It looks inside because str0m tells nobody which address a check
//! came from and which pair it nominated. The light client writes them, too.
//!
//! Lacks: indications, error responses, long-term credentials, and every attribute that ICE does not need.

use aws_lc_rs::hmac;
#[cfg(test)]
use std::net::{IpAddr, SocketAddr};

#[cfg(feature = "client")]
pub(crate) mod write;

/// The password of one side, as a key.
pub(crate) type Key = hmac::Key;
/// Identifies a request and its response.
pub(crate) type TransactionId = [u8; 12];

const HEADER_BYTES: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const INTEGRITY_BYTES: usize = 4 + 20;

/// RFC 8489, 18.3 and RFC 8445, 20.1.
mod attribute {
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    #[cfg(feature = "client")]
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    #[cfg(feature = "client")]
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    #[cfg(feature = "client")]
    pub(super) const FINGERPRINT: u16 = 0x8028;
    #[cfg(feature = "client")]
    pub(super) const ICE_CONTROLLING: u16 = 0x802a;
}

/// The two kinds that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Binding request.
    Request = 0x0001,
    /// Binding success response.
    Success = 0x0101,
}

/// A STUN message in a datagram. Its attributes are well-formed; it need not be authentic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
}

/// Makes a key of an ICE password.
pub(crate) fn key(password: &str) -> Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// Whether a datagram claims to be STUN (RFC 7983), whatever it then holds.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_BYTES && datagram[0] < 4 && datagram[4..8] == COOKIE
}

impl<'a> Message<'a> {
    /// Reads a binding request or success response; anything else is `None`.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if !is_stun(datagram) || datagram.len() - HEADER_BYTES != usize::from(be16(datagram, 2)?) {
            return None;
        }
        let class = match be16(datagram, 0)? {
            1 => Class::Request,
            0x101 => Class::Success,
            _ => return None,
        };
        let message = Self {
            bytes: datagram,
            class,
        };
        let end = message.attributes().map(|a| a.end).last().unwrap_or(HEADER_BYTES);
        (end == datagram.len()).then_some(message)
    }

    /// Request or response.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// The id that a response repeats.
    pub(crate) fn transaction(&self) -> TransactionId {
        let mut id = [0; 12];
        id.copy_from_slice(&self.bytes[8..HEADER_BYTES]);
        id
    }

    /// Whom the request is for: the receiver's ufrag, the part of USERNAME before the colon.
    pub(crate) fn receiver_ufrag(&self) -> Option<&'a str> {
        let name = std::str::from_utf8(self.find(attribute::USERNAME)?.value).ok()?;
        Some(name.split_once(':')?.0)
    }

    /// Whether the controlling side nominates this pair.
    pub(crate) fn nominates(&self) -> bool {
        self.find(attribute::USE_CANDIDATE).is_some()
    }

    /// Where the responder saw the request come from.
    #[cfg(test)]
    pub(crate) fn mapped_address(&self) -> Option<SocketAddr> {
        let value = self.find(attribute::XOR_MAPPED_ADDRESS)?.value;
        let port = be16(value, 2)? ^ 0x2112;
        let mask = &self.bytes[4..HEADER_BYTES];
        let unmask = |out: &mut [u8]| {
            out.iter_mut()
                .zip(&value[4..])
                .zip(mask)
                .for_each(|((o, v), m)| *o = v ^ m);
        };
        let ip: IpAddr = match (value[1], value.len()) {
            (1, 8) => {
                let mut octets = [0; 4];
                unmask(&mut octets);
                octets.into()
            }
            (2, 20) => {
                let mut octets = [0; 16];
                unmask(&mut octets);
                octets.into()
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// Whether MESSAGE-INTEGRITY is there and made with this key. What follows it (but FINGERPRINT) is not covered,
    /// so [`Message::nominates`] and the others only look before it.
    pub(crate) fn is_authentic(&self, key: &Key) -> bool {
        let Some(found) = self.attributes().find(|a| a.kind == attribute::MESSAGE_INTEGRITY) else {
            return false;
        };
        let mut covered = self.bytes[..found.start].to_vec();
        let len = (found.start - HEADER_BYTES + INTEGRITY_BYTES) as u16;
        covered[2..4].copy_from_slice(&len.to_be_bytes());
        hmac::verify(key, &covered, found.value).is_ok()
    }

    fn find(&self, kind: u16) -> Option<Attribute<'a>> {
        self.attributes()
            .take_while(|a| a.kind != attribute::MESSAGE_INTEGRITY)
            .find(|a| a.kind == kind)
    }

    fn attributes(&self) -> Attributes<'a> {
        Attributes {
            bytes: self.bytes,
            at: HEADER_BYTES,
        }
    }
}

/// One attribute and where it stands in the message.
struct Attribute<'a> {
    kind: u16,
    value: &'a [u8],
    start: usize,
    end: usize,
}

struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let start = self.at;
        let len = usize::from(be16(self.bytes, start + 2)?);
        let value = self.bytes.get(start + 4..start + 4 + len)?;
        let end = start + 4 + len.next_multiple_of(4);
        if end > self.bytes.len() {
            return None;
        }
        self.at = end;
        Some(Attribute {
            kind: be16(self.bytes, start)?,
            value,
            start,
            end,
        })
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, 2.1: a request written by somebody else.
    #[test]
    fn reads_the_request_of_the_rfc() {
        let bytes = [
            0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
            0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
            0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
            0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
            0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
            0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
            0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
        ];
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.receiver_ufrag(), Some("evtj"));
        assert!(message.is_authentic(&key("VOkJxbRl1RmTxUk/WvJxBt")));
        assert!(!message.is_authentic(&key("another")));
        assert!(!message.nominates());
    }
}
