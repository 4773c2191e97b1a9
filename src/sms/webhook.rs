//! Texts are posted to a service of the operator's, signed ([`super::signing`]); it gives them to whatever provider it has.
//!
//! The body is JSON, [`Body`]. The status counts: 2xx is taken, 400, 413 and 422 refuse this message for good, all others
//! mean later. `webhook-id` is the message's key: a text that comes again has the same one.

use super::signing::{ID, SIGNATURE, Signer, TIMESTAMP};
use super::{judge, kind, words};
use crate::outbound;
use async_trait::async_trait;
use mitalk_actors::ports::{Message, Sms, SmsError, SmsMessage};
use mitalk_cluster::{Clock as _, SystemClock};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use serde::Serialize;

/// The message itself is at fault, whenever it is sent.
const REFUSED: [StatusCode; 3] = [
    StatusCode::BAD_REQUEST,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// What is posted.
#[derive(Serialize)]
struct Body<'a> {
    /// The key, as in the header.
    id: &'a str,
    /// `code`, `invited` or `admitted`.
    kind: &'a str,
    /// E.164.
    to: &'a str,
    /// The words, in the receiver's language as far as it is known.
    text: &'a str,
    /// Alone, for services with texts of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

/// The adapter.
pub(super) struct Webhook {
    url: String,
    signer: Signer,
    site: words::Site,
    client: Client,
}

impl Webhook {
    pub(super) fn new(url: String, signer: Signer, site: words::Site, client: Client) -> Self {
        Self {
            url,
            signer,
            site,
            client,
        }
    }
}

#[async_trait]
impl Sms for Webhook {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        let text = words::text(&message, &self.site);
        let body = Body {
            id: &message.key.0,
            kind: kind(&message.message),
            to: message.to.e164(),
            text: &text,
            code: match &message.message {
                Message::Code { code } => Some(code),
                _ => None,
            },
        };
        let body = serde_json::to_vec(&body).map_err(|error| SmsError::Refused {
            reason: error.to_string(),
        })?;
        let at_s = SystemClock.wall().0 / 1_000;
        let request = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ID, &message.key.0)
            .header(TIMESTAMP, at_s)
            .header(SIGNATURE, self.signer.sign(&message.key.0, at_s, &body))
            .body(body);
        let answer = outbound::send(request).await;
        judge(
            answer,
            |status| status.is_success(),
            |status| REFUSED.contains(&status),
        )
    }
}
