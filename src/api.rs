//! The application's HTTP edge: `/v1`, the live socket, the OpenAPI document and the web app.
//!
//! Thin on purpose: it parses, authenticates, limits, asks [`Mitalk`] one thing and gives the answer its wire form.
//! The order of layers is in `edge`; what can go wrong is the table in [`codes`]; the wire types are [`crate::wire`].
//!
//! Invariants: everything that is not a success is a problem document; every route is in the OpenAPI document, because
//! both come from the same list; nothing is decided here that two nodes could decide differently.

mod caller;
pub mod codes;
mod context;
mod edge;
mod etag;
mod export;
mod extract;
mod headers;
mod language;
mod live;
mod metrics;
mod openapi;
mod packed;
mod present;
mod problem;
mod rates;
mod repeats;
mod routes;
mod tokens;
mod web;

pub(crate) use caller::bearer;
pub use context::Context;
pub(crate) use edge::{Edge, Intended, edge};
pub(crate) use extract::{Json, Path, Query};
pub use metrics::Metrics;
pub use openapi::document as openapi_document;
pub use problem::{Error, MEDIA_TYPE as PROBLEM_MEDIA_TYPE};
pub use rates::Limiter;
pub(crate) use repeats::request_id;
pub use tokens::Tokens;

use crate::config::{Config, Http, Rates};
use crate::sms::Receipts;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use live::Sockets;
use mitalk_actors::id::UserId;
use mitalk_actors::{Limits, Mitalk};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tower_http::compression::CompressionLayer;

/// The domain's deadline is so much shorter than the request's: its own answer says more than a cut.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// Files of the app are allowed so many times as often as requests to the API: one page is dozens of them.
const FILES_FACTOR: u32 = 4;

/// The application's HTTP edge. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    mitalk: Mitalk,
    tokens: Tokens,
    receipts: Receipts,
    http: Http,
    rates: Rates,
    limits: Limits,
    deadline: Duration,
    accounts: Limiter<UserId>,
    metrics: Metrics,
    sockets: Sockets,
    /// Origins of web pages that may open live sockets, beside the host that was asked.
    origins: Vec<String>,
}

impl Api {
    /// For the domain, with the address in fact listened on.
    pub fn new(
        config: &Config,
        listening: SocketAddr,
        (mitalk, tokens, receipts): (Mitalk, Tokens, Receipts),
        metrics: Metrics,
    ) -> Self {
        let rates = &config.rates;
        let timeout = Duration::from_millis(config.http.request_timeout_ms);
        let origins =
            std::iter::once(config.http.url(listening)).chain(config.http.allowed_origins.iter().cloned());
        Self(Arc::new(Inner {
            mitalk,
            tokens,
            receipts,
            http: config.http.clone(),
            rates: rates.clone(),
            limits: config.limits.clone(),
            deadline: timeout.saturating_sub(DEADLINE_MARGIN).max(timeout / 2),
            accounts: Limiter::new(rates.per_account_rps, rates.per_account_burst, rates.remembered),
            metrics,
            sockets: Sockets::new(config.limits.live.per_node),
            origins: origins.collect(),
        }))
    }

    /// Everything that the application's listener serves.
    pub fn router(&self) -> Router {
        let rates = &self.0.rates;
        let outermost = Arc::new(Edge {
            http: self.0.http.clone(),
            api: "/v1/",
            audited: false,
            addresses: Limiter::new(rates.per_address_rps, rates.per_address_burst, rates.remembered),
            files: Limiter::new(
                rates.per_address_rps.saturating_mul(FILES_FACTOR),
                rates.per_address_burst.saturating_mul(FILES_FACTOR),
                rates.remembered,
            ),
            repeats: Arc::default(),
            metrics: self.0.metrics.clone(),
        });
        let (routes, _) = openapi::routes().split_for_parts();
        routes
            .fallback(web::serve)
            .with_state(self.clone())
            .layer(axum::middleware::from_fn_with_state(outermost, edge))
            .layer(axum::middleware::from_fn_with_state(
                self.0.http.public_url.starts_with("https:"),
                headers::secure,
            ))
            .layer(CompressionLayer::new())
    }

    /// Tells all live sockets to move and closes them, at the latest after `limit`.
    pub async fn drain(&self, limit: Duration) {
        self.0.sockets.drain(limit).await;
    }

    /// Makes access tokens: also for test accounts, which sign in without a code.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }
}

/// `GET /openapi.json`.
#[utoipa::path(
    get, path = "/openapi.json", tag = "meta", security(()),
    responses((status = 200, description = "This document", content_type = "application/json")),
)]
async fn openapi_json(headers: HeaderMap) -> Response {
    static DOCUMENT: OnceLock<(Vec<u8>, [u8; 32])> = OnceLock::new();
    let (bytes, hash) = DOCUMENT.get_or_init(|| {
        let text = openapi_document()
            .to_json()
            .expect("a document of text and numbers is always JSON");
        let hash = mitalk_actors::secrets::sha256(text.as_bytes());
        (text.into_bytes(), hash)
    });
    let content = packed::Content {
        kind: HeaderValue::from_static("application/json"),
        hash: *hash,
        bytes: bytes.into(),
        cache: "no-cache",
    };
    content.answer(&headers)
}
