//! Signing up in each phase, codes, tokens, devices.

use anyhow::Result;
use mitalk::wire::admin::{Admit, AllowEntry, Phase};
use mitalk::wire::auth::VerifyRequest;
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::people::Standing;
use mitalk::wire::rooms::{CreateRoom, HandRaising, Visibility};
use mitalk_tests::server::{PATIENCE, Person, Server, code, mitalk, until};

fn allow(phone: &str, enabled: bool) -> AllowEntry {
    AllowEntry {
        phone: phone.to_owned(),
        enabled,
    }
}

#[tokio::test]
async fn employees_come_in_by_the_allow_list_and_everyone_else_waits() -> Result<()> {
    let server = Server::start(&[]).await?;
    assert_eq!(server.admin.phase().await?, Phase::Employees);
    let entries = vec![allow("+4915112345601", true), allow("+4915112345602", false)];
    let count = server.admin.import_allowed(entries).await?;
    assert_eq!((count.registered, count.enabled), (2, 1));

    let enabled = server.sign_in("+4915112345601").await?;
    assert_eq!(enabled.client.me().await?.standing, Standing::Active);
    let disabled = server.sign_in("+4915112345602").await?;
    assert_eq!(disabled.client.me().await?.standing, Standing::Waiting);
    let stranger = server.sign_in("+4915112345603").await?;
    assert_eq!(stranger.client.me().await?.standing, Standing::Waiting);
    assert_eq!(code(stranger.client.hallway(None, None).await), "not_active");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn in_the_closed_test_invites_and_operators_let_people_in() -> Result<()> {
    let server = Server::start(&[]).await?;
    server.admin.set_phase(Phase::ClosedTest).await?;
    server
        .admin
        .import_allowed(vec![allow("+4915112345611", true)])
        .await?;
    let host = server.sign_in("+4915112345611").await?;
    let invite = host
        .client
        .invite(
            &InviteRequest::Phone {
                phone: "+4915112345612".to_owned(),
            },
            "a",
        )
        .await?;
    assert!(invite.phone_hint.is_some());
    let invited = server.sign_in("+4915112345612").await?;
    until("the invited person to be in", async || {
        (invited.client.me().await.ok()?.standing == Standing::Active).then_some(())
    })
    .await;

    let first = server.sign_in("+4915112345613").await?;
    let second = server.sign_in("+4915112345614").await?;
    until("both to have a ticket", async || {
        let (a, b) = (
            first.client.me().await.ok()?.ticket?,
            second.client.me().await.ok()?.ticket?,
        );
        (a.number < b.number && b.ahead > a.ahead).then_some(())
    })
    .await;
    server.admin.admit(&Admit::Count(1), "first").await?;
    until("the first to be admitted", async || {
        (first.client.me().await.ok()?.standing == Standing::Active).then_some(())
    })
    .await;
    assert_eq!(second.client.me().await?.standing, Standing::Waiting);
    server
        .admin
        .admit(&Admit::Phone("+4915112345614".to_owned()), "second")
        .await?;
    until("the second to be admitted", async || {
        (second.client.me().await.ok()?.standing == Standing::Active).then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn when_it_is_open_everyone_comes_in_and_stays_in_after_a_restart() -> Result<()> {
    let server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112345621").await?;
    assert_eq!(person.client.me().await?.standing, Standing::Active);
    let directory = server.stop().await?;

    let server = Server::start_in(directory, &[]).await?;
    assert_eq!(server.admin.phase().await?, Phase::Open);
    let tokens = server.client.refresh(&person.tokens.refresh_token).await?;
    let again = server.client.signed_in(&tokens.access_token);
    assert_eq!(again.me().await?.id, person.id);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn codes_are_checked_counted_and_not_given_again_at_once() -> Result<()> {
    let server = Server::open(&[]).await?;
    let phone = "+4915112345631";
    assert_eq!(
        code(server.client.send_code("not a number").await),
        "phone_invalid"
    );
    assert_eq!(code(server.client.send_code("+49110").await), "phone_invalid");
    let sent = server.client.send_code(phone).await?;
    assert!(sent.expires_in_s > 0 && sent.resend_after_s > 0);
    let error = server.client.send_code(phone).await.expect_err("too soon");
    assert_eq!(error.code(), Some("code_rate_limited"));
    assert!(error.retry_after().is_some());

    let right = server.code(phone).await?;
    let wrong = if right == "000000" { "111111" } else { "000000" };
    let verify = |code: &str| VerifyRequest {
        phone: phone.to_owned(),
        code: code.to_owned(),
        device_name: None,
        invite: None,
    };
    assert_eq!(code(server.client.verify(&verify(wrong)).await), "code_wrong");
    server.client.verify(&verify(&right)).await?;
    assert_eq!(
        code(server.client.verify(&verify(&right)).await),
        "code_expired",
        "a code counts once"
    );
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_code_is_void_after_too_many_tries() -> Result<()> {
    let server = Server::open(&["limits.codes.tries=2"]).await?;
    let phone = "+4915112345641";
    server.client.send_code(phone).await?;
    let right = server.code(phone).await?;
    let wrong = if right == "000000" { "111111" } else { "000000" };
    let verify = |code: &str| VerifyRequest {
        phone: phone.to_owned(),
        code: code.to_owned(),
        device_name: None,
        invite: None,
    };
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(code(server.client.verify(&verify(wrong)).await));
    }
    assert!(codes.contains(&"code_tries_used_up".to_owned()), "{codes:?}");
    let late = code(server.client.verify(&verify(&right)).await);
    assert!(
        ["code_tries_used_up", "code_expired"].contains(&late.as_str()),
        "{late}"
    );
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_used_one_signs_the_device_out() -> Result<()> {
    let server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112345651").await?;
    let old = person.tokens.refresh_token.clone();
    let fresh = server.client.refresh(&old).await?;
    assert_ne!(fresh.refresh_token, old);
    // As if the answer had been lost on its way: nobody is signed out for that.
    let newest = server.client.refresh(&old).await?;
    assert_eq!(
        code(server.client.refresh(&fresh.refresh_token).await),
        "refresh_reused",
        "but then nobody may have the lost one"
    );
    let after = code(server.client.refresh(&newest.refresh_token).await);
    assert!(
        ["refresh_invalid", "refresh_reused"].contains(&after.as_str()),
        "{after}"
    );
    assert_eq!(code(server.client.refresh("nonsense").await), "refresh_invalid");
    until("the access token to count no more", async || {
        let refused = person.client.me().await.err()?;
        (refused.code() == Some("token_invalid")).then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn devices_are_listed_and_can_be_signed_out() -> Result<()> {
    let server = Server::open(&["limits.codes.resend_after_s=0"]).await?;
    let here = server.sign_in("+4915112345661").await?;
    let there = server.sign_in("+4915112345661").await?;
    assert_eq!(here.id, there.id, "one account");
    let devices = here.client.devices().await?.devices;
    assert_eq!(devices.len(), 2);
    assert_eq!(devices.iter().filter(|device| device.current).count(), 1);
    let other = devices
        .iter()
        .find(|device| !device.current)
        .expect("the other one");
    here.client.revoke_device(&other.id).await?;
    until("the other device to be out", async || {
        let refused = there.client.me().await.err()?;
        (refused.code() == Some("token_invalid")).then_some(())
    })
    .await;
    assert_eq!(
        code(here.client.revoke_device(&other.id).await),
        "device_not_found"
    );
    assert_eq!(code(here.client.revoke_device("x").await), "device_not_found");

    here.client.sign_out().await?;
    until("this device to be out", async || {
        let refused = here.client.me().await.err()?;
        (refused.code() == Some("token_invalid")).then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_was_shut_out_stays_so_over_a_crash_and_a_restored_account_needs_a_new_sign_in() -> Result<()> {
    let server = Server::open(&["limits.codes.resend_after_s=0"]).await?;
    let suspended = server.person("+4915112346401", "Sam").await?;
    let signed_out = server.person("+4915112346402", "Sue").await?;
    server.admin.suspend(&suspended.id, true).await?;
    signed_out.client.sign_out().await?;
    assert_eq!(code(suspended.client.me().await), "suspended");
    let server = Server::start_in(server.kill().await?, &["limits.codes.resend_after_s=0"]).await?;
    let again = |person: &Person| server.client.signed_in(&person.tokens.access_token);
    for (person, refused) in [(&suspended, "suspended"), (&signed_out, "token_invalid")] {
        let client = again(person);
        // What the killed process had not yet written beside the account is there a moment after the start: of the device
        // first, which is signed out.
        let shut_out = async || {
            let error = client.me().await.err()?;
            (error.code() == Some(refused)).then_some(())
        };
        until("the token is refused", shut_out).await;
        assert_eq!(code(client.create_room(&room(), "a").await), refused);
        assert_eq!(code(client.hallway(None, None).await), refused);
    }
    server.admin.suspend(&suspended.id, false).await?;
    let restored = async || (code(again(&suspended).me().await) == "token_invalid").then_some(());
    until("the account is let in again, and its old device is not", restored).await;
    server.sign_in("+4915112346401").await?.client.me().await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_database_is_not_served_with_other_keys_than_its_own() -> Result<()> {
    let server = Server::open(&["limits.codes.resend_after_s=0"]).await?;
    server.sign_in("+4915112346403").await?;
    let directory = server.stop().await?;
    let secrets = directory.path().join("data/secrets.json");
    let kept = directory.path().join("kept.json");
    std::fs::rename(&secrets, &kept)?;
    let serve = async || -> Result<String> {
        let output = mitalk(directory.path())
            .args(["serve", "--data-dir", "data", "--set", "http.listen=127.0.0.1:0"])
            .args([
                "--set",
                "operations.listen=127.0.0.1:0",
                "--set",
                "media.bind=[\"127.0.0.1:0\"]",
            ])
            .output();
        let output = tokio::time::timeout(PATIENCE, output).await??;
        assert_eq!(output.status.code(), Some(1));
        Ok(String::from_utf8(output.stderr)?)
    };
    let missing = serve().await?;
    assert!(missing.contains("secrets.json is missing"), "{missing}");
    assert!(!secrets.exists(), "no new keys were made");
    // Another installation's.
    let other = Server::start(&[]).await?.stop().await?;
    std::fs::copy(other.path().join("data/secrets.json"), &secrets)?;
    let foreign = serve().await?;
    assert!(foreign.contains("is not the file"), "{foreign}");
    std::fs::rename(&kept, &secrets)?;
    let server = Server::start_in(directory, &["limits.codes.resend_after_s=0"]).await?;
    let again = server.sign_in("+4915112346403").await?;
    assert_eq!(again.client.me().await?.id, again.id);
    server.stop().await?;
    Ok(())
}

fn room() -> CreateRoom {
    CreateRoom {
        title: "Engines".to_owned(),
        topics: vec![],
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    }
}
