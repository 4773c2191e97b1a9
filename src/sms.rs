//! Text messages: the adapters behind `mitalk_actors::ports::Sms`, and what providers report back.
//!
//! - `log` sends nothing and prints one-time codes to the log, so that a developer can sign in;
//! - `webhook` posts each text, signed, to a service of the operator's;
//! - `template` speaks to one provider's HTTP API, as the configuration describes it;
//! - [`Receipts`] takes what became of a text.
//!
//! Invariants: an adapter sends a message once and repeats nothing by itself, and neither does the HTTP client below it: so a
//! code goes out at most once, and whoever repeats the others does it with the same key. Numbers, texts and what providers
//! answer (it may hold both) never reach a log; the development adapter's codes do, which is its purpose.

mod config;
mod file;
mod log;
mod metrics;
mod receipts;
mod signing;
mod template;
mod webhook;
mod words;

pub use config::{Config, Encoding, Method, Provider, Reports, Via, Webhook};
pub use log::{Line, Log, receiver};
pub use metrics::Metrics;
pub use receipts::{RECEIPT_BYTES, Receipts, Refused};
pub use signing::{SIGNATURE, Signer, TIMESTAMP};
pub use words::Site;

use crate::outbound::{self, Answer};
use async_trait::async_trait;
use mitalk_actors::ports::{Message, Sms, SmsError, SmsMessage};
use reqwest::StatusCode;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// When to try again, where the provider does not say.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Text messages cannot be sent as configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened or read.
    #[error("{key}: {}: {source}", path.display())]
    File {
        /// The key that names it.
        key: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// What is in it cannot be used.
    #[error("{key}: {}: {reason}", path.display())]
    Secret {
        /// The key that names it.
        key: &'static str,
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The configuration itself; it was not checked.
    #[error("{0} {1}")]
    Config(&'static str, String),
    /// TLS cannot be set up on this machine.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Opens what the configuration says.
///
/// # Errors
/// [`Error`].
pub fn open(config: &Config, site: Site, metrics: &Metrics) -> Result<(Counted, Receipts), Error> {
    let (sms, receipts): (Box<dyn Sms>, _) = match config.via {
        Via::Log => (Box::new(Log::new(config)?), Receipts::none(metrics.clone())),
        Via::Webhook => {
            let signer = config.webhook.signer()?;
            let receipts = Receipts::signed(signer.clone(), metrics.clone());
            let url = config.webhook.url.clone();
            (
                Box::new(webhook::Webhook::new(url, signer, site, outbound::client()?)),
                receipts,
            )
        }
        Via::Http => {
            let receipts = Receipts::reported(&config.http.receipts, metrics.clone())?;
            let provider = template::Template::new(&config.http, site, outbound::client()?)?;
            (Box::new(provider), receipts)
        }
    };
    let metrics = metrics.clone();
    Ok((Counted { sms, metrics }, receipts))
}

/// What a message is, in metrics and to receivers.
fn kind(message: &Message) -> &'static str {
    match message {
        Message::Code { .. } => "code",
        Message::Invited { .. } => "invited",
        Message::Admitted => "admitted",
    }
}

/// An adapter whose messages are counted.
pub struct Counted {
    sms: Box<dyn Sms>,
    metrics: Metrics,
}

#[async_trait]
impl Sms for Counted {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        let kind = kind(&message.message);
        let sent = self.sms.send(message).await;
        self.metrics.sent(kind, &sent);
        sent
    }
}

/// What an answer, or the lack of one, says about the message.
fn judge(
    answer: Result<Answer, reqwest::Error>,
    taken: impl Fn(StatusCode) -> bool,
    refused: impl Fn(StatusCode) -> bool,
) -> Result<(), SmsError> {
    let answer = answer.map_err(|error| SmsError::Unavailable {
        reason: outbound::reason(&error).to_owned(),
        retry_after: RETRY_AFTER,
    })?;
    let reason = format!("status {}", answer.status.as_u16());
    match answer.status {
        status if taken(status) => Ok(()),
        status if refused(status) => Err(SmsError::Refused { reason }),
        // Not one of the failures by which a number is told from a provider.
        StatusCode::TOO_MANY_REQUESTS => Err(SmsError::Busy {
            retry_after: answer.retry_after.unwrap_or(RETRY_AFTER),
        }),
        _ => Err(SmsError::Unavailable {
            reason,
            retry_after: answer.retry_after.unwrap_or(RETRY_AFTER),
        }),
    }
}
