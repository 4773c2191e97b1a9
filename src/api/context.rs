//! What is known of a request before anybody looks at what it asks: its id, trace, language and where it comes from.

use super::language::{self, Language};
use crate::config::{Http, Network};
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
/// Written by proxies, each of which adds the address that it was asked from: to the last line, or as a line of its own.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Addresses that are read of it, from the end: more proxies than anybody has.
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
    /// For text messages, which know more languages.
    pub texts: Option<mitalk_actors::Language>,
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
            texts: language::wanted(headers, mitalk_actors::Language::of_tag),
            address: client_address(headers, peer.ip(), &http.trusted_proxies),
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            request_id: new_request_id(),
            trace: Trace::new(&new_trace()),
            language: Language::En,
            texts: None,
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
fn client_address(headers: &HeaderMap, peer: IpAddr, trusted: &[Network]) -> IpAddr {
    let is_proxy = |address| trusted.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if !is_proxy(peer) {
        return peer;
    }
    // Several lines are one list (RFC 9110, 5.3).
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    let mut address = peer;
    for hop in hops.take(MAX_HOPS) {
        let Some(hop) = hop_address(hop.trim()) else {
            break;
        };
        address = hop;
        if !is_proxy(address) {
            break;
        }
    }
    address
}

/// An address, which some proxies write with its port, and IPv6 in brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = match bare.unwrap_or(hop).parse() {
        Ok(address) => Some(address),
        Err(_) => hop.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()),
    };
    address.map(|address: IpAddr| address.to_canonical())
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
        let trusted = ["10.0.0.1", "10.0.0.2", "172.16.0.0/12"].map(|network| network.parse().unwrap());
        let lines = |lines: &[&str], peer| {
            let lines = lines.iter().map(|line| {
                let name = axum::http::HeaderName::from_static(FORWARDED_FOR);
                (name, line.parse::<axum::http::HeaderValue>().unwrap())
            });
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, line)| {
                headers.append(name, line);
            });
            client_address(&headers, ip(peer), &trusted)
        };
        let address = |forwarded, peer| lines(&[forwarded], peer);
        assert_eq!(
            address("1.2.3.4", "9.9.9.9"),
            ip("9.9.9.9"),
            "a stranger's header counts nothing"
        );
        assert_eq!(address("6.6.6.6, 1.2.3.4, 10.0.0.2", "10.0.0.1"), ip("1.2.3.4"));
        assert_eq!(address("nonsense", "10.0.0.1"), ip("10.0.0.1"));
        assert_eq!(address("1.2.3.4", "::ffff:10.0.0.1"), ip("1.2.3.4"));
        assert_eq!(address("1.2.3.4, 172.20.1.9", "172.16.0.3"), ip("1.2.3.4"));
        assert_eq!(
            lines(&["6.6.6.6", "1.2.3.4"], "10.0.0.1"),
            ip("1.2.3.4"),
            "the first line is the client's, the proxy adds its own behind it"
        );
        assert_eq!(
            lines(&["6.6.6.6, 1.2.3.4", "10.0.0.2"], "10.0.0.1"),
            ip("1.2.3.4")
        );
        assert_eq!(lines(&[], "10.0.0.1"), ip("10.0.0.1"));
        assert_eq!(address("1.2.3.4:56", "10.0.0.1"), ip("1.2.3.4"));
        assert_eq!(address("[2001:db8::1]:56", "10.0.0.1"), ip("2001:db8::1"));
        assert_eq!(address("[2001:db8::1]", "10.0.0.1"), ip("2001:db8::1"));
    }
}
