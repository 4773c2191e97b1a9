//! Requests with an `Idempotency-Key`: one parser for both listeners, and what tells a repeat from another request.
//!
//! The same caller, route and key give the same request id, by which the domain recognises a repeat on any node and after
//! any restart. That the key came with another body before is remembered here, by this node and in memory: a client's bug is
//! told to the client, and after a restart it gets the first answer as it would have without.

use super::codes;
use super::problem::Error;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use mitalk_cluster::RequestId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The header that makes a request safe to repeat.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest key, in characters.
const KEY_CHARS: usize = 64;
/// As long as the domain remembers an answer.
const REMEMBER: Duration = Duration::from_secs(10 * 60);
/// Requests remembered, about 100 bytes each; the oldest make room.
const REMEMBERED: usize = 100_000;

/// The bodies of requests that were carried out.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    bodies: HashMap<RequestId, [u8; 32]>,
    in_order: VecDeque<(Instant, RequestId)>,
}

/// A request with a key, on its way: in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    repeats: Arc<Repeats>,
    body: [u8; 32],
    /// Set by whoever knows the caller.
    id: Arc<OnceLock<RequestId>>,
}

impl Keyed {
    /// With the SHA-256 of its body.
    pub(super) fn new(repeats: Arc<Repeats>, body: [u8; 32]) -> Self {
        Self {
            repeats,
            body,
            id: Arc::default(),
        }
    }

    fn claim(&self, id: RequestId) -> Result<(), Error> {
        if self.repeats.other_body(id, &self.body) {
            return Err(Error::new(codes::IDEMPOTENCY_KEY_REUSED).detail(
                "This Idempotency-Key came with another body before: make a new one for each new request",
            ));
        }
        // Nobody sets it twice: a request has one caller.
        let _ = self.id.set(id);
        Ok(())
    }

    /// It was carried out. One that was refused may come again with a better body.
    pub(super) fn done(&self, now: Instant) {
        if let Some(id) = self.id.get() {
            self.repeats.remember(*id, self.body, now);
        }
    }
}

impl Repeats {
    fn other_body(&self, id: RequestId, body: &[u8; 32]) -> bool {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.bodies.get(&id).is_some_and(|known| known != body)
    }

    fn remember(&self, id: RequestId, body: [u8; 32], now: Instant) {
        let Table { bodies, in_order } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |at: Instant| now.duration_since(at) >= REMEMBER;
        while in_order.front().is_some_and(|(at, _)| is_old(*at)) || in_order.len() >= REMEMBERED {
            if let Some((_, oldest)) = in_order.pop_front() {
                bodies.remove(&oldest);
            }
        }
        if bodies.insert(id, body).is_none() {
            in_order.push_back((now, id));
        }
    }
}

/// The request's key, if it has one.
///
/// # Errors
/// `idempotency_key_invalid`: a key that is ignored would do things twice.
fn key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    key.to_str()
        .ok()
        .filter(|key| (1..=KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(Some)
        .ok_or_else(|| {
            Error::new(codes::IDEMPOTENCY_KEY_INVALID).detail(format!(
                "Send 1 to {KEY_CHARS} visible ASCII characters, new for each new request"
            ))
        })
}

/// The id by which a repeat of this request of `caller` is recognised, if it has a key.
///
/// # Errors
/// `idempotency_key_invalid`, `idempotency_key_reused`.
pub(crate) fn request_id(parts: &Parts, caller: &str) -> Result<Option<RequestId>, Error> {
    let Some(key) = key(&parts.headers)? else {
        return Ok(None);
    };
    let id = derive(&[caller, parts.method.as_str(), parts.uri.path(), key]);
    if let Some(keyed) = parts.extensions.get::<Keyed>() {
        keyed.claim(id)?;
    }
    Ok(Some(id))
}

fn derive(parts: &[&str]) -> RequestId {
    // None of the parts can have a zero byte, so no two lists of them join to the same text.
    let hash = mitalk_actors::secrets::sha256(parts.join("\0").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    RequestId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Request;
    use axum::http::HeaderValue;

    fn parts(path: &str, key: &[u8]) -> Parts {
        let key = HeaderValue::from_bytes(key).unwrap();
        let request = Request::post(path).header(IDEMPOTENCY_KEY, key).body(());
        request.unwrap().into_parts().0
    }

    fn id(caller: &str, path: &str, key: &str) -> Result<Option<RequestId>, Error> {
        request_id(&parts(path, key.as_bytes()), caller)
    }

    #[test]
    fn a_key_counts_for_its_caller_and_route_only() {
        let first = id("a", "/v1/rooms", "k").unwrap();
        assert_eq!(first, id("a", "/v1/rooms", "k").unwrap());
        for other in [
            id("b", "/v1/rooms", "k"),
            id("a", "/v1/invites", "k"),
            id("a", "/v1/rooms", "l"),
        ] {
            assert_ne!(first, other.unwrap());
        }
        for bad in ["", "two words", "äöü"] {
            assert_eq!(
                id("a", "/v1/rooms", bad).unwrap_err().code(),
                codes::IDEMPOTENCY_KEY_INVALID,
                "{bad}"
            );
        }
    }

    #[test]
    fn another_body_under_the_same_key_is_told_so() {
        let repeats = Arc::<Repeats>::default();
        let start = Instant::now();
        let ask = |body: u8, at: Duration, succeeds: bool| {
            let mut parts = parts("/v1/rooms", b"k");
            let keyed = Keyed::new(repeats.clone(), [body; 32]);
            parts.extensions.insert(keyed.clone());
            request_id(&parts, "a").map_err(|error| error.code())?;
            if succeeds {
                keyed.done(start + at);
            }
            Ok(())
        };
        let (now, later) = (Duration::ZERO, REMEMBER);
        assert_eq!(ask(1, now, false), Ok(()), "refused by whoever carries it out");
        assert_eq!(ask(2, now, true), Ok(()), "so it may be mended");
        assert_eq!(ask(2, now, true), Ok(()), "a repeat");
        assert_eq!(ask(1, now, true), Err(codes::IDEMPOTENCY_KEY_REUSED));
        repeats.remember(RequestId([9; 16]), [9; 32], start + later);
        assert_eq!(ask(1, later, true), Ok(()), "in the end the key is forgotten");
    }
}
