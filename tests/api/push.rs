//! Web Push over the real binary, to push services of the test's own that check who sends and decrypt what is sent.

use crate::live::{next, welcome};
use crate::offer::join;
use crate::rooms::titled;
use anyhow::{Context as _, Result};
use mitalk::client::Client;
use mitalk::wire::admin::{Admit, Phase};
use mitalk::wire::push::{NoticeSettings, PushKind, PushSubscription, QuietHours};
use mitalk_cluster::{Clock as _, SystemClock};
use mitalk_tests::over_each_kind_of_parts;
use mitalk_tests::parts::Parts;
use mitalk_tests::push::{Browser, Manner, Message, PushService};
use mitalk_tests::server::{Person, Server, until};
use serde_json::{Value, json};

/// More people than the service sends to one push service at once.
const CROWD: usize = 40;

over_each_kind_of_parts!(a_push_service_that_never_answers_holds_up_nobody_elses);

/// Somebody whose device has a subscription at a push service.
pub(crate) struct Pushed<'a> {
    browser: Browser,
    service: &'a PushService,
    name: &'static str,
}

impl<'a> Pushed<'a> {
    pub(crate) async fn subscribe(
        client: &Client,
        service: &'a PushService,
        name: &'static str,
    ) -> Result<Self> {
        let browser = Browser::default();
        let key = client.push_key().await?.key;
        client
            .subscribe(&browser.subscription(&service.endpoint(name), &key))
            .await?;
        Ok(Self {
            browser,
            service,
            name,
        })
    }

    pub(crate) fn seen(&self) -> Vec<Message> {
        self.service.seen(self.name)
    }

    /// Waits for the nth message, from 1.
    pub(crate) async fn nth(&self, n: usize) -> (Message, Value) {
        let message = until("a push", async || self.seen().into_iter().nth(n - 1)).await;
        let said = message.said(&self.browser);
        (message, said)
    }
}

pub(crate) async fn follow(who: &Person, whom: &Person) {
    until("one to follow another", async || {
        who.client.follow(&whom.id).await.ok()
    })
    .await;
}

pub(crate) async fn is_told(who: &Person, what: &str) {
    let told = async || {
        let notices = who.client.notices(None, None).await.ok()?;
        serde_json::to_string(&notices.items)
            .ok()?
            .contains(what)
            .then_some(())
    };
    until("somebody to be told in the app", told).await;
}

#[tokio::test]
async fn who_is_not_there_is_pushed_what_happened_and_nobody_else_can_read_it() -> Result<()> {
    let push = PushService::start().await?;
    let setting = PushService::setting(&[&push]);
    let server = Server::open(&[&setting, "push.subject=\"mailto:ops@example.org\""]).await?;
    let ann = server.person("+4915112348001", "Ann").await?;
    let ben = server.person("+4915112348002", "Ben").await?;
    let pushed = Pushed::subscribe(&ann.client, &push, "ann").await?;

    follow(&ben, &ann).await;
    let (message, said) = pushed.nth(1).await;
    let tag = said["tag"].as_str().context("a tag")?.to_owned();
    let at = said["at_ms"].as_u64().context("a time")?;
    assert_eq!(
        said,
        json!({
            "tag": tag, "kind": "new_follower", "count": 1, "who": "Ben", "path": "/notices", "language": "en", "at_ms": at,
        })
    );
    assert!(
        tag.starts_with(&format!("user/{}/", ann.id)),
        "the event's id: {tag}"
    );
    let (key, now_s) = (server.client.push_key().await?.key, SystemClock.wall().0 / 1_000);
    assert_eq!(
        message.sender(&key, &push.origin, now_s)?,
        "mailto:ops@example.org"
    );
    assert!(
        message
            .sender(&key, "https://elsewhere.example.org", now_s)
            .is_err()
    );
    assert_eq!(message.header("content-encoding"), "aes128gcm");
    assert_eq!(message.header("urgency"), "normal");
    let ttl: u64 = message.header("ttl").parse()?;
    assert!((1..=3 * 24 * 60 * 60).contains(&ttl), "{ttl}");
    assert!((1..=32).contains(&message.header("topic").len()));

    // Contacts; then somebody waits for her.
    follow(&ann, &ben).await;
    let room = ben.client.create_room(&titled("Bridges"), "room").await?.id;
    ben.client.join(&room, &join()).await?;
    until("the ping to go", async || {
        ben.client.ping_into(&room, &ann.id).await.ok()
    })
    .await;
    let pinged = async || {
        let of = |message: &Message| message.said(&pushed.browser);
        let all = pushed.seen();
        let mut all = all.iter().map(|message| (message.clone(), of(message)));
        all.find(|(_, said)| said["kind"] == "pinged")
    };
    let (message, said) = until("the ping to be pushed", pinged).await;
    assert_eq!((&said["who"], &said["title"]), (&json!("Ben"), &json!("Bridges")));
    assert_eq!(said["path"], json!(format!("/r/{room}")));
    assert_eq!(message.header("urgency"), "high");
    assert_ne!(said["tag"], json!(tag));

    let devices = ann.client.devices().await?.devices;
    assert!(
        push.origin
            .ends_with(devices[0].push_service.as_deref().context("it is listed")?)
    );
    let log = server.stopped_log().await?;
    assert!(
        !log.iter().any(|line| line.contains("/ann")),
        "no endpoint is in the log"
    );
    Ok(())
}

#[tokio::test]
async fn who_waits_is_told_that_they_are_in() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::start(&[&PushService::setting(&[&push])]).await?;
    server.admin.set_phase(Phase::ClosedTest).await?;
    let cy = server.sign_in("+4915112348011").await?;
    let browser = Browser::default();
    let key = cy.client.push_key().await?.key;
    let mut subscription = PushSubscription {
        language: "zh-Hans".to_owned(),
        ..browser.subscription(&push.endpoint("cy"), &key)
    };
    cy.client.subscribe(&subscription).await?;
    until("a ticket", async || cy.client.me().await.ok()?.ticket).await;
    server.admin.admit(&Admit::Count(1), "one").await?;
    let message = until("the push", async || push.seen("cy").pop()).await;
    let said = message.said(&browser);
    assert_eq!(
        (&said["kind"], &said["path"], &said["language"]),
        (&json!("admitted"), &json!("/"), &json!("zh-Hans"))
    );

    // The same again, and no more: a device that is not pushed to any more.
    subscription.language = "en".to_owned();
    cy.client.subscribe(&subscription).await?;
    cy.client.unsubscribe().await?;
    cy.client.unsubscribe().await?;
    assert_eq!(cy.client.devices().await?.devices[0].push_service, None);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_forgotten_and_one_that_is_refused_is_not() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::open(&[&PushService::setting(&[&push])]).await?;
    let ann = server.person("+4915112348021", "Ann").await?;
    let ben = server.person("+4915112348022", "Ben").await?;
    let cy = server.person("+4915112348023", "Cy").await?;
    push.set("ann", Manner::Answers(410));
    push.set("ben", Manner::Answers(403));
    Pushed::subscribe(&ann.client, &push, "ann").await?;
    let refused = Pushed::subscribe(&ben.client, &push, "ben").await?;
    follow(&cy, &ann).await;
    follow(&cy, &ben).await;
    until("the subscription to be forgotten", async || {
        let devices = ann.client.devices().await.ok()?.devices;
        devices
            .iter()
            .all(|device| device.push_service.is_none())
            .then_some(())
    })
    .await;
    refused.nth(1).await;
    // A wrong clock of ours ends nobody's: what comes next is sent there as well.
    follow(&ann, &ben).await;
    refused.nth(2).await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_push_service_that_is_away_gets_the_same_push_later() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::open(&[&PushService::setting(&[&push])]).await?;
    let ann = server.person("+4915112348031", "Ann").await?;
    let ben = server.person("+4915112348032", "Ben").await?;
    push.set("ann", Manner::Answers(503));
    let pushed = Pushed::subscribe(&ann.client, &push, "ann").await?;
    follow(&ben, &ann).await;
    let (_, first) = pushed.nth(1).await;
    push.set("ann", Manner::Answers(201));
    let (_, again) = pushed.nth(2).await;
    assert_eq!(again, first, "the same tag and words");
    server.stop().await?;
    Ok(())
}

async fn a_push_service_that_never_answers_holds_up_nobody_elses(parts: &Parts) -> Result<()> {
    let (slow, push) = (PushService::start().await?, PushService::start().await?);
    let setting = PushService::setting(&[&slow, &push]);
    let server = parts.open(&[&setting, "admin.test_admission=true"]).await?;
    let ann = server.person("+4915112348041", "Ann").await?;
    let ben = server.person("+4915112348042", "Ben").await?;
    slow.set("crowd", Manner::Hangs);
    let crowd = server.people::<CROWD>().await?;
    for person in &crowd {
        Pushed::subscribe(&person.client, &slow, "crowd").await?;
    }
    let pushed = Pushed::subscribe(&ben.client, &push, "ben").await?;
    for person in &crowd {
        until("a follow", async || ann.client.follow(&person.user).await.ok()).await;
    }
    until("many to hang", async || {
        (slow.seen("crowd").len() >= CROWD / 2).then_some(())
    })
    .await;
    follow(&ann, &ben).await;
    let (_, said) = pushed.nth(1).await;
    assert_eq!(said["who"], "Ann");
    for person in &crowd {
        let told = async || (person.client.me().await.ok()?.notice_seq == 1).then_some(());
        until("each of the crowd to be told in the app", told).await;
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn quiet_hours_are_quiet_and_kinds_can_be_switched_off() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::open(&[&PushService::setting(&[&push])]).await?;
    let ann = server.person("+4915112348051", "Ann").await?;
    let ben = server.person("+4915112348052", "Ben").await?;
    let cy = server.person("+4915112348053", "Cy").await?;
    let dan = server.person("+4915112348054", "Dan").await?;
    let quiet = Pushed::subscribe(&ann.client, &push, "ann").await?;
    let off = Pushed::subscribe(&ben.client, &push, "ben").await?;
    let control = Pushed::subscribe(&cy.client, &push, "cy").await?;

    // Two hours around now, on the clocks of UTC.
    let minute = u16::try_from(SystemClock.wall().0 / 60_000 % 1_440)?;
    let hours = QuietHours {
        from_minute: (minute + 1_440 - 60) % 1_440,
        to_minute: (minute + 60) % 1_440,
        zone: "Etc/UTC".to_owned(),
    };
    let at_night = NoticeSettings {
        off: vec![],
        quiet: Some(hours),
    };
    assert_eq!(ann.client.set_notice_settings(&at_night).await?, at_night);
    let no_followers = NoticeSettings {
        off: vec![PushKind::NewFollower, PushKind::Pinged, PushKind::NewFollower],
        quiet: None,
    };
    let kept = ben.client.set_notice_settings(&no_followers).await?;
    assert_eq!(kept.off, [PushKind::Pinged, PushKind::NewFollower], "each once");
    assert_eq!(ben.client.notice_settings().await?, kept);

    for whom in [&ann, &ben] {
        follow(&dan, whom).await;
        is_told(whom, "new_follower").await;
    }
    follow(&dan, &cy).await;
    control.nth(1).await;
    assert!(quiet.seen().is_empty() && off.seen().is_empty());
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_follows_soon_is_one_push() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::open(&[&PushService::setting(&[&push])]).await?;
    let ann = server.person("+4915112348061", "Ann").await?;
    let pushed = Pushed::subscribe(&ann.client, &push, "ann").await?;
    let mut others = vec![];
    for (n, name) in [(2, "Ben"), (3, "Cy"), (4, "Dan")] {
        others.push(server.person(&format!("+491511234806{n}"), name).await?);
    }
    for other in &others {
        follow(other, &ann).await;
    }
    let (_, first) = pushed.nth(1).await;
    assert_eq!(first["count"], 1);
    let (_, rest) = pushed.nth(2).await;
    assert_eq!((&rest["count"], &rest["path"]), (&json!(2), &json!("/notices")));
    assert_eq!(pushed.seen().len(), 2);
    server.stop().await?;
    Ok(())
}

/// A phone without a network says no goodbye: its socket is there until the service gives it up.
#[tokio::test]
async fn what_a_socket_was_told_behind_which_nobody_was_is_pushed() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::open(&[&PushService::setting(&[&push]), "http.live_idle_ms=20000"]).await?;
    let ann = server.person("+4915112348091", "Ann").await?;
    let ben = server.person("+4915112348092", "Ben").await?;
    let pushed = Pushed::subscribe(&ann.client, &push, "ann").await?;
    let mut live = ann.client.live(0).await?;
    next(&mut live, "the welcome", welcome).await?;
    // Nothing is read or written from here on, not even the answer to a ping.
    follow(&ben, &ann).await;
    is_told(&ann, "new_follower").await;
    assert!(pushed.seen().is_empty(), "the socket was told");
    let (_, said) = pushed.nth(1).await;
    assert_eq!(said["kind"], "new_follower");
    drop(live);
    server.stop().await?;
    Ok(())
}
