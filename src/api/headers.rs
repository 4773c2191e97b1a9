//! Headers that keep browsers from doing what nobody wants.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// Scripts, styles and connections of our own only; nobody frames us. `blob:` and `data:` are pictures and sounds that
/// the app makes itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; media-src 'self' blob: data:; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// What pages may ask the browser for: the microphone, and the screen to stay on while somebody talks.
const PERMISSIONS: &str = "microphone=(self), screen-wake-lock=(self), autoplay=(self), camera=(), geolocation=(), payment=(), usb=()";
/// Two years, where the service is reached by TLS. For its own host only: those below it may be other people's.
const STRICT_TRANSPORT: &str = "max-age=63072000";

/// The layer; its state says whether people reach the service by TLS.
pub(super) async fn secure(State(tls): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, X_FRAME_OPTIONS, "DENY");
    set(headers, REFERRER_POLICY, "same-origin");
    set(headers, CONTENT_SECURITY_POLICY, POLICY);
    set(
        headers,
        HeaderName::from_static("permissions-policy"),
        PERMISSIONS,
    );
    set(
        headers,
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        headers,
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    if tls {
        set(headers, STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    // Answers are one person's, and tokens are in some of them.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
