//! The service's end: announced, shown, and carried out, through the admin API and the command.

use anyhow::{Context as _, Result};
use mitalk_tests::over_each_kind_of_parts;
use mitalk_tests::parts::Parts;
use mitalk_tests::server::{Server, code, mitalk, until, until_within};
use std::time::{Duration, SystemTime};

/// Long enough for what has to be done before it on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// The page that was under way when the service died is asked for again after a minute.
const PURGED: Duration = Duration::from_secs(180);

over_each_kind_of_parts!(
    a_sunset_is_announced_moved_and_taken_back,
    at_its_hour_nobody_is_left_and_nobody_comes_in,
);

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?)
}

async fn command(server: &Server, args: &[&str]) -> Result<(bool, String)> {
    let token = server.token_file();
    let output = mitalk(server.directory.path())
        .args(["admin", "--url", &server.operations, "--token-file"])
        .arg(token)
        .arg("sunset")
        .args(args)
        .output()
        .await?;
    let text = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

async fn a_sunset_is_announced_moved_and_taken_back(parts: &Parts) -> Result<()> {
    let server = parts.open(&[]).await?;
    assert_eq!(server.client.service().await?.sunset_at_ms, None);
    let (_, shown) = command(&server, &["show"]).await?;
    assert_eq!(shown, "no end is announced\n");
    let (done, shown) = command(&server, &["set", "2999-12-31T23:00:00-01:00"]).await?;
    assert!(done && shown.contains("3000-01-01T00:00:00Z"), "{shown}");
    let at = server.client.service().await?.sunset_at_ms.context("a date")?;
    assert_eq!(server.admin.sunset().await?.at_ms, Some(at));
    for (wrong, says) in [("tomorrow", "RFC 3339"), ("2001-01-01T00:00:00Z", "sunset_past")] {
        let (done, shown) = command(&server, &["set", wrong]).await?;
        assert!(!done && shown.contains(says), "{shown}");
    }
    assert_eq!(code(server.admin.set_sunset(1).await), "sunset_past");
    command(&server, &["cancel"]).await?;
    until("the announcement to be gone", async || {
        let service = server.client.service().await.ok()?;
        service.sunset_at_ms.is_none().then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}

async fn at_its_hour_nobody_is_left_and_nobody_comes_in(parts: &Parts) -> Result<()> {
    let settings = ["admin.test_admission=true"];
    let server = parts.open(&settings).await?;
    let crowd = server.admin.test_accounts(120, "+4915112").await?;
    let ann = server.person("+4915112347801", "Ann").await?;
    let refresh_token = ann.tokens.refresh_token.clone();
    server
        .admin
        .set_sunset(now_ms()? + u64::try_from(SOON.as_millis())?)
        .await?;
    ann.client
        .export()
        .await
        .context("until the hour everybody may take along what is theirs")?;
    until("it to begin", async || server.admin.sunset().await.ok()?.purge).await;
    // In the middle of it, or so soon behind its end that it is not told yet.
    let server = parts.start_in(server.kill().await?, &settings).await?;
    let ann = ann.client.at(&server.app)?;
    let purge = until_within(PURGED, "nobody to be left", async || {
        let purge = server.admin.sunset().await.ok()?.purge?;
        purge.done_at_ms.map(|_| purge)
    })
    .await;
    assert_eq!(purge.left, 0);
    // Whom the page under way had deleted is not counted again.
    assert!((1..=crowd.len() as u64 + 1).contains(&purge.deleted), "{purge:?}");
    assert_eq!(code(server.client.send_code("+4915112347801").await), "sunset");
    assert_eq!(
        code(server.client.refresh(&refresh_token).await),
        "refresh_invalid"
    );
    assert_eq!(code(ann.me().await), "token_invalid");
    let (_, shown) = command(&server, &["show"]).await?;
    assert!(
        shown.contains("nobody left") && !shown.contains("not yet"),
        "{shown}"
    );
    let (done, shown) = command(&server, &["cancel"]).await?;
    assert!(!done && shown.contains("sunset_begun"), "{shown}");
    server.stop().await?;
    Ok(())
}
