//! The operations listener: metrics, health, readiness and the admin API.
//!
//! It is for operators and their machines and is kept off the Internet; only the admin API asks for a token, because
//! only it changes anything. Its errors are problem documents, as the application's are.

mod admin;
mod health;

use crate::api::{Api, Context, Edge, Error, Limiter, Metrics, bearer, codes, edge};
use crate::config::{Config, Http};
use crate::events::kafka::Kafka;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mitalk_actors::Mitalk;
use mitalk_actors::caller::network_of;
use prometheus::{Registry, TextEncoder};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Requests per second of one operator's address: scripts that import lists are welcome.
const RATE_RPS: u32 = 1_000;
/// Addresses of operators that are remembered.
const REMEMBERED: usize = 1_000;
/// Wrong tokens of one address per second, in the long run and at once: more are not even looked into the log.
const WRONG_RPS: u32 = 1;
const WRONG_BURST: u32 = 10;

/// What the operations listener serves from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Operations(Arc<Inner>);

struct Inner {
    mitalk: Mitalk,
    media: mitalk_media::Handle,
    kafka: Option<Kafka>,
    api: Api,
    registry: Registry,
    metrics: Metrics,
    admin_token: String,
    test_admission: bool,
    config: Config,
    stopping: AtomicBool,
    wrong: Limiter<IpAddr>,
}

/// What [`Operations`] is built from.
pub(crate) struct Parts {
    /// The domain.
    pub mitalk: Mitalk,
    /// For readiness.
    pub media: mitalk_media::Handle,
    /// For readiness, where it keeps the event log.
    pub kafka: Option<Kafka>,
    /// For the tokens of test accounts.
    pub api: Api,
    /// All metrics of this process.
    pub registry: Registry,
    /// Answers are counted together with the application's.
    pub metrics: Metrics,
    /// What operators show.
    pub admin_token: String,
}

impl Operations {
    /// See the module.
    pub(crate) fn new(config: &Config, parts: Parts) -> Self {
        Self(Arc::new(Inner {
            mitalk: parts.mitalk,
            media: parts.media,
            kafka: parts.kafka,
            api: parts.api,
            registry: parts.registry,
            metrics: parts.metrics,
            admin_token: parts.admin_token,
            test_admission: config.admin.test_admission,
            config: config.clone(),
            stopping: AtomicBool::new(false),
            wrong: Limiter::new(WRONG_RPS, WRONG_BURST, REMEMBERED),
        }))
    }

    /// From now on the node says that it is not ready: it is about to stop.
    pub(crate) fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Everything that the operations listener serves.
    pub(crate) fn router(&self) -> Router {
        let outermost = Arc::new(Edge {
            // Nobody stands before this listener: what a peer says of where it comes from counts nothing.
            http: Http {
                trusted_proxies: Vec::new(),
                ..self.0.config.http.clone()
            },
            api: "/admin/",
            audited: true,
            addresses: Limiter::new(RATE_RPS, RATE_RPS, REMEMBERED),
            files: Limiter::new(RATE_RPS, RATE_RPS, REMEMBERED),
            repeats: Arc::default(),
            metrics: self.0.metrics.clone(),
        });
        let guard = axum::middleware::from_fn_with_state(self.clone(), guard);
        Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .merge(admin::routes(self.0.test_admission).route_layer(guard))
            .with_state(self.clone())
            .layer(axum::middleware::from_fn_with_state(outermost, edge))
    }

    /// How long an operator's action may take.
    fn deadline(&self) -> Duration {
        Duration::from_millis(self.0.config.http.request_timeout_ms)
    }
}

/// Lets operators in who show the token.
async fn guard(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let shown = match bearer(request.headers()) {
        Ok(token) => token,
        Err(error) => return error.into_response(),
    };
    if !mitalk_actors::secrets::same(shown.as_bytes(), operations.0.admin_token.as_bytes()) {
        let context = request.extensions().get::<Context>().cloned().unwrap_or_default();
        if let Err(wait) = operations.0.wrong.check(&network_of(context.address)) {
            return Error::new(codes::RATE_LIMITED).retry_after(wait).into_response();
        }
        tracing::warn!("an operator's token was refused");
        return Error::new(codes::TOKEN_INVALID)
            .detail("This is not the operators' token")
            .into_response();
    }
    next.run(request).await
}

/// Prometheus' text format.
async fn metrics(State(operations): State<Operations>) -> Response {
    match TextEncoder::new().encode_to_string(&operations.0.registry.gather()) {
        Ok(text) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
