//! Web Push: the adapter behind `mitalk_actors::ports::Push`.
//!
//! A message is encrypted for the browser (RFC 8291) and posted to its maker's push service (RFC 8030), with a token that
//! says who sends (RFC 8292). Endpoints and keys are in no log; where messages may go is configured ([`Config::services`]).

mod config;
mod message;
mod services;
pub mod vapid;

pub use config::Config;
pub use services::{AT_ONCE, MAX_SERVICES, NoService, Services};

use crate::outbound::{self, Answer};
use async_trait::async_trait;
use mitalk_actors::ports::{self, PushError, PushMessage};
use mitalk_actors::push::Subscription;
use mitalk_cluster::Clock;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use vapid::{Keys, Signer};

/// Before a push service is asked again, where it does not say.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The same where it has too much to do by what we sent.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);
/// A push service that does not take our token is asked again so much later: somebody has to mend it.
const NOT_BELIEVED: Duration = Duration::from_secs(10 * 60);

/// Sends nothing: Web Push is switched off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Off;

/// Sends by push services.
pub struct WebPush {
    services: Services,
    signer: Signer,
    client: Client,
}

/// Why it cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The list of services.
    #[error("push.services {0}")]
    Services(#[from] NoService),
    /// TLS.
    #[error("requests to push services: {0}")]
    Client(#[from] reqwest::Error),
}

impl WebPush {
    /// As configured, with the service's keys.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(
        config: &Config,
        public_url: &str,
        keys: Keys,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let (contact, _) = config.contact(public_url);
        Ok(Self {
            services: Services::parse(&config.services)?,
            signer: Signer::new(keys, contact, clock),
            client: outbound::client()?,
        })
    }
}

#[async_trait]
impl ports::Push for WebPush {
    fn server_key(&self) -> Option<&str> {
        Some(self.signer.public())
    }

    fn accepts(&self, to: &Subscription) -> bool {
        self.services.has(&to.endpoint) && message::has_keys(to)
    }

    async fn push(&self, message: PushMessage) -> Result<(), PushError> {
        let refused = |reason: &str| PushError::Refused {
            reason: reason.to_owned(),
        };
        let found = self.services.find(&message.to.endpoint);
        let (url, place) =
            found.ok_or_else(|| refused("its push service is not in push.services any more"))?;
        let retry_after = BUSY_RETRY_AFTER;
        let _place = place.ok_or(PushError::Busy { retry_after })?;
        let body = message::encrypted(message::payload(&message), &message.to)
            .ok_or_else(|| refused("it cannot be encrypted"))?;
        let authorization = self
            .signer
            .authorization(&url)
            .map_err(|error| refused(&format!("it cannot be signed: {error}")))?;
        let request = self
            .client
            .post(url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("TTL", message.ttl.as_secs().to_string())
            .header("Urgency", if message.is_urgent { "high" } else { "normal" })
            .header("Topic", message.topic)
            .body(body);
        match outbound::send(request).await {
            Ok(answer) => outcome(&answer),
            Err(error) => Err(PushError::Unavailable {
                reason: error.to_string(),
                retry_after: RETRY_AFTER,
            }),
        }
    }
}

/// RFC 8030, 5 and 8.4; its body says nothing that we can act on.
fn outcome(answer: &Answer) -> Result<(), PushError> {
    let reason = format!("status {}", answer.status.as_u16());
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(PushError::Gone),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(later(reason, answer)),
        status if status.is_server_error() => Err(later(reason, answer)),
        // They are about our token, which a wrong clock spoils for everybody until somebody mends it.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(PushError::Unavailable {
            reason,
            retry_after: NOT_BELIEVED,
        }),
        _ => Err(PushError::Refused { reason }),
    }
}

fn later(reason: String, answer: &Answer) -> PushError {
    let retry_after = answer.retry_after.unwrap_or(RETRY_AFTER);
    PushError::Unavailable { reason, retry_after }
}

#[async_trait]
impl ports::Push for Off {
    fn server_key(&self) -> Option<&str> {
        None
    }

    fn accepts(&self, _: &Subscription) -> bool {
        false
    }

    async fn push(&self, _: PushMessage) -> Result<(), PushError> {
        let reason = "Web Push is switched off".to_owned();
        Err(PushError::Refused { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_subscription_that_is_gone_is_taken_for_gone() {
        let of = |status: u16, retry_after: Option<u64>| {
            outcome(&Answer {
                status: StatusCode::from_u16(status).unwrap(),
                retry_after: retry_after.map(Duration::from_secs),
                body: vec![],
            })
        };
        assert_eq!(of(201, None), Ok(()));
        assert_eq!(of(202, None), Ok(()));
        for gone in [404, 410] {
            assert_eq!(of(gone, None), Err(PushError::Gone));
        }
        for (status, said, waited) in [
            (429, Some(60), 60),
            (503, None, 5),
            (500, Some(7), 7),
            (408, None, 5),
        ] {
            let Err(PushError::Unavailable { retry_after, .. }) = of(status, said) else {
                panic!("{status} may pass");
            };
            assert_eq!(retry_after, Duration::from_secs(waited));
        }
        for not_believed in [401, 403] {
            let Err(PushError::Unavailable { retry_after, .. }) = of(not_believed, None) else {
                panic!("{not_believed} is about us");
            };
            assert_eq!(retry_after, NOT_BELIEVED);
        }
        for never in [301, 400, 413] {
            assert!(
                matches!(of(never, None), Err(PushError::Refused { .. })),
                "{never}"
            );
        }
    }
}
