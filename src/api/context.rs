//! What is known of a request before anybody looks at what it asks: its id, trace, language and where it comes from.

use super::language::Language;
use crate::config::Http;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use mitalk_cluster::Trace;
use rand::RngCore as _;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The header with a request's id, in both directions.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// The longest request id that is taken over, in characters.
const REQUEST_ID_CHARS: usize = 64;
/// Addresses that are read from one `X-Forwarded-For`, from the end: more proxies than anybody has.
const MAX_HOPS: usize = 16;

/// See the module.
#[derive(Clone, Debug)]
pub struct Context {
    /// The client's if it was well-formed, else made.
    pub request_id: Arc<str>,
    /// W3C traceparent, the client's or one that starts here.
    pub trace: Trace,
    /// For titles.
    pub language: Language,
    /// The client's address, behind proxies that are trusted.
    pub address: IpAddr,
}

impl Context {
    /// Reads it from a request of `peer`.
    pub fn read(headers: &HeaderMap, peer: SocketAddr, http: &Http) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            request_id: text(REQUEST_ID)
                .filter(|id| is_request_id(id))
                .map_or_else(new_request_id, Arc::from),
            trace: Trace::new(
                &text("traceparent")
                    .filter(|t| is_traceparent(t))
                    .map_or_else(new_trace, str::to_owned),
            ),
            language: Language::of(headers),
            address: client_address(text("x-forwarded-for"), peer.ip(), &http.trusted_proxies),
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            request_id: new_request_id(),
            trace: Trace::new(&new_trace()),
            language: Language::En,
            address: Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The last address of the chain that is not a trusted proxy: what stands before it, anybody may have written.
fn client_address(forwarded: Option<&str>, peer: IpAddr, trusted: &[IpAddr]) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(&peer) {
        return peer;
    }
    let mut address = peer;
    for hop in forwarded.unwrap_or_default().rsplit(',').take(MAX_HOPS) {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        address = hop.to_canonical();
        if !trusted.contains(&address) {
            break;
        }
    }
    address
}

fn is_request_id(id: &str) -> bool {
    (1..=REQUEST_ID_CHARS).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let hex = |part: &str, chars: usize| {
        part.len() == chars
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let some = |part: &str| part.bytes().any(|byte| byte != b'0');
    matches!(parts[..], ["00", trace, span, flags]
        if hex(trace, 32) && some(trace) && hex(span, 16) && some(span) && hex(flags, 2))
}

fn new_request_id() -> Arc<str> {
    format!("{:032x}", u128::from_be_bytes(random())).into()
}

fn new_trace() -> String {
    // A zero id is not valid; one in 2^64 is not worth a loop, one bit is.
    let span = u64::from_be_bytes(random()) | 1;
    format!("00-{:032x}-{span:016x}-00", u128::from_be_bytes(random()) | 1)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_ids_and_traces_are_taken_over() {
        assert!(is_request_id("a-B_3.4"));
        for bad in ["", "with space", "ä", &"x".repeat(65), "a\"b"] {
            assert!(!is_request_id(bad), "{bad}");
        }
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good));
        assert!(is_traceparent(&new_trace()));
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in ["", "00", zero, &good.to_uppercase(), &good[1..]] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        let address = |forwarded, peer| client_address(Some(forwarded), ip(peer), &trusted);
        assert_eq!(
            address("1.2.3.4", "9.9.9.9"),
            ip("9.9.9.9"),
            "a stranger's header counts nothing"
        );
        assert_eq!(address("6.6.6.6, 1.2.3.4, 10.0.0.2", "10.0.0.1"), ip("1.2.3.4"));
        assert_eq!(address("nonsense", "10.0.0.1"), ip("10.0.0.1"));
        assert_eq!(address("1.2.3.4", "::ffff:10.0.0.1"), ip("1.2.3.4"));
    }
}
