//! What one client, one address or one reader of the log can do to everybody else: little, and for a bounded time.

use anyhow::{Context as _, Result, bail};
use futures::{SinkExt as _, StreamExt as _};
use mitalk::client::{AdminClient, Client};
use mitalk_tests::server::{PATIENCE, Server, code, mitalk, until};
use reqwest::Method;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// The address of a URL.
fn address(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

#[tokio::test]
async fn behind_an_appending_proxy_nobody_chooses_their_own_address() -> Result<()> {
    let settings = [
        "http.trusted_proxies=[\"127.0.0.0/8\"]",
        "limits.codes.per_address_and_hour=2",
    ];
    let server = Server::open(&settings).await?;
    let http = reqwest::Client::new();
    // The client writes the first line, another one for each request; its proxy adds the second one.
    let ask = async |forged: u8, number: u32, real: &str| {
        let request = http
            .post(format!("{}/v1/auth/code", server.app.trim_end_matches('/')))
            .header("x-forwarded-for", format!("203.0.113.{forged}"))
            .header("x-forwarded-for", real)
            .json(&serde_json::json!({ "phone": format!("+49151123465{number:02}") }));
        anyhow::Ok(request.send().await?.status().as_u16())
    };
    assert_eq!(ask(1, 1, "198.51.100.7").await?, 202);
    assert_eq!(ask(2, 2, "198.51.100.7:4711").await?, 202);
    assert_eq!(
        ask(3, 3, "198.51.100.7").await?,
        429,
        "the budget of the real address"
    );
    assert_eq!(
        ask(1, 4, "198.51.100.8").await?,
        202,
        "another client's is its own"
    );
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn one_address_cannot_have_all_connections() -> Result<()> {
    let server = Server::open(&["http.max_connections_per_address=3"]).await?;
    let connect = async || -> Result<TcpStream> {
        let mut stream = TcpStream::connect(address(&server.app)).await?;
        stream.write_all(b"G").await?;
        Ok(stream)
    };
    let mut idle = vec![];
    for _ in 0..3 {
        idle.push(connect().await?);
    }
    let mut further = connect().await?;
    let end = tokio::time::timeout(PATIENCE, further.read(&mut [0; 16])).await?;
    assert!(matches!(end, Ok(0) | Err(_)), "it is closed at once: {end:?}");
    drop(idle);
    let fresh = Client::new(&server.app)?;
    until("room for others when they are gone", async || {
        fresh.send_code("+4915112346590").await.ok()
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn pings_cost_as_much_as_messages_and_a_close_is_answered() -> Result<()> {
    let server = Server::open(&[]).await?;
    let url = format!("ws://{}/v1/live", address(&server.app));
    let person = server.sign_in("+4915112346591").await?;
    let hello = serde_json::json!({
        "type": "hello", "token": person.tokens.access_token, "notices_after": 0,
    });

    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await?;
    socket.send(Message::Ping(vec![].into())).await?;
    socket.send(Message::text(hello.to_string())).await?;
    let first = async {
        loop {
            match socket.next().await.context("the socket ended")?? {
                Message::Text(text) => return anyhow::Ok(text),
                Message::Close(frame) => bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    };
    let first = tokio::time::timeout(PATIENCE, first).await??;
    assert!(
        first.contains("welcome"),
        "a ping before the hello does no harm: {first}"
    );
    socket.close(None).await?;
    let rest = async {
        while let Some(message) = socket.next().await {
            if let Message::Close(_) = message? {
                return anyhow::Ok(true);
            }
        }
        Ok(false)
    };
    assert!(
        tokio::time::timeout(PATIENCE, rest).await??,
        "the close is answered"
    );

    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await?;
    socket.send(Message::text(hello.to_string())).await?;
    let flood = async {
        loop {
            // Once it is closed nothing can be sent, and what the server said can still be read.
            if socket.send(Message::Ping(vec![].into())).await.is_err() {
                break;
            }
            let said = tokio::time::timeout(std::time::Duration::ZERO, socket.next()).await;
            if let Ok(Some(Ok(Message::Close(frame)))) = said {
                return frame;
            }
        }
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                return frame;
            }
        }
        None
    };
    let frame: Option<CloseFrame> = tokio::time::timeout(PATIENCE, flood).await?;
    assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(4429));
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn wrong_operators_tokens_are_not_tried_without_end() -> Result<()> {
    let server = Server::open(&[]).await?;
    let stranger = AdminClient::new(&server.operations, "a-token-of-no-operator-at-all")?;
    until("the guesses to be turned away", async || {
        (code(stranger.phase().await) == "rate_limited").then_some(())
    })
    .await;
    server
        .admin
        .phase()
        .await
        .context("the right one counts all the same")?;
    let asked = async || {
        let log = server.log();
        log.iter()
            .any(|line| line.contains("/admin/v1/phase") && line.contains("trace_id"))
            .then_some(())
    };
    until("who asks what stands in the log", asked).await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_stops_says_so_before_it_turns_anybody_away() -> Result<()> {
    let mut server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112346592").await?;
    // A body that does not come holds the stop up for as long as it may.
    let mut slow = TcpStream::connect(address(&server.app)).await?;
    let head = format!(
        "POST /v1/rooms HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        person.tokens.access_token
    );
    slow.write_all(head.as_bytes()).await?;
    // Said once somebody waits for the body: now the stop finds the request.
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"HTTP/1.1 100");
    server.signal(libc::SIGTERM)?;
    until("the listener to be closed", async || {
        TcpStream::connect(address(&server.app)).await.err()
    })
    .await;
    let readiness = server.admin.readiness().await?;
    assert!(!readiness.ready && readiness.stopping, "{readiness:?}");
    drop(slow);
    assert!(server.ended().await?.success());
    Ok(())
}

#[tokio::test]
async fn nobody_waits_for_who_reads_the_log() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (reader, writer) = std::io::pipe()?;
    let mut child = mitalk(directory.path())
        .args([
            "serve",
            "--data-dir",
            "data",
            "--set",
            "log.level=debug",
            "--set",
            "log.format=json",
        ])
        .args([
            "--set",
            "http.listen=127.0.0.1:0",
            "--set",
            "operations.listen=127.0.0.1:0",
        ])
        .args([
            "--set",
            "media.bind=[\"127.0.0.1:0\"]",
            "--set",
            "rates.per_address_burst=100000",
        ])
        .stdout(Stdio::from(writer.try_clone()?))
        .stderr(Stdio::from(writer))
        .spawn()?;
    let ready = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(reader);
        let mut line = String::new();
        while !line.contains("\"message\":\"ready\"") {
            line.clear();
            anyhow::ensure!(lines.read_line(&mut line)? > 0, "it ended");
        }
        Ok((serde_json::from_str::<serde_json::Value>(&line)?, lines))
    });
    let (ready, lines) = tokio::time::timeout(PATIENCE, ready).await???;
    let url = |name: &str| ready[name].as_str().map(str::to_owned).context("no address");
    let client = Client::new(&url("app")?)?;
    let token = std::fs::read_to_string(directory.path().join("data/admin-token"))?;
    let admin = AdminClient::new(&url("operations")?, token.trim())?;
    let ask = async |times: usize| {
        for _ in 0..times {
            let refused = tokio::time::timeout(PATIENCE, client.me()).await?;
            assert_eq!(code(refused), "token_missing");
        }
        anyhow::Ok(())
    };
    // A pipe holds 64 KiB: some hundred lines. Nobody reads on.
    ask(2_000).await?;
    // And now nobody is there to read: whoever wrote a line would be told so by a signal or an error.
    drop(lines);
    ask(200).await?;
    assert!(admin.health().await?.status == "ok");
    let metrics = admin.metrics().await?;
    assert!(
        metrics.contains("mitalk_log_lost_lines_total"),
        "lost lines are counted"
    );
    let pid = libc::pid_t::try_from(child.id().context("it has ended")?)?;
    // SAFETY: a plain system call; the pid is of our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    let status = tokio::time::timeout(PATIENCE, child.wait()).await??;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_comes_with_another_body_is_refused_and_a_bad_one_is_not_ignored() -> Result<()> {
    let server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112346593").await?;
    let http = reqwest::Client::new();
    let post = async |url: String, token: &str, key: &[u8], body: serde_json::Value| {
        let request = http
            .post(url)
            .bearer_auth(token)
            .header("idempotency-key", key)
            .json(&body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        anyhow::Ok((
            status,
            response.json::<serde_json::Value>().await.unwrap_or_default(),
        ))
    };
    let rooms = format!("{}/v1/rooms", server.app.trim_end_matches('/'));
    let room = async |title: &str| {
        let body = serde_json::json!({ "title": title });
        post(rooms.clone(), &person.tokens.access_token, b"k1", body).await
    };
    let (status, first) = room("One").await?;
    assert_eq!(status, 201);
    assert_eq!(
        room("One").await?.1["id"],
        first["id"],
        "a repeat gets the same room"
    );
    let (status, problem) = room("Two").await?;
    assert_eq!(
        (status, &problem["code"]),
        (422, &"idempotency_key_reused".into())
    );

    let token = std::fs::read_to_string(server.token_file())?;
    let grants = format!("{}/admin/v1/invites", server.operations.trim_end_matches('/'));
    let before = server.admin.invites_of(&person.id).await?.left;
    for bad in ["", "schl\u{fc}ssel"] {
        let body = serde_json::json!({ "user": person.id, "grant": 1 });
        let (status, problem) = post(grants.clone(), token.trim(), bad.as_bytes(), body).await?;
        assert_eq!(
            (status, &problem["code"]),
            (422, &"idempotency_key_invalid".into()),
            "{bad:?}"
        );
    }
    assert_eq!(
        server.admin.invites_of(&person.id).await?.left,
        before,
        "nothing was granted"
    );
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn no_code_goes_to_numbers_that_are_somebodys_income() -> Result<()> {
    let server = Server::open(&["limits.codes.per_block_and_day=2"]).await?;
    for number in ["+499001234567", "+4930123456", "+4970012345678"] {
        assert_eq!(
            code(server.client.send_code(number).await),
            "phone_invalid",
            "{number}"
        );
    }
    for number in ["+4915112340001", "+4915112340002"] {
        server.client.send_code(number).await?;
    }
    let refused = server.client.send_code("+4915112340003").await;
    assert_eq!(
        code(refused),
        "code_rate_limited",
        "numbers in a row are one block"
    );
    server.client.send_code("+4915112350003").await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_probe_of_the_wrong_port_finds_nothing_well() -> Result<()> {
    let server = Server::open(&[]).await?;
    let status = async |path: &str| {
        let url = format!("{}/{path}", server.app.trim_end_matches('/'));
        anyhow::Ok(reqwest::get(url).await?.status().as_u16())
    };
    for path in [
        "healthz",
        "readyz",
        "metrics",
        "v1",
        "v1/nothing",
        "admin/v1/phase",
    ] {
        assert_eq!(status(path).await?, 404, "{path}");
    }
    assert_eq!(status("r/some-room").await?, 200, "the app's own paths");
    server.stop().await?;
    Ok(())
}

/// What a request causes can be found by its trace: at the edge, at its entities, in the outbox and at whoever consumes it.
#[tokio::test]
async fn a_trace_goes_through_entities_outbox_and_events() -> Result<()> {
    let server = Server::open(&["log.level=debug"]).await?;
    let person = server.person("+4915112346595", "Traced").await?;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let answer = person
        .client
        .request(Method::POST, &["v1", "invites"])
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .header("x-request-id", "traced-request")
        .header("idempotency-key", "traced")
        .json(&serde_json::json!({"to": "phone", "phone": "+4915112346596"}))
        .send()
        .await?;
    assert!(answer.status().is_success(), "{answer:?}");
    let about = |what: &str| {
        let log = server.log();
        log.iter()
            .any(|line| line.contains(trace) && line.contains(what))
            .then_some(())
    };
    for step in [
        "traced-request",
        "\"kind\":\"user\"",
        "\"kind\":\"invite\"",
        "\"to\":\"mitalk.invites.v1\"",
        "\"message\":\"text message\"",
    ] {
        until(step, async || about(step)).await;
    }
    server.stop().await?;
    Ok(())
}
