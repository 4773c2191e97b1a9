//! Bytes that are served again and again, compressed once and not for each request.
//!
//! Packing the API's document or the app's script takes milliseconds, so a few hundred requests a second for it were a core.
//! What was packed is remembered by its SHA-256: in a development build the app's files change while it runs.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Contents remembered; the app has some dozens. In a development build the oldest would pile up, so all are forgotten.
const REMEMBERED: usize = 256;
/// Of the hash, enough for a tag.
const TAG_BYTES: usize = 12;

static PACKED: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);

/// Something to be served.
pub(super) struct Content {
    /// Its media type.
    pub kind: HeaderValue,
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// It.
    pub bytes: Cow<'static, [u8]>,
    /// `Cache-Control`.
    pub cache: &'static str,
}

impl Content {
    /// The answer to a request with these headers.
    pub(super) fn answer(self, headers: &HeaderMap) -> Response {
        let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&self.hash[..TAG_BYTES]));
        let tag = HeaderValue::try_from(tag).expect("base64 in quotes is a header's value");
        let known = headers.get(IF_NONE_MATCH) == Some(&tag);
        let packed = !known && is_packable(&self.kind) && takes_gzip(headers);
        let mut response = match (known, packed) {
            (true, _) => StatusCode::NOT_MODIFIED.into_response(),
            (false, true) => Body::from(gzip(self.hash, &self.bytes)).into_response(),
            (false, false) => match self.bytes {
                Cow::Borrowed(bytes) => Body::from(bytes).into_response(),
                Cow::Owned(bytes) => Body::from(bytes).into_response(),
            },
        };
        let out = response.headers_mut();
        out.insert(CACHE_CONTROL, HeaderValue::from_static(self.cache));
        out.insert(ETAG, tag);
        out.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if packed {
            out.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if !known {
            out.insert(CONTENT_TYPE, self.kind);
        }
        response
    }
}

fn gzip(hash: [u8; 32], bytes: &[u8]) -> Bytes {
    // Held while it packs: whoever asks for the same meanwhile waits for it instead of doing it too.
    let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = packed.get(&hash) {
        return known.clone();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let fresh = Bytes::from(done.expect("writing into memory cannot fail"));
    if packed.len() >= REMEMBERED {
        packed.clear();
    }
    packed.insert(hash, fresh.clone());
    fresh
}

/// Pictures, sounds and fonts are packed already.
fn is_packable(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or_default();
    kind.starts_with("text/")
        || ["javascript", "json", "svg", "wasm", "xml"]
            .iter()
            .any(|name| kind.contains(name))
}

/// RFC 9110, 12.5.3: `gzip` is listed, and not with the weight 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|q| q.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    const TEXT: &[u8] =
        b"a text that is served again, a text that is served again, a text that is served again";

    fn content(kind: &'static str) -> Content {
        Content {
            kind: HeaderValue::from_static(kind),
            hash: mitalk_actors::secrets::sha256(TEXT),
            bytes: TEXT.into(),
            cache: "no-cache",
        }
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap()
            .to_vec()
    }

    #[test]
    fn a_content_is_packed_once() {
        let hash = mitalk_actors::secrets::sha256(TEXT);
        let (first, second) = (gzip(hash, TEXT), gzip(hash, TEXT));
        assert_eq!(first.as_ptr(), second.as_ptr(), "the same bytes, not equal ones");
    }

    #[tokio::test]
    async fn whoever_takes_gzip_gets_it_and_who_has_it_gets_nothing() {
        let asks = |coding: &str| HeaderMap::from_iter([(ACCEPT_ENCODING, coding.parse().unwrap())]);
        for coding in ["gzip", "br, gzip;q=0.5", "GZIP"] {
            let packed = content("text/css").answer(&asks(coding));
            assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip", "{coding}");
            let mut text = Vec::new();
            let packed = body(packed).await;
            flate2::read::GzDecoder::new(&packed[..])
                .read_to_end(&mut text)
                .unwrap();
            assert_eq!(text, TEXT);
        }
        for (kind, coding) in [
            ("text/css", "br"),
            ("text/css", "gzip;q=0"),
            ("image/png", "gzip"),
        ] {
            let plain = content(kind).answer(&asks(coding));
            assert!(!plain.headers().contains_key(CONTENT_ENCODING), "{kind} {coding}");
            assert_eq!(body(plain).await, TEXT);
        }
        let tag = content("text/css").answer(&HeaderMap::new()).headers()[ETAG].clone();
        let again = content("text/css").answer(&HeaderMap::from_iter([(IF_NONE_MATCH, tag)]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(body(again).await.is_empty());
    }
}
