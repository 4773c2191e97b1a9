//! What handlers take in: JSON bodies, path parameters and query strings, with problems instead of axum's plain texts.

use super::codes;
use super::problem::Error;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The largest body that is read; the configuration lowers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit(pub usize);

/// A body must have arrived within so long after its head.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// So much of a body that is too large is read on, so that its sender hears the answer.
const MAX_THROWN_AWAY_BYTES: usize = 1024 * 1024;
/// Without a configured limit (in tests of a part).
const DEFAULT_BODY_BYTES: usize = 64 * 1024;

/// A JSON body of type `T`.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        if !is_json(&request) {
            return Err(codes::UNSUPPORTED_MEDIA_TYPE.into());
        }
        let most = request
            .extensions()
            .get::<BodyLimit>()
            .map_or(DEFAULT_BODY_BYTES, |limit| limit.0);
        let (parts, body) = request.into_parts();
        parse(&read_body(&parts.headers, body, most).await?).map(Self)
    }
}

fn is_json(request: &Request) -> bool {
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// A whole body.
///
/// # Errors
/// Larger than `most` bytes, too slow, or broken off.
pub(super) async fn read_body(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Error> {
    tokio::time::timeout(BODY_TIMEOUT, read(headers, body, most))
        .await
        .map_err(|_| Error::new(codes::REQUEST_TOO_SLOW))?
}

async fn read(headers: &HeaderMap, mut body: Body, most: usize) -> Result<Bytes, Error> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let mut kept = BytesMut::with_capacity(announced.unwrap_or_default().min(most));
    let mut seen = 0_usize;
    // A body that is too large is read on and thrown away, within reason: most clients listen only when they have sent
    // all, and would see a broken connection instead of the answer.
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::new(codes::BAD_REQUEST).detail("The body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= most {
            kept.extend_from_slice(&data);
        } else if seen > most.saturating_add(MAX_THROWN_AWAY_BYTES) {
            break;
        }
    }
    if seen > most {
        return Err(Error::new(codes::BODY_TOO_LARGE).detail(format!("At most {most} bytes are taken")));
    }
    Ok(kept.freeze())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // serde would take an array for an object, field by field.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => Error::field(codes::UNPROCESSABLE, "", "Send a JSON object"),
            Err(error) => malformed(&error),
        });
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() {
            Error::field(codes::UNPROCESSABLE, field, without_position(&error.to_string()))
        } else {
            malformed(&error)
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(codes::MALFORMED_JSON).detail(format!(
        "Not JSON at line {}, column {}: {}",
        error.line(),
        error.column(),
        without_position(&error.to_string())
    ))
}

/// serde_json's text without ` at line 1 column 2`, which says nothing to people who built the body with a library.
fn without_position(text: &str) -> String {
    text.rsplit_once(" at line ")
        .map_or(text, |(text, _)| text)
        .to_owned()
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/?".to_owned(),
        })
        .collect()
}

/// Path parameters. What does not parse does not exist: 404.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_: PathRejection| codes::NOT_FOUND.into())
    }
}

/// A query string. An unknown or wrong parameter is an error: a misspelt filter must not pass for none.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error: QueryRejection| {
                let detail =
                    std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Error::new(codes::UNPROCESSABLE).detail(format!("In the query string: {detail}"))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::people::ProfilePatch;

    async fn take(content_type: &str, body: impl Into<Body>) -> Result<Json<ProfilePatch>, Error> {
        let request = Request::builder()
            .header(CONTENT_TYPE, content_type)
            .extension(BodyLimit(100));
        Json::from_request(request.body(body.into()).unwrap(), &()).await
    }

    #[tokio::test]
    async fn each_kind_of_bad_body_has_its_code() {
        let json = "application/json; charset=utf-8";
        assert!(take(json, r#"{"name":"Ann"}"#).await.is_ok());
        for (body, code) in [
            ("", codes::MALFORMED_JSON),
            ("{", codes::MALFORMED_JSON),
            (r#"{} {}"#, codes::MALFORMED_JSON),
            ("\u{0}", codes::MALFORMED_JSON),
            (r#"{"nmae":"Ann"}"#, codes::UNPROCESSABLE),
            (r#"{"topics":[1]}"#, codes::UNPROCESSABLE),
            ("[]", codes::UNPROCESSABLE),
            (
                &format!(r#"{{"name":"{}"}}"#, "x".repeat(100)),
                codes::BODY_TOO_LARGE,
            ),
        ] {
            let error = take(json, body.to_owned()).await.err().unwrap();
            assert_eq!(error.code().code, code.code, "{body}");
        }
        let error = take("text/plain", "{}").await.err().unwrap();
        assert_eq!(error.code(), codes::UNSUPPORTED_MEDIA_TYPE);
    }

    #[tokio::test]
    async fn the_field_at_fault_is_named() {
        let error = take("application/json", r#"{"topics":["a",1]}"#)
            .await
            .err()
            .unwrap();
        let problem = error.document(super::super::language::Language::En, None);
        assert_eq!(problem.field.as_deref(), Some("/topics/1"));
        assert_eq!(
            problem.detail.as_deref(),
            Some("invalid type: integer `1`, expected a string")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let error = take("application/json", body).await.err().unwrap();
        assert_eq!(error.code(), codes::REQUEST_TOO_SLOW);
    }
}
