//! Whether a web page may open a live socket.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Browsers send the page's origin with every WebSocket and no cross-origin rule protects it, so it is checked here.
/// What is no browser sends none, and is held by its token alone.
pub(super) fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|allowed| allowed == origin) {
        return true;
    }
    // The page came from the very host that it asks: whatever name or address people reach us by.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let page = origin.split_once("://").map(|(_, host)| host);
    page.is_some() && page == host
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_our_own_pages_may_connect() {
        let allowed = ["https://talk.example.org".to_owned()];
        let check = |origin: Option<&'static str>, host: &'static str| {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            is_allowed(&headers, &allowed)
        };
        assert!(check(None, "x"));
        assert!(check(Some("https://talk.example.org"), "10.0.0.1:8080"));
        assert!(check(Some("http://localhost:8080"), "localhost:8080"));
        assert!(!check(Some("https://evil.example"), "talk.example.org"));
        assert!(!check(Some("http://localhost:5173"), "localhost:8080"));
        assert!(!check(Some("null"), "localhost:8080"));
    }
}
