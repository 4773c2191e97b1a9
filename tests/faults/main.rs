//! Faults under load, on the real parts: whatever dies, nothing acknowledged is lost or done twice.
//!
//! Each scenario starts the real binary over a fresh keyspace of a real CQL cluster and fresh topics of a real Kafka, lets
//! people work at [`load::PER_SECOND`] mixed commands a second, does the damage, and asks for everything afterwards. It prints
//! what was acknowledged, lost, repeated beyond its key and refused, and the longest that somebody had to repeat a command
//! until it was taken.
//!
//! `make test-stores` starts the parts and runs this; without `MITALK_TEST_FAULTS` and them the scenarios say so and pass.
//! `MITALK_TEST_AWAY_S` says how long brokers are away.

mod load;
mod parts;
mod races;
mod report;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use mitalk::wire::admin::Phase;
use mitalk_tests::disk::SmallDisk;
use mitalk_tests::server::{Server, until};
use tempfile::TempDir;
use tokio::sync::Mutex;

use load::Load;
use parts::{Cluster, Parts};
use report::Report;

/// How long people work before something happens.
const BEFORE: Duration = Duration::from_secs(8);
/// A store that is paused is away for so long.
const PAUSED: Duration = Duration::from_secs(20);
/// So long are brokers away unless the environment says otherwise.
const AWAY: Duration = Duration::from_secs(30);
/// How long people work after everything is back.
const AFTER: Duration = Duration::from_secs(8);
/// Of the disk that is filled: far more than the load writes.
const DISK_MIB: u32 = 128;
/// People who work; each does one thing after the other.
const PEOPLE: usize = 20;

/// No limits that so few people with so much to do would meet.
const OF_THE_LOAD: [&str; 10] = [
    "admin.test_admission=true",
    "limits.rooms.opened_per_hour=100000",
    "limits.invites.quota=1000",
    "limits.invites.quota_max=1000",
    "limits.codes.resend_after_s=1",
    "limits.codes.resend_after_max_s=1",
    "limits.codes.per_number_and_day=1000",
    "limits.codes.per_address_and_hour=1000000",
    "limits.codes.per_block_and_day=1000000",
    "limits.codes.per_day=1000000",
];

/// One after the other: they share the parts.
static PARTS: Mutex<()> = Mutex::const_new(());

/// The store dies by SIGKILL and is started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_killed() {
    scenario("store: kill -9 and restart", async |_, parts| {
        parts.store.run("kill", None).await?;
        parts.store.run("start", None).await
    })
    .await;
}

/// The store stands still without a word, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_paused() {
    scenario("store: paused for 20 s", async |_, parts| {
        parts.store.run("pause", None).await?;
        tokio::time::sleep(PAUSED).await;
        parts.store.run("resume", None).await
    })
    .await;
}

/// One of three dies: the others go on. With one node there is nothing to go on with.
#[tokio::test(flavor = "multi_thread")]
async fn one_store_of_three_that_is_killed() {
    let name = "store: one of three killed, and back";
    if Parts::found().is_some_and(|parts| parts.store.nodes() < 3) {
        return report::left_out(name);
    }
    scenario(name, async |_, parts| one_of(&parts.store, "store").await).await;
}

/// One of three stands still and resets no connection: it is given up, and the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn one_store_of_three_that_is_paused() {
    let name = "store: one of three paused for 20 s";
    if Parts::found().is_some_and(|parts| parts.store.nodes() < 3) {
        return report::left_out(name);
    }
    scenario(name, async |_, parts| {
        let node = parts.store.any_node();
        report::line(&format!("store {node} of three is paused"));
        parts.store.run("pause", Some(node)).await?;
        tokio::time::sleep(PAUSED).await;
        parts.store.run("resume", Some(node)).await
    })
    .await;
}

/// The broker dies by SIGKILL and is started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed() {
    scenario("broker: kill -9 and restart", async |_, parts| {
        parts.broker.run("kill", None).await?;
        parts.broker.run("start", None).await
    })
    .await;
}

/// No broker for long: commands go on, and what the outboxes keep goes out when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away() {
    let seconds = std::env::var("MITALK_TEST_AWAY_S").ok();
    let away = seconds.map_or(AWAY, |s| Duration::from_secs(s.parse().expect("seconds")));
    scenario(
        &format!("broker: away for {} s", away.as_secs()),
        async |_, parts| {
            parts.broker.run("kill", None).await?;
            tokio::time::sleep(away).await;
            parts.broker.run("start", None).await
        },
    )
    .await;
}

/// One of three brokers dies: the others have what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn one_broker_of_three_that_is_killed() {
    let name = "broker: one of three killed, and back";
    if Parts::found().is_some_and(|parts| parts.broker.nodes() < 3) {
        return report::left_out(name);
    }
    scenario(name, async |_, parts| one_of(&parts.broker, "broker").await).await;
}

/// The disk of the embedded store is full for a while. Needs no real parts, but a lot of work.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full() {
    let name = "embedded store: disk full for 20 s";
    if std::env::var_os("MITALK_TEST_FAULTS").is_none() {
        return report::left_out(name);
    }
    let _alone = PARTS.lock().await;
    match over_a_full_disk().await.transpose() {
        Some(report) => verdict(name, report),
        None => report::left_out(name),
    }
}

async fn over_a_full_disk() -> Result<Option<Report>> {
    let directory = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(directory.path(), DISK_MIB)? else {
        return Ok(None);
    };
    let damage = async |_: &mut Service| {
        disk.fill()?;
        tokio::time::sleep(PAUSED).await;
        disk.clear()
    };
    let (server, report) = run(directory, vec![], damage).await?;
    server.stop().await?;
    Ok(Some(report))
}

/// The service itself dies by SIGKILL and is started over the same store: it takes its own shards back.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed() {
    scenario(
        "service: kill -9 and restart",
        async |service: &mut Service, _| service.restart().await,
    )
    .await;
}

/// One of three is away for a while.
async fn one_of(cluster: &Cluster, what: &str) -> Result<()> {
    let node = cluster.any_node();
    report::line(&format!("{what} {node} of three is killed"));
    cluster.run("kill", Some(node)).await?;
    tokio::time::sleep(BEFORE).await;
    cluster.run("start", Some(node)).await
}

/// The service under test, which may be replaced by a new process.
struct Service {
    server: Option<Server>,
    settings: Vec<String>,
    load: Load,
}

impl Service {
    async fn restart(&mut self) -> Result<()> {
        let server = self.server.take().context("it runs")?;
        let directory = server.kill().await?;
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let server = Server::start_in(directory, &settings).await?;
        self.load.goes_to(&server);
        self.server = Some(server);
        Ok(())
    }
}

async fn scenario(name: &str, damage: impl AsyncFnOnce(&mut Service, &Parts) -> Result<()>) {
    let Some(parts) = Parts::found() else {
        return report::left_out(name);
    };
    let _alone = PARTS.lock().await;
    let _whole = parts.whole_again();
    let report = over_parts(&parts, damage).await;
    verdict(name, report);
}

/// Nothing lost, nothing repeated, and something was done.
fn verdict(name: &str, report: Result<Report>) {
    let report = report.unwrap_or_else(|error| panic!("{name}: {error:#}"));
    report.print(name);
    assert_eq!(
        report.lost,
        Vec::<String>::new(),
        "{name}: acknowledged and not there"
    );
    assert_eq!(
        report.repeated,
        Vec::<String>::new(),
        "{name}: done more than once"
    );
    assert!(report.acknowledged > 0, "{name}: nothing was acknowledged");
}

async fn over_parts(
    parts: &Parts,
    damage: impl AsyncFnOnce(&mut Service, &Parts) -> Result<()>,
) -> Result<Report> {
    let fresh = parts.fresh().await?;
    let (server, mut report) = run(tempfile::tempdir()?, fresh.settings(), async |service| {
        damage(service, parts).await
    })
    .await?;
    report::nothing_owed(&server).await?;
    let look = Box::pin(fresh.look()).await?;
    report::all_told(&look, &mut report).await?;
    server.stop().await?;
    Ok(report)
}

/// Lets people work while something happens to the service that they use or to what it stands on.
async fn run(
    directory: TempDir,
    mut settings: Vec<String>,
    damage: impl AsyncFnOnce(&mut Service) -> Result<()>,
) -> Result<(Server, Report)> {
    settings.extend(OF_THE_LOAD.map(str::to_owned));
    let words: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_in(directory, &words).await?;
    // Three nodes on one machine take a while to give a node its shards.
    until("everybody to be let in", async || {
        server.admin.set_phase(Phase::Open).await.ok()
    })
    .await;
    let load = Load::start(&server, PEOPLE).await?;
    let begun = Instant::now();
    let mut service = Service {
        server: Some(server),
        settings,
        load,
    };
    tokio::time::sleep(BEFORE).await;
    damage(&mut service).await?;
    tokio::time::sleep(AFTER).await;
    let worked = service.load.stop().await?;
    let lasted = begun.elapsed();
    let server = service.server.context("it runs")?;
    let mut report = report::examine(&server, worked).await?;
    report.lasted = lasted;
    Ok((server, report))
}
