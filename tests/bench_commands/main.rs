//! Commands over the API of the real binary, on the embedded store and on real parts, beside what the bare store does in the
//! same run: rates, latencies, and the ratios that matter.
//!
//! `make bench` builds the release binary, starts a CQL cluster and Kafka and runs this; without them it measures the embedded
//! store only. The load comes from the same machine, so rates are lower bounds, and only the ratios travel.
//! `MITALK_BENCH_QUICK=1` does a tenth of the work, to see that everything runs.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

mod commands;
mod raw;

use anyhow::Result;
use mitalk_tests::stores::Clusters;

use mitalk_tests::measure::Table;
use raw::Raw;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let raw = Raw::File(directory.path().join("raw.db"));
    section("embedded store (SQLite, events beside the state)", vec![], &raw).await?;
    let Some(clusters) = Clusters::found() else {
        println!("\nreal parts: left out, none are named; see `make bench`");
        return Ok(());
    };
    let fresh = Box::pin(clusters.fresh()).await?;
    let raw = Raw::Clusters(Box::new(fresh.clone()));
    let (stores, brokers) = (clusters.cql_nodes, clusters.brokers);
    let title = format!("real parts: CQL cluster of {stores}, Kafka of {brokers}");
    section(&title, fresh.settings(), &raw).await?;
    fresh.remove().await
}

/// One kind of parts.
async fn section(title: &str, settings: Vec<String>, raw: &Raw) -> Result<()> {
    println!("\n{title}");
    let mut table = Table::default();
    let bare = raw.measure(&mut table).await?;
    let service = Box::pin(commands::measure(settings, &mut table)).await?;
    let hands = service.hands.per_second / bare.one_row.per_second;
    println!("  hands of a busy room / one conditional write per hand     {hands:>8.1} times");
    println!(
        "  hands and other commands of a commit                      {:>8.1}",
        service.hands_per_commit
    );
    let (read, http) = (bare.read.p50.as_secs_f64(), service.http.p50.as_secs_f64());
    let profile = service.profile.p50.as_secs_f64();
    println!(
        "  profile read / bare read behind that request, p50         {:>8.2} times",
        profile / (read + http)
    );
    println!(
        "  profile read / bare read without any request, p50         {:>8.2} times",
        profile / read
    );
    Ok(())
}
