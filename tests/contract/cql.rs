//! The suites over a real CQL cluster, and what only that adapter promises.
//!
//! `MITALK_TEST_CQL` names a node as `host:port`; `make test` starts one. Without it these tests say so and pass, so that
//! `cargo test` alone needs no cluster. Making tables takes a quarter of a second each, so suites share keyspaces: they do not
//! meet each other's rows.

mod over_tls;

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::futures::StreamExt as _;
use ::scylla::client::session_builder::SessionBuilder;
use mitalk::store::scylla::{self, Config, Metrics, OpenError, SCHEMA, Store};
use mitalk_actors::id::{Home, UserId};
use mitalk_actors::ports::{PeoplePage, Reads};
use mitalk_actors::tables::{Change, Follow};
use mitalk_actors::testing::contract as actors;
use mitalk_cluster::store::{EntityStore, EntityWrite, Event, Head, ReadTables, StoreError};
use mitalk_cluster::testing::Faulty;
use mitalk_cluster::testing::contract as cluster;
use mitalk_cluster::{EntityId, Epoch, Timestamp, Trace, WriteId};
use mitalk_tests::stores;
use tokio::sync::OnceCell;

use crate::{FAULTS, for_seed};

/// Seeds per suite, each in a keyspace of its own.
const SEEDS: usize = 2;
/// Long enough for a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The cluster and a keyspace that nobody else has.
fn fresh() -> Option<Config> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Ok(node) = std::env::var("MITALK_TEST_CQL") else {
        #[allow(clippy::print_stderr, reason = "for people who wonder what was left out")]
        {
            eprintln!("left out: MITALK_TEST_CQL names no CQL node; see `make stores-up`");
        }
        return None;
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Some(Config {
        nodes: vec![node],
        keyspace: format!("contract_{}_{number}", std::process::id()),
        replication_factor: stores::cql_nodes().try_into().expect("few nodes"),
        request_timeout_ms: 20_000,
        ..Config::default()
    })
}

async fn open(config: &Config) -> Store {
    scylla::migrate(config)
        .await
        .expect("an empty cluster is migrated");
    reopen(config).await
}

async fn reopen(config: &Config) -> Store {
    Store::open(config, metrics())
        .await
        .expect("a migrated keyspace opens")
}

fn metrics() -> Metrics {
    Metrics::new(&prometheus::Registry::new()).expect("a registry of its own")
}

/// Keyspaces that all suites share: one for all as they are, and one for each seed of all with faults.
static SHARED: [OnceCell<Option<Config>>; 1 + SEEDS] = [const { OnceCell::const_new() }; 1 + SEEDS];

/// The one of that number, migrated by whoever comes first.
async fn shared(number: usize) -> Option<Store> {
    let migrated = async || {
        let config = fresh()?;
        scylla::migrate(&config)
            .await
            .expect("an empty cluster is migrated");
        Some(config)
    };
    let config = SHARED[number]
        .get_or_init(|| Box::pin(migrated()))
        .await
        .as_ref()?;
    Some(reopen(config).await)
}

macro_rules! suites {
    ($($suite:ident of $ports:ident)*) => {$(
        mod $suite {
            use super::*;

            #[tokio::test]
            async fn cql() {
                let Some(store) = shared(0).await else { return };
                $ports::$suite(&store).await;
            }

            #[tokio::test]
            async fn cql_with_faults() {
                for seed in 0..SEEDS {
                    let Some(store) = shared(1 + seed).await else { return };
                    let seed = seed as u64;
                    for_seed(seed, async || $ports::$suite(&Faulty::new(store, seed, FAULTS)).await).await;
                }
            }
        }
    )*};
}

suites! {
    lease of cluster
    entity of cluster
    timer of cluster
    tables of actors
    allow_list of actors
    ledger of actors
}

/// Several nodes that are started at once migrate at once.
#[tokio::test]
async fn two_may_migrate_at_once() {
    let Some(config) = fresh() else { return };
    let planned = scylla::plan(&config).await.expect("a cluster that answers");
    assert_eq!(planned.first().map(|planned| planned.name), Some("keyspace"));
    let both = Box::pin(async { tokio::join!(scylla::migrate(&config), scylla::migrate(&config)) });
    let (one, other) = tokio::time::timeout(PATIENCE, both)
        .await
        .expect("neither waits for ever");
    let applied = [one, other].map(|applied| applied.expect("both end well"));
    let firsts = applied.iter().flatten().filter(|migration| migration.number == 1);
    assert_eq!(firsts.count(), 1, "one of them worked, the other found it done");
    assert_eq!(
        scylla::plan(&config).await.expect("it answers"),
        [],
        "nothing is left to do"
    );
    reopen(&config).await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let Some(config) = fresh() else { return };
    let missing = Store::open(&config, metrics())
        .await
        .expect_err("nothing is there yet");
    assert!(
        matches!(&missing, OpenError::NoKeyspace(name) if *name == config.keyspace),
        "{missing}"
    );
    assert!(missing.to_string().contains("mitalk migrate"), "{missing}");

    drop(open(&config).await);
    note_migration(&config, SCHEMA + 1).await;
    let newer = Store::open(&config, metrics())
        .await
        .expect_err("written by a newer release");
    assert!(matches!(newer, OpenError::Newer { .. }), "{newer}");
    let newer = scylla::migrate(&config).await.expect_err("nor is it migrated");
    assert!(matches!(newer, OpenError::Newer { .. }), "{newer}");

    let nowhere = Config {
        nodes: vec!["127.0.0.1:1".into()],
        connect_timeout_ms: 300,
        ..config
    };
    let silent = Store::open(&nowhere, metrics())
        .await
        .expect_err("nobody listens there");
    assert!(silent.to_string().contains("127.0.0.1:1"), "{silent}");
}

/// A thousand writers on one row: exactly one is applied, and all others are told what is there.
#[tokio::test]
async fn one_of_a_thousand_wins() {
    const WRITERS: u128 = 1_000;
    let Some(config) = fresh() else { return };
    let store = open(&config).await;
    let id = EntityId::new("handle", "ada");
    let writers = (1..=WRITERS).map(|n| {
        let head = Head {
            write_id: WriteId(n),
            epoch: Epoch(1),
        };
        let write = EntityWrite {
            id: id.clone(),
            previous: None,
            next: head,
            blob: Some(n.to_be_bytes().to_vec().into()),
            sequence: 0,
            published: 0,
            insert: vec![],
        };
        let (store, write) = (&store, Arc::new(write));
        async move {
            let call = async || EntityStore::write(store, Arc::clone(&write)).await;
            (head, cluster::settle(call, |shown| *shown == Some(head)).await)
        }
    });
    let outcomes = futures::future::join_all(writers).await;
    let won: Vec<Head> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(head, _)| *head)
        .collect();
    let row = EntityStore::read(&store, &id)
        .await
        .expect("it answers")
        .expect("somebody won");
    assert_eq!(won, [row.head], "exactly one");
    for (_, outcome) in outcomes.iter().filter(|(_, outcome)| outcome.is_err()) {
        assert_eq!(*outcome, Err(Some(row.head)), "the others are told who");
    }
}

/// A famous person, whose followers are all in one partition: each is counted, and nobody loses their turn to another one of
/// the same node.
#[tokio::test]
async fn many_may_follow_one_person_at_once() {
    const FOLLOWERS: u128 = 100;
    let Some(config) = fresh() else { return };
    let store = open(&config).await;
    let followee = UserId::new(Home::default(), 1_000);
    let follow =
        async |n: u128| put_follow(&store, (UserId::new(Home::default(), n), followee), 1, true).await;
    let outcomes = futures::future::join_all((1..=FOLLOWERS).map(follow)).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let counts = store.follow_counts(followee).await.expect("it answers");
    assert_eq!(u128::from(counts.followers), FOLLOWERS);
    // The counts are in the row of a profile that has not come yet.
    let by = UserId::new(Home::default(), 1);
    assert_eq!(store.seen(followee, by).await, Ok(None));
    assert_eq!(store.profiles(&[followee]).await, Ok(vec![]));
    assert_eq!(store.people(None, 10).await, Ok(PeoplePage::default()));
}

/// Rows of those who were followed once stay: a page is found behind more of them than are read together.
#[tokio::test]
async fn whoever_is_not_followed_any_more_ends_no_list() {
    const ONCE_FOLLOWED: u128 = 300;
    const AT_ONCE: usize = 16;
    let Some(config) = fresh() else { return };
    let store = &open(&config).await;
    let user = |n| UserId::new(Home::default(), n);
    let (fan, last) = (user(1), user(1_000_000));
    let followed = (0..ONCE_FOLLOWED).map(|n| (1_000 + n, false));
    let writes = followed.chain([(1_000_000, true)]).map(async |(n, stays)| {
        put_follow(store, (fan, user(n)), 1, true).await?;
        match stays {
            true => Ok(()),
            false => put_follow(store, (fan, user(n)), 2, false).await,
        }
    });
    let writes: Vec<_> = writes.collect();
    let written: Vec<_> = futures::stream::iter(writes)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    let found = PeoplePage {
        people: vec![last],
        last: None,
    };
    assert_eq!(store.following(fan, None, 10).await, Ok(found));
}

async fn put_follow(
    store: &Store,
    (follower, followee): (UserId, UserId),
    sequence: u64,
    follows: bool,
) -> Result<(), StoreError> {
    let change = Change::Follow(Follow {
        follower,
        followee,
        follows,
    });
    let event = Event {
        source: EntityId::new("user", &follower.to_string()),
        sequence,
        at: Timestamp(1),
        payload: change.outgoing().payload,
        trace: Trace::default(),
    };
    store.apply(change.table(), &event).await
}

/// Needs no cluster: a node that dies still takes connections for a moment, and says nothing on them. The script took that for
/// a number, and ended without a word.
#[test]
fn a_node_that_closes_is_not_ready() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = directory.path().canonicalize().expect("it is there").join("1");
    std::fs::create_dir(&node).expect("an empty directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    // Known by its command line; it ends with its input.
    let mut dying = Command::new("bash")
        .args(["-c", "read"])
        .arg(format!("-Dnode.dir={}", node.display()))
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash is here");
    std::fs::write(node.join("pid"), dying.id().to_string()).expect("writable");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/cassandra.sh");
    let mut run = Command::new(script);
    run.arg("status")
        .env("CASSANDRA_DIR", directory.path())
        .env("CASSANDRA_PORT", port.to_string())
        .env_remove("CASSANDRA_NODES")
        .env_remove("CASSANDRA_TLS");
    let output = run.output().expect("bash is here");
    drop(dying.stdin.take());
    dying.wait().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("not ready"),
        "{output:?}"
    );
}

/// As a newer release would leave it.
async fn note_migration(config: &Config, number: i32) {
    let session = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .use_keyspace(&config.keyspace, true);
    let session = session.build().await.expect("the cluster answers");
    let note = "INSERT INTO schema_migration (only, number, name) VALUES (0, ?, 'later')";
    session
        .query_unpaged(note, (number,))
        .await
        .expect("the books are there");
}
