//! The web app, embedded into the binary (read from disk in debug builds).
//!
//! Assets have a hash in their name and are cached for a year; everything else is asked for again. A path without a dot
//! that is no file is the app's own (`/r/ID`, `/u/handle`): it gets `index.html`. A binary that was built without the app
//! says how to build it.

use super::codes;
use super::packed::Content;
use super::problem::Error;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct App;

const INDEX: &str = "index.html";
/// Where the build puts files with a hash in their name.
const HASHED: &str = "assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
/// Names that are not the app's, whether there is something behind them or not. Those of the operations listener among them:
/// a probe of the wrong port must not find everything well.
const RESERVED: [&str; 5] = ["v1", "admin", "healthz", "readyz", "metrics"];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Mi Talk</title>\
<h1>The web app is not in this build</h1>\
<p>The service is running: its API is at <a href=\"/openapi.json\">/openapi.json</a>.</p>\
<p>Run <code>make web</code>, which builds the app into <code>web/dist</code>, and build the service again \
(<code>make run</code> does both).</p></html>";

/// Answers whatever no route took.
pub(super) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path
        .split('/')
        .next()
        .is_some_and(|name| RESERVED.contains(&name))
    {
        return Error::new(codes::NOT_FOUND).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        // RFC 9110, 15.5.6: it must say what is allowed.
        return ([(ALLOW, "GET, HEAD")], Error::new(codes::METHOD_NOT_ALLOWED)).into_response();
    }
    let asked = if path.is_empty() { INDEX } else { path };
    if let Some(file) = App::get(asked) {
        return deliver(asked, file, &headers);
    }
    if asked != INDEX && asked.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Error::new(codes::NOT_FOUND).into_response();
    }
    match App::get(INDEX) {
        Some(file) => deliver(INDEX, file, &headers),
        None => (
            StatusCode::OK,
            [(CONTENT_TYPE, "text/html; charset=utf-8")],
            NOT_BUILT,
        )
            .into_response(),
    }
}

fn deliver(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let cache = if path.starts_with(HASHED) {
        FOREVER
    } else {
        ASK_AGAIN
    };
    let kind = HeaderValue::try_from(file.metadata.mimetype());
    let content = Content {
        kind: kind.unwrap_or(HeaderValue::from_static("application/octet-stream")),
        hash: file.metadata.sha256_hash(),
        bytes: file.data,
        cache,
    };
    content.answer(headers)
}
