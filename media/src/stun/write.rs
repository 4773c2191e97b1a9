//! Writing STUN messages: what the light client and tests send.

use super::{COOKIE, Class, HEADER_BYTES, INTEGRITY_BYTES, Key, TransactionId, attribute};
use aws_lc_rs::hmac;
use std::net::{IpAddr, SocketAddr};

const FINGERPRINT_BYTES: usize = 4 + 4;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// A controlling agent's check. `username` is "receiver's ufrag:ours", `key` the receiver's password.
pub(crate) fn request(
    id: TransactionId,
    username: &str,
    key: &Key,
    priority: u32,
    tie_breaker: u64,
    nominate: bool,
) -> Vec<u8> {
    let mut out = header(Class::Request, id);
    push(&mut out, attribute::USERNAME, username.as_bytes());
    push(&mut out, attribute::PRIORITY, &priority.to_be_bytes());
    push(&mut out, attribute::ICE_CONTROLLING, &tie_breaker.to_be_bytes());
    if nominate {
        push(&mut out, attribute::USE_CANDIDATE, &[]);
    }
    finish(out, key)
}

/// The response to a request seen from `source`; `key` is the responder's own password.
pub(crate) fn response(id: TransactionId, source: SocketAddr, key: &Key) -> Vec<u8> {
    let mut out = header(Class::Success, id);
    let mut value = vec![0, if source.is_ipv4() { 1 } else { 2 }];
    value.extend_from_slice(&(source.port() ^ 0x2112).to_be_bytes());
    let octets = match source.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    value.extend(
        octets
            .iter()
            .zip(&out[4..HEADER_BYTES])
            .map(|(octet, mask)| octet ^ mask),
    );
    push(&mut out, attribute::XOR_MAPPED_ADDRESS, &value);
    finish(out, key)
}

fn header(class: Class, id: TransactionId) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(&(class as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&COOKIE);
    out.extend_from_slice(&id);
    out
}

fn push(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends integrity and fingerprint; each is computed with the length that includes itself.
fn finish(mut out: Vec<u8>, key: &Key) -> Vec<u8> {
    set_len(&mut out, INTEGRITY_BYTES);
    let tag = hmac::sign(key, &out);
    push(&mut out, attribute::MESSAGE_INTEGRITY, tag.as_ref());
    set_len(&mut out, FINGERPRINT_BYTES);
    let crc = crc32(&out) ^ FINGERPRINT_XOR;
    push(&mut out, attribute::FINGERPRINT, &crc.to_be_bytes());
    out
}

fn set_len(out: &mut [u8], more: usize) {
    let len = (out.len() - HEADER_BYTES + more) as u16;
    out[2..4].copy_from_slice(&len.to_be_bytes());
}

/// CRC-32 of ISO 3309. Only the light client's messages need it, a few per second: no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Message, key};
    use super::*;

    const ID: TransactionId = *b"transaction!";

    fn check() -> Vec<u8> {
        request(ID, "server:client", &key("secret"), 1_853_824_767, 7, true)
    }

    #[test]
    fn reads_what_it_writes() {
        let bytes = check();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.class(), message.transaction()), (Class::Request, ID));
        assert_eq!(message.receiver_ufrag(), Some("server"));
        assert!(message.nominates() && message.is_authentic(&key("secret")));
        for source in ["192.0.2.7:4711", "[2001:db8::7]:4711"] {
            let source: SocketAddr = source.parse().unwrap();
            let bytes = response(ID, source, &key("secret"));
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(
                (message.class(), message.mapped_address()),
                (Class::Success, Some(source))
            );
            assert!(message.is_authentic(&key("secret")));
        }
    }

    #[test]
    fn no_byte_before_the_fingerprint_can_be_changed() {
        let bytes = check();
        for at in 0..bytes.len() - FINGERPRINT_BYTES {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert!(
                !Message::parse(&forged).is_some_and(|m| m.is_authentic(&key("secret"))),
                "byte {at}"
            );
        }
    }

    #[test]
    fn what_follows_the_integrity_is_not_believed() {
        let mut bytes = request(ID, "server:client", &key("secret"), 1, 7, false);
        push(&mut bytes, attribute::USE_CANDIDATE, &[]);
        set_len(&mut bytes, 0);
        let message = Message::parse(&bytes).unwrap();
        assert!(message.is_authentic(&key("secret")) && !message.nominates());
    }

    #[test]
    fn truncated_messages_are_refused() {
        let bytes = check();
        for len in 0..bytes.len() {
            assert!(Message::parse(&bytes[..len]).is_none(), "{len} bytes");
        }
    }
}
