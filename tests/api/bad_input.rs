//! Whatever is wrong with a request gets a problem document that says what.

use anyhow::{Context as _, Result};
use mitalk::wire::problem::Problem;
use mitalk_tests::server::{PATIENCE, Server};
use reqwest::header::{ALLOW, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends and checks that a problem of this status and code comes back.
async fn refused(request: RequestBuilder, status: u16, code: &str) -> Result<(Head, Problem)> {
    let response = request.send().await?;
    let headers = Head::of(&response);
    let body = response.text().await?;
    anyhow::ensure!(
        headers.status == status,
        "{} instead of {status}: {body}",
        headers.status
    );
    anyhow::ensure!(
        headers.media_type == "application/problem+json",
        "{}: {body}",
        headers.media_type
    );
    let problem: Problem = serde_json::from_str(&body)?;
    assert_eq!((problem.code.as_str(), problem.status), (code, status));
    assert!(problem.kind.ends_with(code) && !problem.title.is_empty());
    assert_eq!(problem.request_id, headers.request_id, "the id to quote");
    Ok((headers, problem))
}

/// What the headers said.
struct Head {
    status: u16,
    media_type: String,
    request_id: Option<String>,
    allow: Option<String>,
    language: Option<String>,
    retry_after: Option<String>,
    challenge: Option<String>,
}

impl Head {
    fn of(response: &Response) -> Self {
        let text = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        Self {
            status: response.status().as_u16(),
            media_type: text(CONTENT_TYPE.as_str()).unwrap_or_default(),
            request_id: text("x-request-id"),
            allow: text(ALLOW.as_str()),
            language: text(CONTENT_LANGUAGE.as_str()),
            retry_after: text(RETRY_AFTER.as_str()),
            challenge: text(WWW_AUTHENTICATE.as_str()),
        }
    }
}

#[tokio::test]
async fn every_kind_of_bad_request_has_its_problem() -> Result<()> {
    let server = Server::open(&[]).await?;
    let ann = server.sign_in("+4915112346101").await?;
    let post = |path: &[&str]| ann.client.request(Method::POST, path);
    let json = |request: RequestBuilder, body: &str| {
        request
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned())
    };

    refused(
        ann.client.request(Method::GET, &["v1", "nothing"]),
        404,
        "not_found",
    )
    .await?;
    refused(
        ann.client.request(Method::GET, &["assets", "missing.js"]),
        404,
        "not_found",
    )
    .await?;
    let (headers, _) = refused(post(&["v1", "me"]), 405, "method_not_allowed").await?;
    assert!(headers.allow.is_some_and(|allow| allow.contains("GET")));
    refused(
        ann.client.request(Method::TRACE, &["v1", "me"]),
        405,
        "method_not_allowed",
    )
    .await?;
    let (headers, _) = refused(post(&["index.html"]), 405, "method_not_allowed").await?;
    assert_eq!(headers.allow.as_deref(), Some("GET, HEAD"));
    refused(
        post(&["v1", "rooms"]).body("title=x"),
        415,
        "unsupported_media_type",
    )
    .await?;
    refused(json(post(&["v1", "rooms"]), "{"), 400, "malformed_json").await?;
    refused(json(post(&["v1", "rooms"]), "\u{fffd}"), 400, "malformed_json").await?;
    let (_, problem) = refused(
        json(post(&["v1", "rooms"]), r#"{"titel":"x"}"#),
        422,
        "unprocessable",
    )
    .await?;
    assert!(problem.detail.is_some_and(|detail| detail.contains("titel")));
    let (_, problem) = refused(
        json(post(&["v1", "rooms"]), r#"{"title":7}"#),
        422,
        "unprocessable",
    )
    .await?;
    assert_eq!(problem.field.as_deref(), Some("/title"));
    let deep = "[".repeat(100_000);
    refused(json(post(&["v1", "rooms"]), &deep), 413, "body_too_large").await?;
    refused(
        json(post(&["v1", "rooms"]), &"[".repeat(50_000)),
        400,
        "malformed_json",
    )
    .await?;
    let query = ann
        .client
        .request(Method::GET, &["v1", "hallway"])
        .query(&[("limit", "many")]);
    refused(query, 422, "unprocessable").await?;
    let query = ann
        .client
        .request(Method::GET, &["v1", "hallway"])
        .query(&[("limt", "5")]);
    refused(query, 422, "unprocessable").await?;
    let key = json(post(&["v1", "rooms"]), r#"{"title":"x"}"#).header("Idempotency-Key", "two words");
    refused(key, 422, "idempotency_key_invalid").await?;
    refused(
        ann.client.request(Method::GET, &["v1", "live"]),
        400,
        "bad_request",
    )
    .await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn tokens_are_needed_and_checked() -> Result<()> {
    let server = Server::open(&[]).await?;
    let me = |client: &mitalk::client::Client| client.request(Method::GET, &["v1", "me"]);
    let (headers, _) = refused(me(&server.client), 401, "token_missing").await?;
    assert_eq!(headers.challenge.as_deref(), Some("Bearer"));
    refused(me(&server.client.signed_in("x.y.z")), 401, "token_invalid").await?;
    let basic = server
        .client
        .request(Method::GET, &["v1", "me"])
        .header("Authorization", "Basic eDp5");
    refused(basic, 401, "token_invalid").await?;
    let ann = server.sign_in("+4915112346111").await?;
    let mut forged = ann.tokens.access_token.clone();
    forged.truncate(forged.len() - 2);
    refused(me(&server.client.signed_in(&forged)), 401, "token_invalid").await?;
    server.admin.suspend(&ann.id, true).await?;
    mitalk_tests::server::until("the suspension", async || {
        (ann.client.me().await.err()?.code() == Some("suspended")).then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn titles_speak_the_clients_language_and_ids_are_taken_over() -> Result<()> {
    let server = Server::open(&[]).await?;
    let request = || server.client.request(Method::GET, &["v1", "me"]);
    let (headers, english) = refused(request(), 401, "token_missing").await?;
    assert_eq!(headers.language.as_deref(), Some("en"));
    let (headers, chinese) =
        refused(request().header("Accept-Language", "zh-CN"), 401, "token_missing").await?;
    assert_eq!(headers.language.as_deref(), Some("zh"));
    assert_ne!(english.title, chinese.title);
    let (headers, _) = refused(request().header("X-Request-Id", "mine-1"), 401, "token_missing").await?;
    assert_eq!(headers.request_id.as_deref(), Some("mine-1"));
    let (headers, _) = refused(request().header("X-Request-Id", "not mine"), 401, "token_missing").await?;
    assert_ne!(headers.request_id.as_deref(), Some("not mine"));
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_back() -> Result<()> {
    let server = Server::open(&["rates.per_account_burst=5", "rates.per_account_rps=1"]).await?;
    let ann = server.sign_in("+4915112346121").await?;
    let ben = server.sign_in("+4915112346122").await?;
    let limited = async {
        loop {
            if let Err(error) = ann.client.me().await {
                return error;
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, limited)
        .await
        .context("never limited")?;
    assert_eq!(error.code(), Some("rate_limited"));
    assert!(error.retry_after().is_some_and(|wait| !wait.is_zero()));
    ben.client.me().await.context("others are not limited")?;
    server.stop().await?;

    let server = Server::open(&["rates.per_address_burst=20", "rates.per_address_rps=1"]).await?;
    let limited = async {
        loop {
            let request = server.client.request(Method::GET, &["v1", "me"]);
            let response = request.send().await?;
            if response.status() == 429 {
                return anyhow::Ok(response);
            }
        }
    };
    let response = tokio::time::timeout(PATIENCE, limited)
        .await
        .context("never limited")??;
    assert!(Head::of(&response).retry_after.is_some());
    server.stop().await?;
    Ok(())
}

/// Sends raw bytes and reads what comes until `enough` or the end.
async fn raw(server: &Server, bytes: &[u8], enough: impl Fn(&str) -> bool) -> Result<String> {
    let mut stream = TcpStream::connect(server.app.trim_start_matches("http://")).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer).await?;
            answer.extend_from_slice(&buffer[..count]);
            if count == 0 || enough(&String::from_utf8_lossy(&answer)) {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .context("no answer")??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_body_that_never_comes_is_answered() -> Result<()> {
    let server = Server::open(&[]).await?;
    let head = b"POST /v1/auth/code HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
    let answer = raw(&server, head, |text| text.contains("request_too_slow")).await?;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = raw(&server, b"NONSENSE\r\n\r\n", |text| text.contains("\r\n\r\n")).await?;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    let answer = raw(&server, long.as_bytes(), |text| text.contains("\r\n\r\n")).await?;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    server
        .client
        .request(Method::GET, &["openapi.json"])
        .send()
        .await?
        .error_for_status()?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn pages_and_assets_have_their_headers() -> Result<()> {
    let server = Server::open(&[]).await?;
    for path in [&[""][..], &["r", "some-room"], &["u", "ann"]] {
        let response = server
            .client
            .request(Method::GET, path)
            .send()
            .await?
            .error_for_status()?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        assert!(
            header("content-type").starts_with("text/html"),
            "{}",
            header("content-type")
        );
        assert!(header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
    }
    let me = server.client.request(Method::GET, &["v1", "me"]).send().await?;
    assert_eq!(me.headers()["cache-control"], "no-store");
    server.stop().await?;
    Ok(())
}
