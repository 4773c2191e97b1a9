//! Who asks: checked locally, from the access token.

use super::problem::Error;
use super::{Api, Context, codes, tokens};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use mitalk_actors::live::Revoked;
use mitalk_actors::{Caller, Stranger};
use mitalk_cluster::RequestId;

/// The header that makes a POST safe to repeat.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest key, in characters.
const KEY_CHARS: usize = 64;

/// A signed-in caller.
pub(super) struct Signed(pub Caller);

impl FromRequestParts<Api> for Signed {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let context = parts.extensions.get::<Context>().cloned().unwrap_or_default();
        let mut caller = api.signed(bearer(&parts.headers)?, &context)?;
        caller.request = request_id(&parts.headers, &parts.method, parts.uri.path(), &caller)?;
        api.0
            .accounts
            .check(&caller.user)
            .map_err(|wait| Error::new(codes::RATE_LIMITED).retry_after(wait))?;
        Ok(Self(caller))
    }
}

/// Somebody who need not be signed in.
pub(super) struct Anyone(pub Stranger);

impl FromRequestParts<Api> for Anyone {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let context = parts.extensions.get::<Context>().cloned().unwrap_or_default();
        Ok(Self(api.stranger(&context)))
    }
}

impl Api {
    /// The caller that an access token names.
    ///
    /// # Errors
    /// `token_invalid`, `token_expired`, `suspended`.
    pub(super) fn signed(&self, token: &str, context: &Context) -> Result<Caller, Error> {
        let claims = self.0.tokens.check(token)?;
        match self.0.mitalk.revoked(claims.user, claims.device) {
            Some(Revoked::Suspended) => return Err(codes::SUSPENDED.into()),
            Some(Revoked::Device) => {
                return Err(Error::new(codes::TOKEN_INVALID).detail("This device was signed out"));
            }
            None => {}
        }
        Ok(Caller {
            user: claims.user,
            device: claims.device,
            standing: claims.standing,
            request: None,
            deadline: self.0.deadline,
            trace: context.trace.clone(),
        })
    }

    /// Somebody at an address.
    pub(super) fn stranger(&self, context: &Context) -> Stranger {
        Stranger {
            address: context.address,
            deadline: self.0.deadline,
            trace: context.trace.clone(),
        }
    }
}

impl From<tokens::Error> for Error {
    fn from(error: tokens::Error) -> Self {
        match error {
            tokens::Error::Invalid => codes::TOKEN_INVALID.into(),
            tokens::Error::Expired => codes::TOKEN_EXPIRED.into(),
        }
    }
}

/// The token of `Authorization: Bearer ...`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let value = headers.get(AUTHORIZATION).ok_or(codes::TOKEN_MISSING)?;
    let text = value.to_str().map_err(|_| codes::TOKEN_INVALID)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Error::new(codes::TOKEN_INVALID).detail("Send Authorization: Bearer and the access token")),
    }
}

/// The same caller, route and key give the same id: a repeat is recognised on any node and after any restart.
fn request_id(
    headers: &HeaderMap,
    method: &Method,
    path: &str,
    caller: &Caller,
) -> Result<Option<RequestId>, Error> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| {
            Error::new(codes::IDEMPOTENCY_KEY_INVALID).detail(format!(
                "Send 1 to {KEY_CHARS} visible ASCII characters, new for each new request"
            ))
        })?;
    Ok(Some(derive(&[
        &caller.user.to_string(),
        method.as_str(),
        path,
        key,
    ])))
}

/// The id of a repeatable request, from what makes it the same one.
pub(crate) fn derive(parts: &[&str]) -> RequestId {
    // None of the parts can have a zero byte, so no two lists of them join to the same text.
    let hash = mitalk_actors::secrets::sha256(parts.join("\0").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    RequestId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use mitalk_actors::id::{DeviceId, Home, UserId};
    use mitalk_actors::person::Standing;

    fn id(user: u128, path: &str, key: &'static str) -> Result<Option<RequestId>, Error> {
        let caller = Caller {
            user: UserId::new(Home::default(), user),
            device: DeviceId::new(Home::default(), 1),
            standing: Standing::Active,
            request: None,
            deadline: std::time::Duration::ZERO,
            trace: mitalk_cluster::Trace::default(),
        };
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(IDEMPOTENCY_KEY),
            HeaderValue::from_bytes(key.as_bytes()).unwrap(),
        )]);
        request_id(&headers, &Method::POST, path, &caller)
    }

    #[test]
    fn a_key_counts_for_its_caller_and_route_only() {
        let first = id(1, "/v1/rooms", "k").unwrap();
        assert_eq!(first, id(1, "/v1/rooms", "k").unwrap());
        for other in [
            id(2, "/v1/rooms", "k"),
            id(1, "/v1/invites", "k"),
            id(1, "/v1/rooms", "l"),
        ] {
            assert_ne!(first, other.unwrap());
        }
        for bad in ["", "two words", "äöü"] {
            assert!(id(1, "/v1/rooms", bad).is_err(), "{bad}");
        }
    }
}
