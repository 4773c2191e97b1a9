//! The operations listener, and `mitalk admin` over it.

use crate::offer::join;
use anyhow::{Context as _, Result};
use mitalk::client::AdminClient;
use mitalk::wire::admin::Phase;
use mitalk::wire::people::Standing;
use mitalk::wire::rooms::{CreateRoom, HandRaising, Visibility};
use mitalk_tests::server::{Server, code, mitalk, until};
use serde_json::Value;

/// Runs `mitalk admin ...` beside the server.
pub(crate) async fn admin(server: &Server, args: &[&str]) -> Result<(bool, String, String)> {
    let mut command = mitalk(server.directory.path());
    command
        .args([
            "--set",
            "storage.data_dir=\"data\"",
            "admin",
            "--url",
            &server.operations,
        ])
        .args(args);
    let output = command.output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((output.status.success(), text(output.stdout), text(output.stderr)))
}

pub(crate) async fn json(server: &Server, args: &[&str]) -> Result<Value> {
    let (done, out, error) = admin(server, &[&["--json"], args].concat()).await?;
    assert!(done, "{args:?}: {error}");
    serde_json::from_str(&out).with_context(|| out)
}

#[tokio::test]
async fn health_readiness_and_metrics() -> Result<()> {
    let server = Server::open(&[]).await?;
    assert_eq!(server.admin.health().await?.status, "ok");
    let ready = server.admin.readiness().await?;
    assert!(ready.ready && ready.lease_holds && ready.shards > 0, "{ready:?}");
    server.sign_in("+4915112346201").await?;
    let metrics = server.admin.metrics().await?;
    for name in [
        "mitalk_api_requests_total",
        "mitalk_api_request_seconds_bucket",
        "mitalk_api_live_sockets",
        "mitalk_cluster_commit_seconds_bucket",
        "mitalk_log_lost_lines_total",
        "mitalk_media_sessions",
        "mitalk_people_sign_ins_total",
        "mitalk_rooms_forwarders",
        "mitalk_store_commits_total",
    ] {
        assert!(metrics.contains(name), "{name} is missing");
    }
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        // `process_*` are the names that every Prometheus client gives to what a process uses.
        assert!(
            line.starts_with("mitalk_") || line.starts_with("process_"),
            "{line}"
        );
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_admin_api_needs_the_operators_token() -> Result<()> {
    let server = Server::open(&[]).await?;
    let stranger = AdminClient::new(&server.operations, "a-token-of-no-operator-at-all")?;
    assert_eq!(code(stranger.phase().await), "token_invalid");
    assert_eq!(code(stranger.set_phase(Phase::Open).await), "token_invalid");
    assert_eq!(
        code(stranger.test_accounts(1, "+4915199").await),
        "not_found",
        "not even known here"
    );
    stranger.health().await?;
    let ann = server.sign_in("+4915112346211").await?;
    let citizen = AdminClient::new(&server.operations, &ann.tokens.access_token)?;
    assert_eq!(
        code(citizen.phase().await),
        "token_invalid",
        "a person's token is no operator's"
    );
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn operators_work_by_command() -> Result<()> {
    let server = Server::start(&[]).await?;
    assert_eq!(json(&server, &["phase", "get"]).await?["phase"], "employees");
    assert_eq!(
        json(&server, &["phase", "set", "closed_test"]).await?["phase"],
        "closed_test"
    );
    let list = server.directory.path().join("list.txt");
    std::fs::write(&list, "+4915112346221\n+4915112346222,disabled # later\n")?;
    let list = list.to_str().context("a path of ours")?;
    let count = json(&server, &["allow-list", "import", list]).await?;
    assert_eq!(
        (count["registered"].as_u64(), count["enabled"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(
        json(&server, &["allow-list", "remove", "+4915112346222"]).await?["registered"],
        1
    );
    let (done, _, error) = admin(&server, &["allow-list", "remove", "+4915112346222"]).await?;
    assert!(!done && error.contains("not on the allow-list"), "{error}");

    let host = server.sign_in("+4915112346221").await?;
    let waiting = server.sign_in("+4915112346223").await?;
    until("the waiting to be counted", async || {
        (json(&server, &["waitlist", "show"]).await.ok()?["waiting"] == 1).then_some(())
    })
    .await;
    json(&server, &["waitlist", "admit", "--next", "1"]).await?;
    until("the admission", async || {
        (waiting.client.me().await.ok()?.standing == Standing::Active).then_some(())
    })
    .await;
    let granted = json(&server, &["invites", "grant", &host.id, "3"]).await?;
    assert_eq!(granted["left"], 5);
    let (done, out, _) = admin(&server, &["invites", "list", &host.id]).await?;
    assert!(done && out.contains("left to give: 5"), "{out}");
    let account = json(&server, &["user", "show", "+4915112346221"]).await?;
    assert_eq!(account["me"]["id"].as_str(), Some(host.id.as_str()));

    let request = CreateRoom {
        title: "To be stopped".to_owned(),
        topics: Vec::new(),
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    let room = host.client.create_room(&request, "room").await?.id;
    host.client.join(&room, &join()).await?;
    until("the room to be listed", async || {
        let (_, out, _) = admin(&server, &["rooms", "list"]).await.ok()?;
        (out.contains(&room) && out.contains("To be stopped")).then_some(())
    })
    .await;
    json(&server, &["rooms", "stop", &room]).await?;
    until("the room to be over", async || {
        (host.client.room(&room).await.err()?.code() == Some("room_ended")).then_some(())
    })
    .await;
    json(&server, &["user", "suspend", &waiting.id]).await?;
    assert_eq!(code(waiting.client.me().await), "suspended");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn test_accounts_exist_only_where_they_are_allowed() -> Result<()> {
    let server = Server::start(&["admin.test_admission=true"]).await?;
    let made = server.admin.test_accounts(3, "+4915199").await?;
    assert_eq!(made.len(), 3);
    for account in made {
        let client = server.client.signed_in(&account.tokens.access_token);
        let me = client.me().await?;
        assert_eq!((me.id, me.standing), (account.user, Standing::Active));
    }
    for account in server.admin.waiting_test_accounts(3, "+4915198").await? {
        let client = server.client.signed_in(&account.tokens.access_token);
        assert_eq!(client.me().await?.standing, Standing::Waiting);
        until("a ticket", async || client.me().await.ok()?.ticket).await;
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_goes_wrong_is_said() -> Result<()> {
    let server = Server::open(&[]).await?;
    let (done, _, error) = admin(&server, &["user", "show", "nobody"]).await?;
    assert!(!done && error.contains("phone_invalid"), "{error}");
    let (done, _, error) = admin(&server, &["rooms", "stop", "x"]).await?;
    assert!(!done && error.contains("not_found"), "{error}");
    let directory = server.directory.path().to_owned();
    let mut command = mitalk(&directory);
    command.args(["--set", "storage.data_dir=\"elsewhere\"", "admin", "phase", "get"]);
    let output = command.output().await?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && error.contains("--token-file"),
        "{error}"
    );
    server.stop().await?;
    Ok(())
}
