//! A long waitlist: what a place costs when it is asked for, and how fast a crowd is let in by a job that a kill interrupts.
//!
//! The head of the line are accounts that the real binary made; behind them come whole blocks of tickets, written into the store
//! as the service would have. 10 M tickets in the embedded store, 1 M in the CQL cluster (`make bench` starts one). The load
//! comes from the same machine. `MITALK_BENCH_QUICK=1` does a tenth of everything; `-- file` or `-- cql` does one store only.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

mod job;
mod places;
mod tail;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use mitalk::client::Client;
use mitalk::store::sqlite;
use mitalk::wire::admin::Phase;
use mitalk_tests::measure::times;
use mitalk_tests::server::{Server, until};
use mitalk_tests::stores::Clusters;
use tail::Tail;
use tempfile::TempDir;

/// Of a block.
const BLOCK: usize = 4_096;
/// Who are admitted.
const ADMITTED: usize = 100_000;
/// In the embedded store.
const FILE_TICKETS: usize = 10_000_000;
/// In the CQL cluster.
const CQL_TICKETS: usize = 1_000_000;
/// Accounts of a request: few enough for its deadline on a busy machine.
const PER_REQUEST: usize = 512;
/// Between two looks at a job that takes minutes.
const LOOK: Duration = Duration::from_millis(200);
/// No step takes longer.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
const FILE: &str = "file";
const CQL: &str = "cql";
/// What may be named on the command line.
const STORES: [&str; 2] = [FILE, CQL];
const SETTINGS: [&str; 7] = [
    "admin.test_admission=true",
    "rates.per_address_rps=1000000",
    "rates.per_address_burst=1000000",
    "rates.per_account_rps=1000000",
    "rates.per_account_burst=1000000",
    "auth.access_token_s=3600",
    "log.level=\"warn,mitalk::node=info\"",
];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    // Cargo adds a word of its own.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let Some(unknown) = named.iter().find(|word| !STORES.contains(&word.as_str())) {
        bail!(
            "{unknown} is no store of this benchmark; name {}",
            STORES.join(" or ")
        );
    }
    let wanted = |store: &str| named.is_empty() || named.iter().any(|word| word == store);
    if wanted(FILE) {
        Box::pin(on_a_file()).await?;
    }
    if wanted(CQL) {
        Box::pin(on_a_cluster()).await?;
    }
    Ok(())
}

async fn on_a_file() -> Result<()> {
    println!("\nembedded store");
    let directory = tempfile::tempdir()?;
    let database = directory.path().join("data/mitalk.db");
    let grow = async || {
        let metrics = sqlite::Metrics::new(&prometheus::Registry::new())?;
        let store = sqlite::Store::open(&database, &sqlite::Options::default(), metrics)?;
        Tail::new(blocks(FILE_TICKETS)).write(&store).await
    };
    Box::pin(section(directory, vec![], grow)).await
}

async fn on_a_cluster() -> Result<()> {
    let Some(clusters) = Clusters::found() else {
        println!("\nCQL cluster: left out, none is named; see `make bench`");
        return Ok(());
    };
    println!("\nCQL cluster of {}", clusters.cql_nodes);
    let fresh = Box::pin(clusters.fresh()).await?;
    let grow = async || {
        let look = Box::pin(fresh.look()).await?;
        Tail::new(blocks(CQL_TICKETS)).write(look.store()).await
    };
    Box::pin(section(tempfile::tempdir()?, fresh.settings(), grow)).await?;
    fresh.remove().await
}

/// Blocks of the head: more people than are admitted, also where everything is a tenth.
fn head_blocks() -> usize {
    times(ADMITTED) / BLOCK + 1
}

/// Whole blocks, behind those of the head.
fn blocks(tickets: usize) -> std::ops::Range<u32> {
    let head = head_blocks();
    let all = (times(tickets) / BLOCK).max(head + 1);
    u32::try_from(head).expect("few")..u32::try_from(all).expect("few")
}

async fn section(
    directory: TempDir,
    settings: Vec<String>,
    grow: impl AsyncFn() -> Result<()>,
) -> Result<()> {
    let words: Vec<&str> = settings.iter().map(String::as_str).chain(SETTINGS).collect();
    let server = Server::start_in(directory, &words).await?;
    until("the phase", async || {
        server.admin.set_phase(Phase::ClosedTest).await.ok()
    })
    .await;
    let head = head(&server).await?;
    let directory = server.stop().await?;
    let begun = Instant::now();
    grow().await?;
    println!("  the tail was written in {:.0} s", begun.elapsed().as_secs_f64());
    let server = Server::start_in(directory, &words).await?;
    // It has another port now.
    let head: Vec<Client> = head
        .iter()
        .map(|client| client.at(&server.app))
        .collect::<Result<_, _>>()?;
    let last = server.admin.waiting_test_accounts(1, "+4915160").await?;
    let last = server.client.signed_in(&last[0].tokens.access_token);
    until("the last one's ticket", async || last.me().await.ok()?.ticket).await;
    places::measure(&server, &head, &last).await?;
    job::admit(server, &words, last).await
}

/// People with accounts and tickets, in whole blocks.
async fn head(server: &Server) -> Result<Vec<Client>> {
    let count = head_blocks() * BLOCK;
    let begun = Instant::now();
    let mut clients = vec![];
    for request in 0..count / PER_REQUEST {
        let prefix = format!("+49151{request:04}");
        // A service that is too busy says so, and makes the rest when it is asked again.
        let made = wait("accounts", async || {
            server
                .admin
                .waiting_test_accounts(PER_REQUEST, &prefix)
                .await
                .ok()
        })
        .await?;
        clients.extend(
            made.into_iter()
                .map(|account| server.client.signed_in(&account.tokens.access_token)),
        );
    }
    wait("everybody's ticket", async || {
        let waitlist = server.admin.waitlist().await.ok()?;
        (waitlist.waiting == count as u64).then_some(())
    })
    .await?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "  {count} people signed up and got tickets: {seconds:.0} s, {:.0} a second",
        count as f64 / seconds
    );
    Ok(clients)
}

/// As `until`, for what takes minutes.
async fn wait<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        ensure!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(LOOK).await;
    }
}
