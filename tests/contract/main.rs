//! Every port's suite over every adapter: in memory, on SQLite, on a CQL cluster and on Kafka, each as it is and with
//! faults.
//!
//! The suites themselves live with the ports, in `mitalk_cluster::testing::contract` and
//! `mitalk_actors::testing::contract`.

mod actors;
mod cloud_events;
mod cluster;
mod cql;
mod kafka;
mod sqlite;

use mitalk::store::sqlite::{Metrics, Options, Store};
use mitalk_cluster::testing::Faulty;

/// Seeds per suite in memory.
const MEMORY_SEEDS: u64 = 200;
/// Seeds per suite on SQLite, where each write is an fsync.
const SQLITE_SEEDS: u64 = 5;
/// Of all calls, how many go wrong.
const FAULTS: f64 = 0.4;

/// A fresh SQLite store and the directory that goes with it.
struct Fresh {
    store: Store,
    directory: tempfile::TempDir,
}

impl Fresh {
    fn new() -> Fresh {
        Fresh::with(&Options::default())
    }

    fn with(options: &Options) -> Fresh {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Fresh::open(&directory, options);
        Fresh { store, directory }
    }

    fn open(directory: &tempfile::TempDir, options: &Options) -> Store {
        let metrics = Metrics::new(&prometheus::Registry::new()).expect("a registry of its own");
        Store::open(&directory.path().join("mitalk.db"), options, metrics).expect("a fresh database opens")
    }

    fn parts(self) -> (Store, tempfile::TempDir) {
        (self.store, self.directory)
    }

    /// Closes the database and opens it again.
    fn reopen(self, options: &Options) -> Fresh {
        let Fresh { store, directory } = self;
        drop(store);
        let store = Fresh::open(&directory, options);
        Fresh { store, directory }
    }
}

/// Runs a suite over fresh faulty stores, a seed each, and says which seed it was if it fails. What comes with a store
/// is kept as long as the store.
async fn for_seeds<P: Send + Sync + 'static, K>(
    seeds: u64,
    fresh: impl Fn() -> (P, K),
    suite: impl AsyncFn(&Faulty<P>),
) {
    for seed in 0..seeds {
        let (store, _kept) = fresh();
        for_seed(seed, async || suite(&Faulty::new(store, seed, FAULTS)).await).await;
    }
}

/// Runs what depends on a seed, and says which one it was if it fails.
async fn for_seed(seed: u64, run: impl AsyncFnOnce()) {
    let failed = FailedSeed(seed);
    run().await;
    std::mem::forget(failed);
}

/// Dropped only by a panic.
struct FailedSeed(u64);

impl Drop for FailedSeed {
    #[allow(clippy::print_stderr, reason = "a failing seed is for people to look at")]
    fn drop(&mut self) {
        eprintln!("the suite failed with seed {}", self.0);
    }
}
