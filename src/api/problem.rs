//! How anything that goes wrong becomes a problem document (RFC 9457).
//!
//! A handler answers with an [`Error`]; the response only carries it. The document is written at the edge
//! ([`super::edge`]), which knows the request's id and language, and which also writes one for every bare error status
//! that some layer answered with.

use super::codes::{self, Code};
use super::language::Language;
use crate::wire::problem::Problem;
use axum::http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Where `type` names start. A name, nothing is served there.
const NAMES: &str = "https://mitalk.example/problems/";

/// What went wrong, before it is known who is told in which language.
#[derive(Clone, Debug)]
pub struct Error {
    code: &'static Code,
    detail: Option<String>,
    field: Option<String>,
    retry_after: Option<Duration>,
}

impl Error {
    /// A row of the table, with nothing more said.
    pub fn new(code: &'static Code) -> Self {
        Self {
            code,
            detail: None,
            field: None,
            retry_after: None,
        }
    }

    /// A field of the request that is not right.
    ///
    /// `field` is a JSON pointer, `detail` says what is wrong and what to do.
    pub fn field(code: &'static Code, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(code).detail(detail).at(field)
    }

    /// An error of the domain, by its stable code.
    pub fn domain(code: &str, detail: String, retry_after: Option<Duration>) -> Self {
        let Some(row) = codes::find(code) else {
            // Only a bug gets here: a test holds the domain's codes against the table.
            tracing::error!(code, "a code of the domain is not in the table");
            return Self::new(codes::INTERNAL);
        };
        // What is wrong inside is for the log, not for clients.
        let detail = if row.status.is_server_error() {
            tracing::warn!(code, reason = detail, "the domain could not answer");
            None
        } else {
            Some(detail)
        };
        Self {
            detail,
            retry_after,
            ..Self::new(row)
        }
    }

    /// Adds the field at fault, as a JSON pointer.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds what is wrong in this request and what to do about it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds when the same request may succeed.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The row.
    pub fn code(&self) -> &'static Code {
        self.code
    }

    /// The document, for a client's language.
    pub fn document(&self, language: Language, request_id: Option<&str>) -> Problem {
        Problem {
            kind: format!("{NAMES}{}", self.code.code),
            title: self.code.title(language).to_owned(),
            status: self.code.status.as_u16(),
            code: self.code.code.to_owned(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            retry_after: self.retry_after.map(whole_seconds),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The finished response.
    pub fn response(&self, language: Language, request_id: &str) -> Response {
        let document = self.document(language, Some(request_id));
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.code.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        if let Some(seconds) = document.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<&'static Code> for Error {
    fn from(code: &'static Code) -> Self {
        Self::new(code)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = StatusCode::into_response(self.code.status);
        response.extensions_mut().insert(self);
        response
    }
}

/// Rounded up: a client that comes back early is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
    }

    #[test]
    fn details_of_our_own_faults_stay_inside() {
        let error = Error::domain("store_unavailable", "disk I/O error on /data".into(), None);
        assert_eq!(error.document(Language::En, None).detail, None);
        let error = Error::domain("handle_taken", "ann is taken".into(), None);
        assert_eq!(
            error.document(Language::En, None).detail.as_deref(),
            Some("ann is taken")
        );
        assert_eq!(
            Error::domain("no such code", String::new(), None).code(),
            codes::INTERNAL
        );
    }
}
