//! The embedded store: everything in one SQLite file, used by one process.
//!
//! One thread writes and groups commits (`writer`), a few read (`readers`); both take their work as closures, so that
//! no caller ever blocks on the disk. The tables' SQL stands with the port that it serves, one file each.
//!
//! Invariants:
//! - one process at a time, by a lock file; a second one is told who holds it;
//! - what is acknowledged is synced (`synchronous=FULL`): pulling the plug loses nothing acknowledged;
//! - conditional writes compare inside the transaction that changes, so the rules of ownership hold here exactly as on
//!   many nodes, although there is only one.
//!
//! Deliberately missing: encryption of the file (numbers are encrypted one by one before they get here) and a backup
//! command (SQLite's own tools copy a live file safely).

mod allow_list;
mod entity;
mod events;
mod fault;
mod file;
mod identity;
mod lease;
mod ledger;
mod letters;
mod lock;
mod look;
mod metrics;
mod pages;
mod readers;
mod reads;
mod schema;
mod tables;
mod timer;
mod value;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fault::Fault;
pub use file::{Migrate, OpenError, Options};
pub use look::{Seen, look, pending};
pub use metrics::Metrics;
use mitalk_cluster::store::StoreError;
pub use pages::Source;
use readers::Readers;
use rusqlite::Connection;
pub use schema::SCHEMA;
use tokio::sync::Notify;
use writer::Writer;

/// A handle to the open database; every store port is implemented on it. Cheap to clone. Dropping the last one does
/// what [`Store::close`] does.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Dropped in this order. The writer's connection is the last one: SQLite then brings the log into the database and removes
/// it, which a connection that only reads can not. Only then may another process have the file.
struct Inner {
    readers: Readers,
    writer: Writer,
    path: PathBuf,
    /// Told after every append to the event log.
    appended: Notify,
    _lock: lock::Lock,
}

impl Store {
    /// Opens the database at `path`, or creates it; the directory must exist. Blocks: call it before the service runs,
    /// or on a blocking thread.
    ///
    /// # Errors
    /// See [`OpenError`]: in use, not ours, damaged, from a newer version, no room.
    pub fn open(path: &Path, options: &Options, metrics: Metrics) -> Result<Store, OpenError> {
        let opened = file::open(path, options)?;
        let io = |source| OpenError::Io {
            path: path.into(),
            source,
        };
        let writer = Writer::start(opened.writer, metrics.clone()).map_err(io)?;
        let readers = Readers::start(opened.readers, metrics).map_err(io)?;
        let appended = Notify::new();
        Ok(Store {
            inner: Arc::new(Inner {
                readers,
                writer,
                path: path.into(),
                appended,
                _lock: opened.lock,
            }),
        })
    }

    /// Finishes the reads and writes under way and closes the file, whoever else has a handle; everything later is refused.
    /// Afterwards the database is one file, without a log beside it. Blocks. Again it does nothing.
    pub fn close(&self) {
        self.inner.readers.close();
        self.inner.writer.close();
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `work` in the next transaction of the writer; the result comes once that is on the disk.
    async fn write<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.inner.writer.write(work).await
    }

    /// Runs `work` over one snapshot, which contains every write answered before.
    async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.inner.readers.read(work).await
    }
}
