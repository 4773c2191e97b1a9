//! The simulation's world on real parts: real nodes over one CQL cluster and Kafka, through wrappers that fail, delay, repeat
//! and leave outcomes unknown by a seed, die without a word and are followed by others, while clients repeat each command until
//! it is acknowledged. In the end everything acknowledged is there once, and everything owed has arrived.
//!
//! A node is a runtime of its own with its own sessions; its death drops the runtime, with whatever was under way. `make
//! test-stores` runs this; `MITALK_WORLD_SEED` repeats a run.

mod account;
mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use account::{Account, CREDIT, Command};
use anyhow::{Context as _, Result, ensure};
use mitalk_cluster::{AskError, Call, RequestId};
use mitalk_tests::server::until;
use mitalk_tests::stores::Fresh;
use node::{Life, Parts as Under};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use crate::parts::Parts;
use crate::{PARTS, report};

/// Worlds of a run.
const SEEDS: u64 = 2;
/// Of all calls to the parts, how many go wrong.
const FAULTS: f64 = 0.1;
const ACCOUNTS: usize = 12;
const CLIENTS: u32 = 8;
/// Commands of each client.
const COMMANDS: u32 = 120;
/// Nodes that die.
const DEATHS: u64 = 5;
/// How long each lives at least, and at most twice.
const LIFE: Duration = Duration::from_secs(4);
/// A command has its answer by then, deaths and takeovers included.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_is_unkind() {
    let name = "the simulation's world";
    let Some(parts) = Parts::found() else {
        return report::left_out(name);
    };
    let _alone = PARTS.lock().await;
    let named = std::env::var("MITALK_WORLD_SEED").ok();
    let first: u64 = named.map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    for seed in (0..SEEDS).map(|n| first.wrapping_add(n)) {
        report::line(&format!("{name}: repeat with MITALK_WORLD_SEED={seed}"));
        let world = Box::pin(world(&parts, seed)).await;
        world.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error:#}"));
    }
}

async fn world(parts: &Parts, seed: u64) -> Result<()> {
    let fresh = parts.fresh().await?;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut under = Under::of(&fresh, seed, FAULTS);
    let mut life = Life::start("one", &under).await?;
    let (tell, serving) = watch::channel(life.cluster());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let client = Client {
                number: n,
                serving: serving.clone(),
                rng: StdRng::seed_from_u64(seed ^ u64::from(n) << 32),
            };
            tokio::spawn(client.work())
        })
        .collect();
    for death in 0..DEATHS {
        tokio::time::sleep(LIFE.mul_f64(rng.random_range(1.0..2.0))).await;
        life.die();
        under = Under::of(&fresh, seed.wrapping_add(death), FAULTS);
        // The next one of the same name takes its own lease; another one waits for it to run out.
        let name = if rng.random() { "one" } else { "other" };
        life = Life::start(name, &under).await?;
        tell.send_replace(life.cluster());
    }
    let mut acknowledged = vec![];
    for client in clients {
        acknowledged.extend(client.await??);
    }
    life.die();
    let kind = Under::of(&fresh, seed, 0.0);
    let life = Life::start("last", &kind).await?;
    tell.send_replace(life.cluster());
    let verdict = settle(&fresh, &life, &kind, &acknowledged).await;
    life.die();
    drop(under);
    verdict
}

/// A payment or a deposit that was acknowledged.
#[derive(Clone, Debug)]
struct Done {
    id: u32,
    account: String,
    paid_to: Option<String>,
}

struct Client {
    number: u32,
    serving: watch::Receiver<Arc<mitalk_cluster::Cluster>>,
    rng: StdRng,
}

impl Client {
    async fn work(mut self) -> Result<Vec<Done>> {
        let mut done = vec![];
        for n in 0..COMMANDS {
            let id = self.number * COMMANDS + n + 1;
            let mut account = || format!("account-{}", self.rng.random_range(0..ACCOUNTS));
            let (from, to) = (account(), account());
            let paid_to = (n % 3 == 0 && from != to).then_some(to);
            let command = Command::Add {
                id,
                pay: paid_to.clone(),
                remind: n % 5 == 0,
            };
            self.insist(&from, command, id).await?;
            done.push(Done {
                id,
                account: from,
                paid_to,
            });
        }
        Ok(done)
    }

    async fn insist(&self, account: &str, command: Command, id: u32) -> Result<()> {
        let mut request = [0; 16];
        request[..4].copy_from_slice(&id.to_be_bytes());
        let begun = Instant::now();
        loop {
            let cluster = self.serving.borrow().clone();
            let call = Call::within(Duration::from_secs(5)).request(RequestId(request));
            match cluster.ask::<Account>(account, command.clone(), call).await {
                Ok(_) => return Ok(()),
                Err(AskError::Refused(never)) => match never {},
                Err(error) => {
                    ensure!(begun.elapsed() < PATIENCE, "{account} {command:?}: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// Once nothing is owed: everything acknowledged is in its account once, every payment has arrived once, every reminder came, and
/// the topic has all of it in order.
async fn settle(fresh: &Fresh, life: &Life, under: &Under, acknowledged: &[Done]) -> Result<()> {
    let look = Box::pin(fresh.look()).await?;
    let begun = Instant::now();
    while look.outbox_rows().await? > 0 {
        ensure!(begun.elapsed() < PATIENCE, "outboxes do not drain");
        tokio::time::sleep(AGAIN).await;
    }
    let mut entries = BTreeMap::<u32, Vec<String>>::new();
    for n in 0..ACCOUNTS {
        let account = format!("account-{n}");
        let state = until("no reminder to wait", async || {
            let reply = life.ask(&account, Command::Look).await.ok()?;
            (reply.reminders == 0).then_some(reply)
        })
        .await;
        for id in state.entries {
            entries.entry(id).or_default().push(account.clone());
        }
    }
    let mut expected = BTreeMap::new();
    for Done { id, account, paid_to } in acknowledged {
        expected.insert(*id, vec![account.clone()]);
        expected.extend(paid_to.iter().map(|to| (id + CREDIT, vec![to.clone()])));
    }
    ensure!(entries == expected, "{:#?}", differences(&entries, &expected));
    let events = under.events().await.context("the topic")?;
    let once: BTreeSet<&String> = events.iter().map(|(id, _)| id).collect();
    let told: BTreeSet<u32> = events.iter().map(|(_, told)| *told).collect();
    let all: BTreeSet<u32> = acknowledged.iter().map(|done| done.id).collect();
    ensure!(
        told == all,
        "the topic has {} of {} entries",
        told.len(),
        all.len()
    );
    report::line(&format!(
        "  {} acknowledged, {} entries and {} events there once, sent again under their key: {}",
        acknowledged.len(),
        entries.len(),
        once.len(),
        events.len() - once.len()
    ));
    Ok(())
}

type Entries = BTreeMap<u32, Vec<String>>;

fn differences(found: &Entries, expected: &Entries) -> Vec<String> {
    let ids: BTreeSet<&u32> = found.keys().chain(expected.keys()).collect();
    let differ = ids.into_iter().filter(|id| found.get(id) != expected.get(id));
    differ
        .map(|id| format!("{id}: {:?} instead of {:?}", found.get(id), expected.get(id)))
        .collect()
}
