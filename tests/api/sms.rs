//! Text messages by the adapters that send some, and what providers report of them.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mitalk::client::Client;
use mitalk::wire::admin::{AllowEntry, Phase};
use mitalk::wire::auth::VerifyRequest;
use mitalk::wire::invites::InviteRequest;
use mitalk_actors::secrets::sha256;
use mitalk_cluster::{Clock as _, SystemClock};
use mitalk_tests::provider::{Asked, Provider};
use mitalk_tests::server::{Server, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const HOST: &str = "+4915112348801";
const GUEST: &str = "+4915112348802";
const KEY: [u8; 32] = [42; 32];
const TOKEN: &str = "a-token-of-the-test";
const PASSWORD: &str = "the provider's password";

/// HMAC-SHA256 by its definition (RFC 2104), so that nothing is checked by what made it.
fn hmac(message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..KEY.len()].copy_from_slice(&KEY);
    let pad = |with: u8, rest: &[u8]| sha256(&[&block.map(|byte| byte ^ with)[..], rest].concat());
    pad(0x5c, &pad(0x36, message))
}

fn signature(id: &str, at_s: &str, body: &[u8]) -> String {
    let signed = [format!("{id}.{at_s}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac(&signed)))
}

async fn served(configuration: &str, secret: (&str, &str)) -> Result<Server> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("mitalk.toml"), configuration)?;
    std::fs::write(directory.path().join(secret.0), secret.1)?;
    std::fs::write(directory.path().join("token"), TOKEN)?;
    let server = Server::start_in(directory, &[]).await?;
    server.admin.set_phase(Phase::ClosedTest).await?;
    let entry = AllowEntry {
        phone: HOST.to_owned(),
        enabled: true,
    };
    server.admin.import_allowed(vec![entry]).await?;
    Ok(server)
}

async fn by_webhook(provider: &Provider) -> Result<Server> {
    let configuration = format!(
        "[http]\npublic_url = \"https://talk.example.org\"\n[sms]\nvia = \"webhook\"\n[sms.webhook]\nurl = \"{}\"\n\
         secret_file = \"secret\"\n",
        provider.url
    );
    let secret = format!("whsec_{}\n", STANDARD.encode(KEY));
    served(&configuration, ("secret", &secret)).await
}

/// Where the app in fact listens, whatever its public URL is.
fn listening(server: &Server) -> Result<String> {
    let url = server.client.base().as_str().trim_end_matches('/');
    Ok(url.to_owned())
}

async fn sign_in(server: &Server, phone: &str, code: &str) -> Result<Client> {
    let request = VerifyRequest {
        phone: phone.to_owned(),
        code: code.to_owned(),
        device_name: None,
        invite: None,
    };
    let signed_in = server.client.verify(&request).await?;
    Ok(server.client.signed_in(&signed_in.tokens.access_token))
}

/// The one request with these words.
async fn one(provider: &Provider, words: &str) -> Asked {
    until(words, async || provider.asked(words).into_iter().next()).await
}

#[tokio::test]
async fn a_webhook_gets_texts_signed_codes_once_and_others_until_it_takes_them() -> Result<()> {
    let provider = Provider::start().await?;
    let server = by_webhook(&provider).await?;
    provider.answer("\"kind\":\"code\"", 503);
    server.client.send_code(HOST).await?;
    let code = one(&provider, "\"kind\":\"code\"").await;
    let id = code.header("webhook-id");
    assert!(id.starts_with("code/"), "{id}");
    let expected = signature(id, code.header("webhook-timestamp"), &code.body);
    assert_eq!(code.header("webhook-signature"), expected);
    let said: Value = serde_json::from_slice(&code.body)?;
    assert_eq!((&said["id"], &said["to"]), (&id.into(), &HOST.into()));
    let digits = said["code"].as_str().context("the code alone")?;
    let line = format!("\n\n@talk.example.org #{digits}");
    assert!(said["text"].as_str().context("words")?.ends_with(&line));
    let host = sign_in(&server, HOST, digits).await?;

    for _ in 0..2 {
        provider.answer("\"kind\":\"invited\"", 503);
    }
    let phone = GUEST.to_owned();
    let invite = host.invite(&InviteRequest::Phone { phone }, "key").await?;
    let invited = until("the third text", async || {
        let all = provider.asked("\"kind\":\"invited\"");
        (all.len() == 3).then_some(all)
    })
    .await;
    let key = invited[0].header("webhook-id").to_owned();
    assert!(key.starts_with(&format!("invite/{}/", invite.id)), "{key}");
    assert!(invited.iter().all(|text| text.header("webhook-id") == key));
    assert_eq!(
        provider.asked("\"kind\":\"code\"").len(),
        1,
        "a code goes out once"
    );

    let log = server.stopped_log().await?.join("\n");
    for secret in [HOST, GUEST, &HOST[1..], digits] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
    Ok(())
}

#[tokio::test]
async fn receipts_are_taken_from_whoever_has_the_secret() -> Result<()> {
    let provider = Provider::start().await?;
    let server = by_webhook(&provider).await?;
    let post = async |id: &str, at_s: u64, body: Vec<u8>, signature: String| {
        let request = server.client.request(Method::POST, &["v1", "sms", "receipts"]);
        let request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", at_s)
            .header("webhook-signature", signature);
        request.body(body).send().await
    };
    let signed = async |body: Vec<u8>, at_s: u64| {
        let signature = signature("r1", &at_s.to_string(), &body);
        post("r1", at_s, body, signature).await
    };
    let body = |outcome: &str| {
        json!({"id": "invite/x/1", "outcome": outcome})
            .to_string()
            .into_bytes()
    };
    let now = SystemClock.wall().0 / 1_000;
    for _ in 0..2 {
        assert_eq!(
            signed(body("failed"), now).await?.status(),
            StatusCode::NO_CONTENT
        );
    }
    assert_eq!(
        signed(body("delivered"), now).await?.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        signed(body("in orbit"), now).await?.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        signed(body("failed"), now - 3_600).await?.status(),
        StatusCode::UNAUTHORIZED
    );
    let forged = post("r1", now, body("failed"), "v1,AAAA".to_owned()).await?;
    let problem: Value = forged.json().await?;
    assert_eq!(problem["code"], "signature_invalid");
    assert_eq!(
        signed(b"{}".to_vec(), now).await?.status(),
        StatusCode::BAD_REQUEST
    );
    let large = signed(vec![b' '; 17 * 1024], now).await?;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let by_url = server
        .client
        .request(Method::POST, &["v1", "sms", "receipts", TOKEN]);
    assert_eq!(
        by_url.send().await?.status(),
        StatusCode::UNAUTHORIZED,
        "that is the other way"
    );

    let metrics = server.admin.metrics().await?;
    for outcome in ["failed", "delivered", "unknown"] {
        let line = format!("mitalk_sms_receipts_total{{kind=\"invited\",outcome=\"{outcome}\"}} 1");
        assert!(metrics.contains(&line), "{line}");
    }
    let told = |line: &&String| line.contains("did not arrive") && line.contains("invite/x/1");
    assert_eq!(server.stopped_log().await?.iter().filter(told).count(), 1);
    Ok(())
}

/// As Twilio wants it: a form, basic authentication, a callback for receipts.
#[tokio::test]
async fn a_provider_is_spoken_to_in_forms_and_reports_to_its_secret_url() -> Result<()> {
    let provider = Provider::start().await?;
    let configuration = format!(
        r#"
        [http]
        public_url = "https://talk.example.org"
        [sms]
        via = "http"
        [sms.http]
        url = "{}"
        user = "AC123"
        secret_file = "secret"
        body = "To={{to}}&From=%2B15005550006&Body={{text}}&StatusCallback={{receipts}}"
        [sms.http.receipts]
        token_file = "token"
        "#,
        provider.url
    );
    let server = served(&configuration, ("secret", PASSWORD)).await?;
    provider.answer("To=", 201);
    let request = server.client.request(Method::POST, &["v1", "auth", "code"]);
    let request = request.header("accept-language", "fr-FR, en;q=0.5");
    let sent = request.json(&json!({"phone": HOST})).send().await?;
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    let asked = one(&provider, "To=").await;
    let basic = STANDARD.encode(format!("AC123:{PASSWORD}"));
    assert_eq!(asked.header("authorization"), format!("Basic {basic}"));
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    let form = reqwest::Url::parse(&format!("form:?{}", asked.text()))?;
    let field = |name: &str| {
        let mut pairs = form.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    assert_eq!(field("To").as_deref(), Some(HOST));
    assert_eq!(field("From").as_deref(), Some("+15005550006"));
    let text = field("Body").context("words")?;
    assert!(text.contains(" est votre code Mi Talk."), "{text}");
    sign_in(&server, HOST, &text[..6]).await?;

    let callback = field("StatusCallback").context("where receipts go")?;
    let callback = callback.replace("https://talk.example.org", &listening(&server)?);
    let post = async |url: &str| {
        let request = reqwest::Client::new()
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded");
        request
            .body("MessageSid=SM1&MessageStatus=delivered&To=%2B49")
            .send()
            .await
    };
    assert_eq!(post(&callback).await?.status(), StatusCode::NO_CONTENT);
    let guessed = callback.replace(TOKEN, "another-token-of-it");
    assert_eq!(post(&guessed).await?.status(), StatusCode::UNAUTHORIZED);
    let line = "mitalk_sms_receipts_total{kind=\"code\",outcome=\"delivered\"} 1";
    assert!(server.admin.metrics().await?.contains(line));
    let log = server.stopped_log().await?.join("\n");
    for secret in [&HOST[1..], TOKEN, PASSWORD, &text[..6]] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
    Ok(())
}

#[tokio::test]
async fn a_provider_is_spoken_to_in_json() -> Result<()> {
    let provider = Provider::start().await?;
    let configuration = format!(
        r#"
        [sms]
        via = "http"
        [sms.http]
        url = "{}"
        method = "PUT"
        encoding = "json"
        headers = ["Authorization: App {{secret}}", "Idempotency-Key: {{key}}"]
        body = '{{"messages": [{{"destinations": [{{"to": "{{to}}", "messageId": "{{key}}"}}], "text": "{{text}}"}}]}}'
        secret_file = "secret"
        "#,
        provider.url
    );
    let server = served(&configuration, ("secret", PASSWORD)).await?;
    server.client.send_code(HOST).await?;
    let asked = one(&provider, "messages").await;
    assert!(asked.what.starts_with("PUT /send"), "{}", asked.what);
    assert_eq!(asked.header("authorization"), format!("App {PASSWORD}"));
    let said: Value = serde_json::from_slice(&asked.body)?;
    let message = &said["messages"][0];
    assert_eq!(message["destinations"][0]["to"], HOST);
    assert_eq!(
        message["destinations"][0]["messageId"],
        asked.header("idempotency-key")
    );
    let code = message["text"].as_str().context("words")?;
    let host = sign_in(&server, HOST, &code[..6]).await?;
    provider.answer("invite/", 400);
    let phone = GUEST.to_owned();
    host.invite(&InviteRequest::Phone { phone }, "key").await?;
    until("the refused text to be a dead letter", async || {
        let letters = crate::admin::json(&server, &["dlq", "list"]).await.ok()?;
        letters["letters"]
            .as_array()?
            .iter()
            .find(|letter| letter["group"] == "inviter")
            .cloned()
    })
    .await;
    assert_eq!(provider.asked("invite/").len(), 1);
    server.stop().await?;
    Ok(())
}
