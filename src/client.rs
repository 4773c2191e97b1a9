//! A typed client of the API: one method per route, answers and errors as wire types. Used by the tests and the load tool.
//!
//! A [`Client`] is cheap to clone and shares its connections; [`Client::signed_in`] gives one that shows an access token.
//! It deliberately lacks retries and token renewal: whoever uses it knows when a request may be repeated. It speaks plain
//! HTTP only: TLS ends in front of the service.

mod account;
mod admin;
mod auth;
mod error;
mod invites;
mod live;
mod people;
mod push;
mod rooms;

pub use admin::AdminClient;
pub use error::Error;
pub use live::{Live, LiveError};

use crate::api::PROBLEM_MEDIA_TYPE;
use crate::wire::problem::Problem;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Longer than any answer of the service takes.
const TIMEOUT: Duration = Duration::from_secs(75);
/// The header that makes a POST safe to repeat.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The header that carries the key of a shared link.
const LINK_KEY: &str = "Link-Key";

/// See the module.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Arc<str>>,
}

impl Client {
    /// For the service at `base`, e.g. `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`Error::Address`] if that is no URL that can have paths.
    pub fn new(base: &str) -> Result<Self, Error> {
        let url = Url::parse(base).ok().filter(|url| !url.cannot_be_a_base());
        let base = url.ok_or_else(|| Error::Address(base.to_owned()))?;
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            http,
            base,
            token: None,
        })
    }

    /// The same client, showing this access token.
    #[must_use]
    pub fn signed_in(&self, access_token: &str) -> Self {
        Self {
            token: Some(access_token.into()),
            ..self.clone()
        }
    }

    /// The same client, for the service at another address.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn at(&self, base: &str) -> Result<Self, Error> {
        let url = Url::parse(base).ok().filter(|url| !url.cannot_be_a_base());
        let base = url.ok_or_else(|| Error::Address(base.to_owned()))?;
        Ok(Self { base, ..self.clone() })
    }

    /// Where the service is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// A request of any kind, for what the typed methods do not offer (bad input, in tests).
    pub fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            // Each part is escaped: whatever is in an id or a handle stays in its place.
            segments.clear().extend(path);
        }
        url
    }

    async fn get<A: DeserializeOwned>(&self, path: &[&str]) -> Result<A, Error> {
        answer(self.request(Method::GET, path)).await
    }

    async fn page<A: DeserializeOwned>(
        &self,
        path: &[&str],
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<A, Error> {
        answer(
            self.request(Method::GET, path)
                .query(&[("cursor", cursor)])
                .query(&[("limit", limit)]),
        )
        .await
    }

    async fn send<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &B,
    ) -> Result<A, Error> {
        answer(self.request(method, path).json(body)).await
    }

    async fn create<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
        key: &str,
    ) -> Result<A, Error> {
        answer(
            self.request(Method::POST, path)
                .header(IDEMPOTENCY_KEY, key)
                .json(body),
        )
        .await
    }

    async fn act(&self, method: Method, path: &[&str]) -> Result<(), Error> {
        checked(self.request(method, path).send().await?).await.map(drop)
    }

    async fn act_with<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &[&str],
        body: &B,
    ) -> Result<(), Error> {
        checked(self.request(method, path).json(body).send().await?)
            .await
            .map(drop)
    }
}

async fn answer<A: DeserializeOwned>(request: RequestBuilder) -> Result<A, Error> {
    Ok(checked(request.send().await?).await?.json().await?)
}

/// The response if it is a success, else the problem in it.
///
/// # Errors
/// [`Error::Problem`], or [`Error::Unexpected`] for a failure that is no problem document.
pub async fn checked(response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == PROBLEM_MEDIA_TYPE);
    let body = response.bytes().await?;
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) if is_problem => Err(Error::Problem(Box::new(problem))),
        _ => Err(Error::Unexpected {
            status: status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }),
    }
}
