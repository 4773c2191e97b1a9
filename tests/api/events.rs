//! Events and what operators do with them: dead letters, the export of the audit, and a service without its brokers.

use crate::admin::{admin, json};
use crate::offer::join;
use crate::push::{Pushed, follow};
use anyhow::{Context as _, Result, ensure};
use mitalk::events::cloud_event::CloudEvent;
use mitalk::wire::admin::Phase;
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::people::Standing;
use mitalk::wire::rooms::{CreateRoom, HandRaising, Moderation, Visibility};
use mitalk_actors::events::{AUDIT, NOTICES, TOPICS};
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, Timestamp, Trace};
use mitalk_tests::events::Schemas;
use mitalk_tests::kafka::{Broker, named};
use mitalk_tests::push::PushService;
use mitalk_tests::server::{Server, until};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const LETTER: &str = "notifier:mitalk.notices.v1:user/poison/1";
const DATABASE: &str = "data/mitalk.db";

#[tokio::test]
async fn operators_see_retry_and_drop_dead_letters() -> Result<()> {
    let directory = Server::open(&[]).await?.stop().await?;
    let database = Connection::open(directory.path().join(DATABASE))?;
    database.execute_batch(
        "INSERT INTO topic (name, next) VALUES ('mitalk.notices.v1', 2) ON CONFLICT DO UPDATE SET next = next + 1;
         INSERT INTO event (topic, position, kind, key, sequence, at, payload, trace)
         SELECT name, next - 1, 'user', 'poison', 1, 0, x'c1', '' FROM topic WHERE name = 'mitalk.notices.v1'",
    )?;
    drop(database);
    let server = Server::start_in(directory, &[]).await?;
    let listed = async |id: &str| {
        let letters = json(&server, &["dlq", "list"]).await.ok()?;
        let letters = letters["letters"].as_array()?.clone();
        letters.into_iter().find(|letter| letter["id"] == id)
    };
    let first = until("the letter", async || listed(LETTER).await).await;
    assert_eq!(
        (&first["group"], &first["topic"]),
        (&"notifier".into(), &NOTICES.into())
    );
    let other = "inviter:mitalk.notices.v1:user/poison/1";
    until("the other group's", async || listed(other).await).await;

    let (done, out, error) = admin(&server, &["dlq", "show", LETTER]).await?;
    assert!(done && out.contains("\"data_base64\": \"wQ==\""), "{out} {error}");
    json(&server, &["dlq", "retry", LETTER]).await?;
    let again = until("it to come back, still unreadable", async || {
        listed(LETTER)
            .await
            .filter(|letter| letter["dead_since"] != first["dead_since"])
    });
    assert_eq!(again.await["reason"], first["reason"]);
    for id in [LETTER, other] {
        json(&server, &["dlq", "drop", id]).await?;
        assert_eq!(listed(id).await, None);
        let (done, _, error) = admin(&server, &["dlq", "retry", id]).await?;
        assert!(!done && error.contains("no such dead letter"), "{error}");
    }
    let (done, _, error) = admin(&server, &["dlq", "show", "nonsense"]).await?;
    assert!(
        !done && error.contains("group:topic:kind/key/sequence"),
        "{error}"
    );
    let (_, out, _) = admin(&server, &["dlq", "list"]).await?;
    assert_eq!(out, "no dead letters\n");

    let audit = exported(
        &server,
        &["phase_set", "dead_letter_retried", "dead_letter_dropped"],
    )
    .await?;
    let retried = audit
        .iter()
        .find(|event| event["data"]["action"] == "dead_letter_retried");
    assert_eq!(retried.context("it was done")?["data"]["value"], LETTER);
    server.stop().await?;
    Ok(())
}

/// The audit as `mitalk admin audit export` writes it, once all of these were done.
async fn exported(server: &Server, actions: &[&str]) -> Result<Vec<Value>> {
    let schemas = Schemas::read();
    let audit = until("the audit", async || {
        let (done, out, error) = admin(server, &["audit", "export"]).await.ok()?;
        assert!(done, "{error}");
        let events: Vec<Value> = out
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect();
        let has = |action: &&str| events.iter().any(|event| event["data"]["action"] == **action);
        actions.iter().all(has).then_some(events)
    });
    let audit = audit.await;
    audit.iter().for_each(|event| schemas.check(AUDIT, event));
    Ok(audit)
}

/// A bit of everything that sends events; gives what the audit must have of it.
async fn live_a_little(server: &Server) -> Result<()> {
    server.admin.set_phase(Phase::ClosedTest).await?;
    let waiting = server.sign_in("+4915112346401").await?;
    server.admin.set_phase(Phase::Open).await?;
    let ann = server.sign_in("+4915112346402").await?;
    let phone = InviteRequest::Phone {
        phone: "+4915112346403".to_owned(),
    };
    let invite = ann.client.invite(&phone, "number").await?;
    ann.client.invite(&InviteRequest::Link, "link").await?;
    ann.client.revoke_invite(&invite.id).await?;
    let request = CreateRoom {
        title: "Events".to_owned(),
        topics: Vec::new(),
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    let room = ann.client.create_room(&request, "room").await?.id;
    ann.client.join(&room, &join()).await?;
    until("the admission", async || {
        waiting.client.join(&room, &join()).await.ok()
    })
    .await;
    ann.client
        .moderate(&room, &waiting.id, Moderation::InviteToStage)
        .await?;
    server.admin.suspend(&waiting.id, true).await?;
    Ok(())
}

/// Everything that the database holds as events fits its schema.
#[tokio::test]
async fn every_event_that_is_sent_fits_its_schema() -> Result<()> {
    let push = PushService::start().await?;
    let server = Server::start(&[&PushService::setting(&[&push])]).await?;
    live_a_little(&server).await?;
    let followed = server.person("+4915112346404", "Fay").await?;
    let pushed = Pushed::subscribe(&followed.client, &push, "fay").await?;
    follow(&server.person("+4915112346405", "Gil").await?, &followed).await;
    pushed.nth(1).await;
    exported(&server, &["phase_set", "user_suspended"]).await?;
    let directory = server.stop().await?;
    let schemas = Schemas::read();
    let sent = sent(directory.path())?;
    for (topic, event) in &sent {
        schemas.check(topic, &serde_json::to_value(CloudEvent::new(topic, event))?);
    }
    let topics: BTreeSet<_> = sent.iter().map(|(topic, _)| topic.as_str()).collect();
    ensure!(
        topics == BTreeSet::from(TOPICS),
        "only {topics:?} of {} events",
        sent.len()
    );
    Ok(())
}

fn sent(directory: &Path) -> Result<Vec<(String, Event)>> {
    let database = Connection::open(directory.join(DATABASE))?;
    let mut query = database.prepare("SELECT topic, kind, key, sequence, at, payload FROM event")?;
    let rows = query.query_map([], |row| {
        let (kind, key): (String, String) = (row.get(1)?, row.get(2)?);
        let event = Event {
            source: EntityId::new(&kind, &key),
            sequence: row.get::<_, i64>(3)?.unsigned_abs(),
            at: Timestamp(row.get::<_, i64>(4)?.unsigned_abs()),
            payload: row.get(5)?,
            trace: Trace::default(),
        };
        Ok((row.get(0)?, event))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A broker that is away is a state, at start and later; what waits goes out when it is back.
#[tokio::test]
async fn kafka_that_is_away_stops_nobody_and_gets_everything_later() -> Result<()> {
    if named().is_none() {
        return Ok(());
    }
    let broker = Broker::new()?;
    let brokers = format!("kafka.brokers=[\"{}\"]", broker.address());
    let settings = [
        "storage.events=\"kafka\"",
        &brokers,
        "kafka.replication=1",
        "kafka.min_isr=1",
        "kafka.partitions=3",
    ];
    let server = Server::start(&settings).await?;
    let ready = server.admin.readiness().await?;
    assert!(ready.ready && !ready.event_log.connected, "{ready:?}");
    until("why the brokers are away", async || {
        let log = server.admin.readiness().await.ok()?.event_log;
        (log.away_since.is_some() && log.reason?.contains("no broker answers")).then_some(())
    })
    .await;
    assert!(server.admin.metrics().await?.contains("mitalk_kafka_connected 0"));
    server.admin.set_phase(Phase::ClosedTest).await?;
    let waiting = server.sign_in("+4915112346408").await?;
    assert_eq!(waiting.client.me().await?.standing, Standing::Waiting);
    server.admin.set_phase(Phase::Open).await?;
    let texts = server.directory.path().join("sms.jsonl");
    let admitted = || std::fs::read_to_string(&texts).is_ok_and(|texts| texts.contains("\"admitted\""));
    ensure!(!admitted(), "nothing can have been told yet");

    broker.run("start").await?;
    until("the outboxes to drain and the text to go out", async || {
        admitted().then_some(())
    })
    .await;
    live_a_little(&server).await?;
    exported(&server, &["phase_set", "user_suspended"]).await?;
    let log = server.admin.readiness().await?.event_log;
    assert!(
        log.connected && log.adapter == "kafka" && log.mismatches.is_empty(),
        "{log:?}"
    );

    broker.run("kill").await?;
    until("the loss to be seen", async || {
        let ready = server.admin.readiness().await.ok()?;
        (ready.ready && !ready.event_log.connected).then_some(())
    })
    .await;
    server.sign_in("+4915112346409").await?;
    broker.run("start").await?;
    until("the brokers to be back", async || {
        server
            .admin
            .readiness()
            .await
            .ok()?
            .event_log
            .connected
            .then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}
