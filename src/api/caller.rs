//! Who asks: checked locally, from the access token.

use super::problem::Error;
use super::repeats::request_id;
use super::{Api, Context, codes, tokens};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use mitalk_actors::live::Revoked;
use mitalk_actors::{Caller, Stranger};

/// A signed-in caller.
pub(super) struct Signed(pub Caller);

impl FromRequestParts<Api> for Signed {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let context = parts.extensions.get::<Context>().cloned().unwrap_or_default();
        let mut caller = api.signed(bearer(&parts.headers)?, &context)?;
        caller.request = request_id(parts, &caller.user.to_string())?;
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
            language: context.texts,
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
