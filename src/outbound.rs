//! Requests that the service makes to others: providers of text messages, push services.
//!
//! What comes back is a stranger's: it is read up to [`ANSWER_BYTES`], redirects are not followed (a signed or encrypted
//! message goes where it was addressed to, or nowhere), and nobody is waited for longer than [`TIMEOUT`]. TLS is checked
//! against the system's authorities.

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use std::time::Duration;

/// Of a whole request, connecting and the answer's body included.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of an answer, what is read; providers say what became of a message in far less.
pub const ANSWER_BYTES: usize = 16 * 1024;
/// Idle connections of a host that are kept for the next message.
const IDLE_CONNECTIONS: usize = 16;
/// A longer `Retry-After` is taken as this: whoever says more is asked again and says it again.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// `Retry-After`, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// Its body, cut at [`ANSWER_BYTES`].
    pub body: Vec<u8>,
}

/// A client for such requests; cheap to clone, shares its connections.
///
/// # Errors
/// TLS cannot be set up on this machine.
pub fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .user_agent(concat!("mitalk/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Sends a request and reads what comes back.
///
/// # Errors
/// No answer came, or it broke off. Without the URL, which may be secret (a subscription's is).
pub async fn send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let status = response.status();
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        let left = ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(left)]);
        if body.len() == ANSWER_BYTES {
            break;
        }
    }
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}
