//! Web Push: what is not taken, and keys that change.

use crate::push::{Pushed, follow, is_told};
use anyhow::{Context as _, Result};
use mitalk::wire::push::{NoticeSettings, PushSubscription, QuietHours};
use mitalk_tests::push::{Browser, PushService};
use mitalk_tests::server::{Server, code};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn only_what_can_be_sent_to_is_taken() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::open(&[&PushService::setting(&[&push])]).await?;
    let ann = server.sign_in("+4915112348071").await?;
    let key = server.client.push_key().await?.key;
    let good = Browser::default().subscription(&push.endpoint("ann"), &key);
    let with = |change: &dyn Fn(&mut PushSubscription)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let elsewhere = [
        "https://fcm.googleapis.com/x",
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "",
    ];
    let mut refused: Vec<_> = elsewhere
        .map(|endpoint| with(&|it| endpoint.clone_into(&mut it.endpoint)))
        .into();
    let long = push.endpoint(&"x".repeat(1_000));
    refused.extend([
        with(&|it| long.clone_into(&mut it.endpoint)),
        with(&|it| it.keys.p256dh = "AAAA".to_owned()),
        with(&|it| it.keys.p256dh = "B".repeat(87)),
        with(&|it| it.keys.p256dh = "no base64!".to_owned()),
        with(&|it| it.keys.auth = "AAAA".to_owned()),
        with(&|it| it.keys.auth = "A".repeat(60_000)),
    ]);
    for subscription in refused {
        let answer = code(ann.client.subscribe(&subscription).await);
        assert_eq!(answer, "push_endpoint_refused", "{}", subscription.endpoint);
    }
    let other_key = with(&|it| it.server_key = it.keys.p256dh.clone());
    assert_eq!(code(ann.client.subscribe(&other_key).await), "push_key_changed");
    for language in ["", "English, please", "x".repeat(40).as_str()] {
        let subscription = with(&|it| language.clone_into(&mut it.language));
        assert_eq!(
            code(ann.client.subscribe(&subscription).await),
            "unprocessable",
            "{language}"
        );
    }
    assert_eq!(code(server.client.subscribe(&good).await), "token_missing");

    let quiet = |from_minute, to_minute, zone: &str| NoticeSettings {
        off: vec![],
        quiet: Some(QuietHours {
            from_minute,
            to_minute,
            zone: zone.to_owned(),
        }),
    };
    for (hours, why) in [
        (quiet(0, 0, "UTC"), "quiet_hours_invalid"),
        (quiet(1_440, 0, "UTC"), "quiet_hours_invalid"),
        (quiet(0, 60, "Mars/Olympus"), "zone_unknown"),
        (quiet(0, 60, ""), "zone_unknown"),
    ] {
        assert_eq!(code(ann.client.set_notice_settings(&hours).await), why);
    }
    let unknown = json!({ "off": ["birthdays"] });
    let path = ["v1", "me", "notice-settings"];
    let request = ann
        .client
        .request(Method::PUT, &path)
        .json(&unknown)
        .send()
        .await?;
    assert_eq!(request.status().as_u16(), 422);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn new_keys_are_made_by_operators_and_end_what_was_subscribed_with_the_old_ones() -> Result<()> {
    let push = PushService::start().await?;
    let setting = PushService::setting(&[&push]);
    let server = Server::open(&[&setting]).await?;
    let ann = server.person("+4915112348081", "Ann").await?;
    let ben = server.person("+4915112348082", "Ben").await?;
    let old = server.client.push_key().await?.key;
    let stale = Pushed::subscribe(&ann.client, &push, "ann").await?;
    let directory = server.stop().await?;

    let vapid = async |what: &str| -> Result<String> {
        let mut command = mitalk_tests::server::mitalk(directory.path());
        let output = command
            .args(["admin", "vapid", what, "--json", "--set", "storage.data_dir=data"])
            .output()
            .await?;
        anyhow::ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        Ok(answer["public_key"].as_str().context("a key")?.to_owned())
    };
    assert_eq!(vapid("show").await?, old);
    let new = vapid("new").await?;
    assert_ne!(new, old);

    let server = Server::start_in(directory, &[&setting]).await?;
    assert_eq!(server.client.push_key().await?.key, new);
    let (ann, ben) = (ann.again(&server), ben.again(&server));
    let pushed = Pushed::subscribe(&ben.client, &push, "ben").await?;
    follow(&ben, &ann).await;
    is_told(&ann, "new_follower").await;
    follow(&ann, &ben).await;
    pushed.nth(1).await;
    assert!(
        stale.seen().is_empty(),
        "nothing is sent that a push service would refuse"
    );
    server.stop().await?;

    let off = Server::open(&["push.enabled=false"]).await?;
    assert_eq!(code(off.client.push_key().await), "push_off");
    off.stop().await?;
    Ok(())
}
