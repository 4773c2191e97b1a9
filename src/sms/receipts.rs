//! Receipts: what became of a text, as whoever sent it reports.
//!
//! The operator's service signs them as texts are signed; a provider posts them to a URL that has a secret token. A receipt
//! changes nothing in the service and is kept nowhere: it is counted, by kind of text, and a failed one stands in the log with
//! the message's key, which holds no number. A repeated one is counted once, as far as this node remembers.

use super::config::Reports;
use super::signing::Signer;
use super::template::percent_encoded;
use super::{Error, Metrics, file};
use axum::http::HeaderMap;
use mitalk_actors::secrets::{same, sha256};
use mitalk_cluster::Timestamp;
use serde::Deserialize;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest receipt, in bytes: a state and a few ids.
pub const RECEIPT_BYTES: usize = 16 * 1024;
/// Receipts that are remembered, so that a repeat is not counted.
const REMEMBERED: usize = 4_096;
/// Shorter tokens could be guessed.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 16..=128;
/// Longer ones are not ours.
const KEY_CHARS: usize = 128;
/// The token's key in the configuration.
const TOKEN_FILE: &str = "sms.http.receipts.token_file";

/// Why a receipt was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not from whoever sends texts, or none are taken.
    #[error("the signature or token does not fit")]
    Stranger,
    /// It says nothing.
    #[error("the receipt has no message or no state")]
    Unreadable,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Delivered,
    Failed,
    #[serde(other)]
    Unknown,
}

/// Takes receipts. Cheap to clone.
#[derive(Clone)]
pub struct Receipts(Arc<Inner>);

struct Inner {
    from: From,
    metrics: Metrics,
    seen: Mutex<Seen>,
}

enum From {
    Nobody,
    Signed(Signer),
    Provider { token: String, reports: Reports },
}

#[derive(Default)]
struct Seen {
    order: VecDeque<[u8; 32]>,
    all: HashSet<[u8; 32]>,
}

impl Receipts {
    fn new(from: From, metrics: Metrics) -> Self {
        let seen = Mutex::default();
        Self(Arc::new(Inner { from, metrics, seen }))
    }

    /// Takes none.
    pub fn none(metrics: Metrics) -> Self {
        Self::new(From::Nobody, metrics)
    }

    /// From the operator's service.
    pub(super) fn signed(signer: Signer, metrics: Metrics) -> Self {
        Self::new(From::Signed(signer), metrics)
    }

    /// From a provider, if there is a token.
    pub(super) fn reported(reports: &Reports, metrics: Metrics) -> Result<Self, Error> {
        if reports.token_file.is_none() {
            return Ok(Self::none(metrics));
        }
        let (token, reports) = (token(reports)?, reports.clone());
        Ok(Self::new(From::Provider { token, reports }, metrics))
    }

    /// The path that the provider is told, with the token.
    pub(super) fn path(reports: &Reports) -> Result<String, Error> {
        Ok(format!("/v1/sms/receipts/{}", percent_encoded(&token(reports)?)))
    }

    /// One that is signed: JSON with the message's `id` and its `outcome`, `delivered` or `failed`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn take_signed(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refused> {
        #[derive(Deserialize)]
        struct Receipt {
            id: String,
            outcome: Outcome,
        }
        let From::Signed(signer) = &self.0.from else {
            return Err(Refused::Stranger);
        };
        // The signature's own id is of the receipt's sending, not of the text.
        signer.check(headers, body, now).ok_or(Refused::Stranger)?;
        let receipt: Receipt = serde_json::from_slice(body).map_err(|_| Refused::Unreadable)?;
        self.count(&receipt.id, receipt.outcome, receipt.id.as_bytes())
    }

    /// One from a provider, who has the token: a form, or JSON. Those who call one URL for all texts give no key; then its
    /// words tell a repeat.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn take(&self, given: &str, key: &str, body: &[u8]) -> Result<(), Refused> {
        let From::Provider { token, reports } = &self.0.from else {
            return Err(Refused::Stranger);
        };
        if !same(given.as_bytes(), token.as_bytes()) {
            return Err(Refused::Stranger);
        }
        let state = state(body, &reports.field).ok_or(Refused::Unreadable)?;
        let outcome = if reports.delivered.contains(&state) {
            Outcome::Delivered
        } else if reports.failed.contains(&state) {
            Outcome::Failed
        } else {
            Outcome::Unknown
        };
        self.count(key, outcome, if key.is_empty() { body } else { key.as_bytes() })
    }

    /// Counts what `same_as` tells from others.
    fn count(&self, key: &str, outcome: Outcome, same_as: &[u8]) -> Result<(), Refused> {
        if key.len() > KEY_CHARS || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refused::Unreadable);
        }
        let inner = &self.0;
        let seen = sha256(&[&[outcome as u8], same_as].concat());
        if !inner
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_new(seen)
        {
            return Ok(());
        }
        let kind = kind_of(key);
        let word = match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        };
        inner.metrics.received(kind, word);
        if outcome == Outcome::Failed {
            tracing::warn!(kind, key, "a text message did not arrive");
        }
        Ok(())
    }
}

impl Seen {
    fn is_new(&mut self, one: [u8; 32]) -> bool {
        if !self.all.insert(one) {
            return false;
        }
        self.order.push_back(one);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

/// What kind of text a key is of: events begin with the entity that they come from.
fn kind_of(key: &str) -> &'static str {
    match key.split('/').next() {
        Some("code") => "code",
        Some("invite") => "invited",
        Some("user") => "admitted",
        _ => "other",
    }
}

fn token(reports: &Reports) -> Result<String, Error> {
    let token = file::read(TOKEN_FILE, reports.token_file.as_deref())?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if TOKEN_CHARS.contains(&token.len()) && token.bytes().all(fits) {
        return Ok(token);
    }
    Err(Error::Secret {
        key: TOKEN_FILE,
        path: reports.token_file.clone().unwrap_or_default(),
        reason: "must have 16 to 128 letters, digits, - or _",
    })
}

/// The field's text, in JSON or in a form.
fn state(body: &[u8], field: &str) -> Option<String> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        let pairs: Vec<(String, String)> = form(body)?;
        return pairs
            .into_iter()
            .find_map(|(name, value)| (name == field).then_some(value));
    }
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let value = if field.starts_with('/') {
        json.pointer(field)
    } else {
        json.get(field)
    };
    match value? {
        serde_json::Value::String(text) => Some(text.clone()),
        // Providers have numbers of states, and flags.
        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}

fn form(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let url = reqwest::Url::parse(&format!("form:?{text}")).ok()?;
    Some(url.query_pairs().into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Encoder as _, Registry, TextEncoder};

    fn counted(registry: &Registry, line: &str) -> bool {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        String::from_utf8(text).unwrap().contains(line)
    }

    #[test]
    fn receipts_of_the_provider_are_counted_once_and_of_strangers_never() {
        let registry = Registry::new();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let reports = Reports {
            token_file: Some(path),
            ..Reports::default()
        };
        let receipts = Receipts::reported(&reports, Metrics::new(&registry).unwrap()).unwrap();
        let take = |token, key, body: &str| receipts.take(token, key, body.as_bytes());
        let (token, failed) = (
            "0123456789abcdef",
            "MessageSid=SM1&MessageStatus=undelivered&To=%2B49",
        );
        assert_eq!(
            take("0123456789abcdeg", "invite/a/1", failed),
            Err(Refused::Stranger)
        );
        assert_eq!(take(token, "a b", failed), Err(Refused::Unreadable));
        assert_eq!(
            take(token, "invite/a/1", "MessageSid=SM1"),
            Err(Refused::Unreadable)
        );
        for _ in 0..2 {
            take(token, "invite/a/1", failed).unwrap();
        }
        take(token, "", failed).unwrap();
        take(token, "code/1", r#"{"MessageStatus":"delivered"}"#).unwrap();
        take(token, "code/1", r#"{"MessageStatus":"sent"}"#).unwrap();
        for line in [
            r#"{kind="invited",outcome="failed"} 1"#,
            r#"{kind="other",outcome="failed"} 1"#,
            r#"{kind="code",outcome="delivered"} 1"#,
            r#"{kind="code",outcome="unknown"} 1"#,
        ] {
            assert!(counted(&registry, line), "{line}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for n in 0..2 * REMEMBERED {
            assert!(seen.is_new(sha256(&n.to_be_bytes())));
        }
        assert_eq!((seen.all.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn a_state_may_lie_deep() {
        let body = br#"{"results":[{"status":{"group":"DELIVERED"}}]}"#;
        assert_eq!(
            state(body, "/results/0/status/group").as_deref(),
            Some("DELIVERED")
        );
        assert_eq!(state(b"a=1&b=x%20y", "b").as_deref(), Some("x y"));
        assert_eq!(state(b"\xff", "b"), None);
    }

    #[test]
    fn a_state_may_be_a_number_or_a_flag() {
        assert_eq!(state(br#"{"status":3}"#, "status").as_deref(), Some("3"));
        assert_eq!(state(br#"{"ok":true}"#, "ok").as_deref(), Some("true"));
        for nothing in [
            &br#"{"status":null}"#[..],
            br#"{"status":{}}"#,
            br#"{"status":["3"]}"#,
        ] {
            assert_eq!(state(nothing, "status"), None);
        }
    }
}
