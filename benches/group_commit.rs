//! What group commit is worth: entity commits per second with many writers at once, and one after the other, each with a
//! transaction and an fsync of its own. Both in one run on the same file system; the ratio is what to compare.
//!
//! `cargo bench --bench group_commit [directory]`; the database is made in that directory (default: the system's
//! temporary one, which may be memory and then says little).

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use mitalk::store::sqlite::{Metrics, Options, Store};
use mitalk_cluster::store::{Cas, EntityStore, EntityWrite, Head};
use mitalk_cluster::{EntityId, Epoch, WriteId};

/// Commits measured with many writers.
const GROUPED: u64 = 20_000;
/// Commits measured one by one.
const ALONE: u64 = 1_000;
/// Writers at once: entities of a busy node that commit at the same moment.
const WRITERS: usize = 128;
/// An entity's state, a small room.
const BLOB_BYTES: usize = 2_048;

fn main() -> Result<()> {
    // `cargo bench` adds flags of its own; a directory is the only plain word.
    let directory = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let parent = directory.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(&parent).with_context(|| parent.display().to_string())?;
    let metrics = Metrics::new(&prometheus::Registry::new())?;
    let store = Store::open(&directory.path().join("bench.db"), &Options::default(), metrics)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;

    let alone = runtime.block_on(commits_per_second(&store, 0..ALONE, 1))?;
    let grouped = runtime.block_on(commits_per_second(&store, ALONE..ALONE + GROUPED, WRITERS))?;
    println!("one per transaction    {alone:>10.0} commits/s");
    println!("grouped, {WRITERS} writers  {grouped:>10.0} commits/s");
    println!("ratio                  {:>10.1}", grouped / alone);
    Ok(())
}

/// Creates an entity per number, `writers` of them at once.
async fn commits_per_second(store: &Store, numbers: std::ops::Range<u64>, writers: usize) -> Result<f64> {
    let count = numbers.end - numbers.start;
    let begun = Instant::now();
    let mut commits =
        futures::stream::iter(numbers.map(|number| commit(store, number))).buffer_unordered(writers);
    while let Some(outcome) = commits.next().await {
        outcome?;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

async fn commit(store: &Store, number: u64) -> Result<()> {
    let write = EntityWrite {
        id: EntityId::new("bench", &number.to_string()),
        previous: None,
        next: Head {
            write_id: WriteId(u128::from(number)),
            epoch: Epoch(1),
        },
        blob: Some(vec![0x2a; BLOB_BYTES].into()),
        sequence: 0,
        published: 0,
        insert: Vec::new(),
    };
    let outcome = EntityStore::write(store, Arc::new(write)).await?;
    ensure!(outcome == Cas::Applied, "entity {number} was there already");
    Ok(())
}
