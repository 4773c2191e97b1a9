//! Requests that the service makes to others: providers of text messages, push services.
//!
//! What comes back is a stranger's: it is read up to [`ANSWER_BYTES`], redirects are not followed (a signed or encrypted
//! message goes where it was addressed to, or nowhere), nothing is sent twice, and nobody is waited for longer than
//! [`TIMEOUT`]. TLS is checked against the system's authorities.

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use std::time::Duration;

/// Of a whole request, connecting and the answer's body included.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of an answer, what is read; providers say what became of a message in far less.
pub const ANSWER_BYTES: usize = 16 * 1024;
/// Idle connections of a host that are kept for the next message.
const IDLE_CONNECTIONS: usize = 32;
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
        // Whoever asks knows whether a request may go out twice. What the pool does below this is repeat one of which no
        // byte was written, because the kept connection turned out to be closed.
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .user_agent(concat!("mitalk/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Sends a request and reads what comes back.
///
/// # Errors
/// No answer came. Without the URL, which may be secret (a subscription's is).
pub async fn send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let status = response.status();
    let mut body = vec![];
    // Of a body that breaks off, what came: the status is known, and who took a message is not asked again for its words.
    while let Ok(Some(chunk)) = response.chunk().await {
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

/// Why no answer came, in words for operators that name nobody.
pub fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke off"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::header::LOCATION;
    use axum::routing::post;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    async fn answered(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/a")
    }

    async fn ask(url: &str) -> Result<Answer, reqwest::Error> {
        send(client().unwrap().post(url).body("x")).await
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let elsewhere = Arc::new(AtomicUsize::new(0));
        let counted = elsewhere.clone();
        let router = Router::new()
            .route(
                "/a",
                post(|| async { (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/b")]) }),
            )
            .route(
                "/b",
                post(async move || counted.fetch_add(1, Ordering::SeqCst).to_string()),
            );
        let answer = ask(&answered(router).await).await.unwrap();
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(elsewhere.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_long_body_is_cut_and_the_wait_is_bounded() {
        let long = || async {
            let body = "x".repeat(ANSWER_BYTES + 1);
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "7")], body)
        };
        let endless = || async { [(RETRY_AFTER, "999999999")] };
        let never = || async { [(RETRY_AFTER, "Fri, 31 Dec 1999 23:59:59 GMT")] };
        let ask = async |router: Router| ask(&answered(router).await).await.unwrap();
        let answer = ask(Router::new().route("/a", post(long))).await;
        assert_eq!(answer.body.len(), ANSWER_BYTES);
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        let answer = ask(Router::new().route("/a", post(endless))).await;
        assert_eq!(answer.retry_after, Some(LONGEST_WAIT));
        let answer = ask(Router::new().route("/a", post(never))).await;
        assert_eq!(answer.retry_after, None);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_told_without_its_url_and_is_not_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/secret", listener.local_addr().unwrap());
        let came = Arc::new(AtomicUsize::new(0));
        let counted = came.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                stream.read_exact(&mut [0; 1]).await.unwrap();
            }
        });
        let error = ask(&url).await.unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(reason(&error), "the connection broke off");
        assert_eq!(came.load(Ordering::SeqCst), 1);
    }
}
