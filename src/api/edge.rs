//! The outermost layer of both listeners: what every request gets and every response has.
//!
//! In order: the context (id, trace, language, address), the rate limit of whom the address stands for (one for the API, a
//! larger one for all other paths), the time limit, a net for panics;
//! then, on the way out, the problem document for everything that went wrong, the request id, metrics and one log line.

use super::context::REQUEST_ID;
use super::extract::{BodyLimit, read_body};
use super::metrics::Metrics;
use super::problem::{Error, MEDIA_TYPE};
use super::rates::Limiter;
use super::repeats::{IDEMPOTENCY_KEY, Keyed, Repeats};
use super::{Context, codes};
use crate::config::Http;
use crate::server::Peer;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use mitalk_actors::caller::network_of;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// Marks a response whose error status is its answer, with a body of its own: `/readyz`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intended;

/// What the layer needs to know.
pub(crate) struct Edge {
    /// The listener's settings.
    pub http: Http,
    /// What the API's paths start with. Others are files and probes: limited apart, and not in the log.
    pub api: &'static str,
    /// Each request to the API stands in the log, not only at its level `debug`.
    pub audited: bool,
    /// Requests to the API, per address.
    pub addresses: Limiter<IpAddr>,
    /// All others, per address: a page loads dozens of files at once.
    pub files: Limiter<IpAddr>,
    /// What came under which `Idempotency-Key`.
    pub repeats: Arc<Repeats>,
    /// Requests, answers and refusals are counted here.
    pub metrics: Metrics,
}

/// The layer, for [`axum::middleware::from_fn_with_state`].
pub(crate) async fn edge(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<Peer>().copied().unwrap_or_default();
    let context = Context::read(request.headers(), peer.0, &edge.http);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", |path| path.as_str())
        .to_owned();
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with(edge.api);
    request.extensions_mut().insert(context.clone());
    request
        .extensions_mut()
        .insert(BodyLimit(edge.http.max_body_bytes));

    let trace_id = context.trace.id();
    let span = tracing::info_span!("request", id = %context.request_id, trace_id, %method, route);
    let limiter = if is_api { &edge.addresses } else { &edge.files };
    let mut response = match limiter.check(&network_of(context.address)) {
        Ok(()) => {
            let limit = Duration::from_millis(edge.http.request_timeout_ms);
            answer(&edge, request, next, limit).instrument(span.clone()).await
        }
        Err(wait) => Error::new(codes::RATE_LIMITED).retry_after(wait).into_response(),
    };
    response = finished(response, &context);
    let _in_span = span.enter();
    let status = response.status();
    edge.metrics.answered(&method, &route, status, started.elapsed());
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), elapsed_ms, "request failed");
    } else if is_api && edge.audited {
        tracing::info!(status = status.as_u16(), elapsed_ms, "request");
    } else if is_api {
        tracing::debug!(status = status.as_u16(), elapsed_ms, "request");
    }
    response
}

/// The handler's answer, in time and without panics.
async fn answer(edge: &Edge, request: Request, next: Next, limit: Duration) -> Response {
    let handled = async {
        if !request.headers().contains_key(IDEMPOTENCY_KEY) {
            return next.run(request).await;
        }
        match keyed(edge, request).await {
            Ok((request, keyed)) => {
                let response = next.run(request).await;
                if response.status().is_success() {
                    keyed.done(Instant::now());
                }
                response
            }
            Err(error) => error.into_response(),
        }
    };
    let guarded = AssertUnwindSafe(handled).catch_unwind();
    let error = match tokio::time::timeout(limit, guarded).await {
        Ok(Ok(response)) => return response,
        // The panic hook has said where, on standard error.
        Ok(Err(_)) => codes::INTERNAL,
        Err(_) => codes::TIMED_OUT,
    };
    Error::new(error).into_response()
}

/// Reads the body of a request that may be a repeat: what came with its key before is recognised by it.
async fn keyed(edge: &Edge, request: Request) -> Result<(Request, Keyed), Error> {
    let (mut parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, edge.http.max_body_bytes).await?;
    let keyed = Keyed::new(edge.repeats.clone(), mitalk_actors::secrets::sha256(&body));
    parts.extensions.insert(keyed.clone());
    Ok((Request::from_parts(parts, Body::from(body)), keyed))
}

/// Writes the problem document where one is due, and the headers that every response has.
fn finished(response: Response, context: &Context) -> Response {
    let mut response = match response.extensions().get::<Error>() {
        Some(error) => problem(error, &response, context),
        None if is_bare_error(&response) => problem(
            &Error::new(codes::of_status(response.status())),
            &response,
            context,
        ),
        None => response,
    };
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    if unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The document in place of `response`, with the one header that says what to do instead.
fn problem(error: &Error, response: &Response, context: &Context) -> Response {
    let mut problem = error.response(context.language, &context.request_id);
    if let Some(allow) = response.headers().get(ALLOW) {
        problem.headers_mut().insert(ALLOW, allow.clone());
    }
    problem
}

fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let written = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == MEDIA_TYPE);
    let intended = response.extensions().get::<Intended>().is_some();
    (status.is_client_error() || status.is_server_error()) && !written && !intended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rates;
    use crate::wire::problem::Problem;
    use axum::Router;
    use axum::routing::get;
    use prometheus::Registry;
    use tower::ServiceExt as _;

    /// Requests for files that one address may make at once.
    const FILES: u32 = 3;

    fn router() -> Router {
        let rates = Rates::default();
        let layer = Arc::new(Edge {
            http: Http::default(),
            api: "/v1/",
            audited: false,
            addresses: Limiter::new(rates.per_address_rps, rates.per_address_burst, rates.remembered),
            files: Limiter::new(1, FILES, rates.remembered),
            repeats: Arc::default(),
            metrics: Metrics::new(&Registry::new()).unwrap(),
        });
        let panics = || async { panic!("a bug") as &'static str };
        Router::new()
            .route("/v1/panics", get(panics))
            .route("/v1/hangs", get(std::future::pending::<&'static str>))
            .route("/v1/bare", get(|| async { StatusCode::CONFLICT }))
            .route("/v1/fine", get(|| async { "fine" }))
            .route("/file.js", get(|| async { "fine" }))
            .layer(axum::middleware::from_fn_with_state(layer, edge))
    }

    async fn ask(path: &str) -> (StatusCode, Option<Problem>) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router().oneshot(request).await.unwrap();
        assert!(
            response.headers().contains_key(REQUEST_ID),
            "every answer has its request's id"
        );
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).ok())
    }

    #[tokio::test]
    async fn files_are_limited_too_and_an_ipv6_customer_is_one() {
        let router = router();
        let ask = async |path: &str, host: u16| {
            let peer = format!("[2001:db8::{host:x}]:1").parse().unwrap();
            let request = Request::builder().uri(path).extension(Peer(peer));
            let request = request.body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        for host in 0..FILES as u16 {
            assert_eq!(ask("/file.js", host).await, StatusCode::OK);
        }
        assert_eq!(ask("/file.js", 100).await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(ask("/v1/fine", 100).await, StatusCode::OK, "the API has its own");
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_goes_wrong_inside_is_a_problem_document() {
        for (path, code) in [
            ("/v1/panics", codes::INTERNAL),
            ("/v1/hangs", codes::TIMED_OUT),
            ("/v1/bare", codes::CONFLICT),
            ("/v1/nothing", codes::NOT_FOUND),
        ] {
            let (status, problem) = ask(path).await;
            assert_eq!(status, code.status, "{path}");
            assert_eq!(problem.unwrap().code, code.code, "{path}");
        }
        assert_eq!(ask("/v1/fine").await.0, StatusCode::OK);
    }
}
