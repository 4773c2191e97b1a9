//! `mitalk admin copy`: a service that people live in moves from its file to a real CQL cluster and a real Kafka, with kills
//! in the middle, and they find everything as it was.

use crate::process::{free_ports, run};
use anyhow::{Context as _, Result, ensure};
use mitalk::client::Client;
use mitalk::wire::admin::{AllowEntry, Phase};
use mitalk::wire::auth::VerifyRequest;
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::people::{ProfilePatch, Standing};
use mitalk_tests::kafka::named;
use mitalk_tests::provider::Provider;
use mitalk_tests::server::{Server, mitalk, until};
use rusqlite::Connection;
use scylla::client::session_builder::SessionBuilder;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const CQL: &str = "MITALK_TEST_CQL";
/// Of the provider: more than anybody tries until it takes texts.
const REFUSALS: usize = 10_000;
const INVITED: &str = "\"kind\":\"invited\"";
const ANN: &str = "+4915112349001";
const BEN: &str = "+4915112349002";
const EVE: &str = "+4915112349003";
const WAITING: &str = "+4915112349004";
/// Invited while the provider takes no texts.
const LEFT_OVER: &str = "+4915112349005";
/// Invited when the service dies.
const OWED: &str = "+4915112349006";
/// More people than are read at once, so that a table can be left in its middle.
const CROWD_PARTS: usize = 7;
const CROWD_PART: usize = 100;
/// What the copy notes beside the source once it has written some entities.
const SOME_ENTITIES: &str = "copy/entity";
/// Where a copy is killed later, by what it has said.
const KILLS: [&str; 4] = ["entity: ", "timer: ", "consumed: ", "mitalk.notices.v1: "];

/// The settings of a service over a keyspace and topics that nobody else has, as flags.
async fn cluster() -> Result<Option<Vec<String>>> {
    let (Ok(cql), Some(broker)) = (std::env::var(CQL), named()) else {
        return Ok(None);
    };
    let name = format!("copy_{:08x}", rand::random::<u32>());
    let settings = vec![
        "storage.store=scylla".to_owned(),
        format!("scylla.nodes=[\"{cql}\"]"),
        format!("scylla.keyspace={name}"),
        "scylla.replication_factor=1".to_owned(),
        "scylla.request_timeout_ms=20000".to_owned(),
        "storage.events=kafka".to_owned(),
        format!("kafka.brokers=[\"{broker}\"]"),
        format!("kafka.prefix=\"{name}.\""),
        "kafka.replication=1".to_owned(),
        "kafka.min_isr=1".to_owned(),
        "kafka.partitions=3".to_owned(),
    ];
    make(&settings).await?;
    Ok(Some(settings))
}

/// Makes the keyspace as operators would, on two machines at once: one of them works, the other waits and finds it done.
async fn make(settings: &[String]) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let migrate = async |more: &[&str]| {
        let arguments = [&["migrate"], more, &flags(settings)].concat();
        run(directory.path(), &arguments, &[]).await
    };
    let (_, planned) = migrate(&["--plan"]).await?;
    ensure!(planned.contains("CREATE KEYSPACE"), "{planned}");
    let (one, other) = tokio::try_join!(migrate(&[]), migrate(&[]))?;
    ensure!(one.0 == Some(0) && other.0 == Some(0), "{one:?} {other:?}");
    let works = |(_, said): &(_, String)| said.contains("applied 1 ");
    ensure!(works(&one) != works(&other), "{one:?} {other:?}");
    let (_, planned) = migrate(&["--plan"]).await?;
    ensure!(planned.contains("nothing to do"), "{planned}");
    Ok(())
}

fn flags(settings: &[String]) -> Vec<&str> {
    settings.iter().flat_map(|setting| ["--set", setting]).collect()
}

async fn sign_in(server: &Server, provider: &Provider, phone: &str, name: &str) -> Result<Client> {
    let before = provider.asked(phone).len();
    server.client.send_code(phone).await?;
    let code = until("a code", async || {
        let asked = provider.asked(phone).split_off(before).into_iter();
        let mut said = asked.filter_map(|asked| serde_json::from_slice::<Value>(&asked.body).ok());
        said.find_map(|said| said["code"].as_str().map(str::to_owned))
    });
    let request = VerifyRequest {
        phone: phone.to_owned(),
        code: code.await,
        device_name: None,
        invite: None,
    };
    let signed_in = server.client.verify(&request).await?;
    let client = server.client.signed_in(&signed_in.tokens.access_token);
    if !name.is_empty() {
        let name = Some(name.to_owned());
        let patch = ProfilePatch {
            name,
            ..ProfilePatch::default()
        };
        client.patch_profile(&patch).await?;
    }
    Ok(client)
}

/// What people and operators see of it all.
async fn seen(server: &Server, clients: &[&Client]) -> Result<Value> {
    let mut seen = vec![];
    for client in clients {
        let me = client.me().await?;
        let profile = client.profile(&me.id).await?;
        let notices = client.notices(None, None).await?;
        seen.push(json!([me, profile, notices, client.invites().await.ok()]));
    }
    let waitlist = server.admin.waitlist().await?;
    let allowed = server.admin.count_allowed().await?;
    Ok(json!([seen, waitlist, allowed, server.admin.phase().await?]))
}

async fn audited(server: &Server) -> Result<BTreeSet<String>> {
    let (done, out, error) = crate::admin::admin(server, &["audit", "export"]).await?;
    ensure!(done, "{error}");
    let id = |line: &str| {
        Some(
            serde_json::from_str::<Value>(line).ok()?["id"]
                .as_str()?
                .to_owned(),
        )
    };
    Ok(out.lines().filter_map(id).collect())
}

/// Starts a copy and kills it once it has said this.
async fn killed(directory: &Path, arguments: &[&str], words: &str) -> Result<()> {
    let mut command = mitalk(directory);
    let mut child = command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("it is piped")?).lines();
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(words) {
            child.kill().await?;
            return Ok(());
        }
    }
    anyhow::bail!(
        "it ended before it said {words}: {:?}",
        child.wait_with_output().await?
    )
}

/// Starts a copy and kills it between the first entities and the last.
async fn killed_in_the_middle(directory: &Path, arguments: &[&str]) -> Result<()> {
    let mut child = mitalk(directory).args(arguments).stdout(Stdio::null()).spawn()?;
    let database = Connection::open(directory.join("data/mitalk.db"))?;
    until("some entities to be copied", async || {
        let noted = "SELECT EXISTS (SELECT 1 FROM identity WHERE name = ?1)";
        let noted = database.query_row(noted, [SOME_ENTITIES], |row| row.get::<_, bool>(0));
        noted.ok().filter(|noted| *noted)
    })
    .await;
    child.kill().await?;
    Ok(())
}

/// A row of the cluster that is not what was copied is found; put right again it is not.
async fn a_difference_is_found(path: &Path, verify: &[&str], keyspace: &str) -> Result<()> {
    let node = std::env::var(CQL)?;
    let session = SessionBuilder::new().known_node(node).build().await?;
    let read = format!("SELECT bucket, phone FROM {keyspace}.allow_list");
    let rows = session.query_unpaged(read, ()).await?.into_rows_result()?;
    let (bucket, phone) = rows.first_row::<(i32, String)>()?;
    for (enabled, same) in [(false, false), (true, true)] {
        let write = format!("INSERT INTO {keyspace}.allow_list (bucket, phone, enabled) VALUES (?, ?, ?)");
        session.query_unpaged(write, (bucket, &phone, enabled)).await?;
        let (status, said) = run(path, verify, &[]).await?;
        assert_eq!(
            (status == Some(0), said.contains("DIFFERS")),
            (same, !same),
            "{said}"
        );
    }
    Ok(())
}

fn row<'r>(report: &'r Value, table: &str) -> &'r Value {
    let tables = report["tables"].as_array().expect("a report has tables");
    let found = tables.iter().find(|line| line["name"] == table);
    found.unwrap_or_else(|| panic!("{table} is not in {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_moves_with_all_that_people_have() -> Result<()> {
    let Some(settings) = cluster().await? else {
        return Ok(());
    };
    let provider = Provider::start().await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().to_owned();
    std::fs::write(path.join("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let shared = format!(
        "[sms]\nvia = \"webhook\"\nwebhook = {{ url = \"{}\", secret_file = \"secret\" }}\n\
         [limits.codes]\nresend_after_s = 0\n[limits.leaving]\nchange_of_mind_s = 60\n",
        provider.url
    );
    std::fs::write(path.join("mitalk.toml"), shared)?;

    // People live here for a while.
    let server = Server::start_in(directory, &["admin.test_admission=true"]).await?;
    for part in 0..CROWD_PARTS {
        server
            .admin
            .test_accounts(CROWD_PART, &format!("+4915112355{part}"))
            .await?;
    }
    server.admin.set_phase(Phase::ClosedTest).await?;
    let entries = [ANN, BEN, EVE].map(|phone| AllowEntry {
        phone: phone.to_owned(),
        enabled: true,
    });
    server.admin.import_allowed(entries.to_vec()).await?;
    let ann = sign_in(&server, &provider, ANN, "Ann").await?;
    let ben = sign_in(&server, &provider, BEN, "Ben").await?;
    let waiting = sign_in(&server, &provider, WAITING, "Wim").await?;
    let (ann_id, ben_id) = (ann.me().await?.id, ben.me().await?.id);
    ann.set_handle("ann_moves").await?;
    ann.follow(&ben_id).await?;
    ben.follow(&ann_id).await?;
    // The provider takes no invitation, so its event stays with the consumer.
    for _ in 0..REFUSALS {
        provider.answer(INVITED, 503);
    }
    let phone = LEFT_OVER.to_owned();
    ann.invite(&InviteRequest::Phone { phone }, "left-over").await?;
    until("the invitation to be refused", async || {
        provider.asked(INVITED).pop()
    })
    .await;
    until("all of it to be seen", async || {
        let followers = ben.profile(&ann_id).await.ok()?;
        let notified = !ann.notices(None, None).await.ok()?.items.is_empty();
        let named = followers.profile.handle.is_some();
        let placed = waiting.me().await.ok()?.ticket.is_some();
        (notified && named && placed).then_some(())
    })
    .await;
    let before = seen(&server, &[&ann, &ben, &waiting]).await?;
    let audit_before = audited(&server).await?;
    ensure!(!audit_before.is_empty());
    let eve = sign_in(&server, &provider, EVE, "Eve").await?;
    let eve_id = eve.me().await?.id;
    // It is due when the service has moved.
    eve.delete_account().await?;
    // Or the next service would die of that event, before anything is committed.
    let database = Connection::open(path.join("data/mitalk.db"))?;
    until("all outboxes to be empty", async || {
        let owed = database.query_row("SELECT EXISTS (SELECT 1 FROM outbox)", [], |row| row.get(0));
        owed.ok().filter(|owed: &bool| !owed)
    })
    .await;
    drop(database);
    let directory = server.stop().await?;

    // The service dies between a commit and its event: the outbox owes it.
    let mut server = Server::start_armable(directory, &[]).await?;
    server.arm("relay.publish.before=return").await?;
    let owing = ben.at(server.client.base().as_str())?;
    let phone = OWED.to_owned();
    // Perhaps the answer does not come any more.
    let _ = owing.invite(&InviteRequest::Phone { phone }, "owed").await;
    server.ended().await?;
    let directory = server.into_directory();

    // The copy, killed again and again.
    let mut copy = vec!["admin", "copy", "--set", "storage.data_dir=\"data\""];
    copy.extend(flags(&settings));
    let report = |arguments: &[&'static str]| [&copy[..], arguments].concat();
    let (status, said) = run(&path, &report(&["--verify-only"]), &[]).await?;
    assert!(
        status == Some(1) && said.contains("no copy of this database was begun"),
        "{said}"
    );
    killed_in_the_middle(&path, &copy).await?;
    for words in KILLS {
        killed(&path, &copy, words).await?;
    }
    let mut old = vec!["serve", "--data-dir", "data"];
    old.extend(free_ports());
    let (status, said) = run(&path, &old, &[]).await?;
    assert!(
        status == Some(1) && said.contains("is being copied to keyspace"),
        "{said}"
    );
    let new = [&old[..], &flags(&settings)].concat();
    let (status, said) = run(&path, &new, &[]).await?;
    assert!(
        status == Some(1) && said.contains("a copy that is not finished"),
        "{said}"
    );

    let output = mitalk(&path).args(report(&["--json"])).output().await?;
    let (out, error) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    ensure!(output.status.success(), "{out} {error}");
    let told: Value = serde_json::from_str(&out)?;
    for line in told["tables"].as_array().context("tables")? {
        assert_eq!(line["same"], true, "{line}");
    }
    for table in [
        "entity",
        "outbox",
        "open_list",
        "timer",
        "following",
        "notice",
        "mitalk.audit.v1",
    ] {
        assert!(row(&told, table)["source"].as_u64() > Some(0), "{table}: {told}");
    }
    assert!(
        row(&told, "mitalk.invites.v1")["source"].as_u64() > Some(0),
        "{told}"
    );
    let (status, said) = run(&path, &old, &[]).await?;
    assert!(
        status == Some(1) && said.contains("has moved to keyspace"),
        "{said}"
    );
    let (status, said) = run(&path, &report(&["--verify-only"]), &[]).await?;
    assert_eq!(status, Some(0), "{said}");
    let keyspace = settings
        .iter()
        .find_map(|setting| setting.strip_prefix("scylla.keyspace="));
    a_difference_is_found(&path, &report(&["--verify-only"]), keyspace.context("it is set")?).await?;
    another_database_is_refused(&settings).await?;

    // The new service: the same people, and what was owed.
    provider.take_all();
    let asked_before = provider.asked(INVITED);
    let first = asked_before
        .first()
        .context("it was refused")?
        .header("webhook-id")
        .to_owned();
    let settings_of_new: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_in(directory, &settings_of_new).await?;
    server.has_its_shards().await;
    let base = server.client.base().to_string();
    let moved = [ann.at(&base)?, ben.at(&base)?, waiting.at(&base)?];
    for (number, client) in [OWED, LEFT_OVER].into_iter().zip(["owed", "left-over"]) {
        let texts = until(client, async || {
            let asked = provider.asked(INVITED).split_off(asked_before.len());
            asked.into_iter().find(|asked| asked.text().contains(number))
        });
        let text = texts.await;
        if number == LEFT_OVER {
            assert_eq!(text.header("webhook-id"), first, "a repeat is recognised");
        }
    }
    until("whoever left to be gone", async || {
        let profile = moved[0].profile(&eve_id).await;
        profile.is_err().then_some(())
    })
    .await;
    let after = seen(&server, &[&moved[0], &moved[1], &moved[2]]).await?;
    // Of Ben's invites there is one more, which was owed.
    let people = |seen: &Value| {
        [
            seen[0][0].clone(),
            seen[0][2].clone(),
            seen[1].clone(),
            seen[2].clone(),
            seen[3].clone(),
        ]
    };
    assert_eq!(people(&after), people(&before));
    let ben_then = (&before[0][1][1], &before[0][1][2]);
    assert_eq!(
        (&after[0][1][1], &after[0][1][2]),
        ben_then,
        "profile and notices"
    );
    let again = sign_in(&server, &provider, ANN, "").await?;
    assert_eq!(again.me().await?.id, ann_id);
    assert_eq!(moved[2].me().await?.standing, Standing::Waiting);
    let audit_after = audited(&server).await?;
    assert!(audit_after.is_superset(&audit_before), "the audit goes along");
    let directory = server.stop().await?;
    let (status, said) = run(directory.path(), &copy, &[]).await?;
    assert!(
        status == Some(1) && said.contains("a service has run on the keyspace"),
        "{said}"
    );

    // Who wants the old one back is told, and gets it.
    let (status, said) = run(directory.path(), &report(&["--give-up"]), &[]).await?;
    assert_eq!(status, Some(0), "{said}");
    let server = Server::start_in(directory, &[]).await?;
    assert_eq!(ann.at(server.client.base().as_str())?.me().await?.id, ann_id);
    server.stop().await?;
    Ok(())
}

async fn another_database_is_refused(settings: &[String]) -> Result<()> {
    let directory = Server::open(&[]).await?.stop().await?;
    let mut copy = vec!["admin", "copy", "--set", "storage.data_dir=\"data\""];
    copy.extend(flags(settings));
    let (status, said) = run(directory.path(), &copy, &[]).await?;
    assert!(
        status == Some(1) && said.contains("another database was copied"),
        "{said}"
    );
    // It stays as it was.
    Server::start_in(directory, &[]).await?.stop().await?;
    Ok(())
}
