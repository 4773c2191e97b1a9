//! A few threads that read, each with its own read-only connection.
//!
//! WAL gives every read a snapshot that no writer disturbs and that contains every write answered before it began. A
//! read of several statements runs in one transaction, so it sees one moment. The queue is bounded; a full one refuses
//! at once.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mitalk_cluster::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::{Fault, Stage};
use super::metrics::Metrics;

/// Reads that may wait.
const QUEUE_READS: usize = 4_096;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Hands reads to the threads; dropping it ends them.
pub(super) struct Readers {
    /// `None` only while dropping.
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    metrics: Metrics,
}

impl Readers {
    /// One thread per connection.
    pub(super) fn start(connections: Vec<Connection>, metrics: Metrics) -> std::io::Result<Readers> {
        let (queue, jobs) = sync_channel(QUEUE_READS);
        let jobs = Arc::new(Mutex::new(jobs));
        let start = |connection| {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || run(&connection, &jobs))
        };
        let threads = connections.into_iter().map(start).collect::<Result<_, _>>()?;
        Ok(Readers {
            queue: Some(queue),
            threads,
            metrics,
        })
    }

    /// Runs `work` over one snapshot.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move |connection: &Connection| {
            // The caller may have gone away; there is nobody else to tell.
            let _ = reply.send(snapshot(connection, work).map_err(|fault| fault.for_caller(Stage::Work)));
        });
        let Some(queue) = &self.queue else {
            return Err(StoreError::Unavailable(READERS_GONE.into()));
        };
        let refused = match queue.try_send(job) {
            Ok(()) => {
                return answer
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Unavailable(READERS_GONE.into())));
            }
            Err(TrySendError::Full(_)) => "too many reads are waiting for the database",
            Err(TrySendError::Disconnected(_)) => READERS_GONE,
        };
        self.metrics.overloaded.inc();
        Err(StoreError::Unavailable(refused.into()))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

const READERS_GONE: &str = "a reader of the database has ended, restart the process";

fn run(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // One thread waits in the channel, the others for the lock: whoever gets a job lets the next one in.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(connection),
            Err(_) => return,
        }
    }
}

fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.unchecked_transaction()?;
    let result = work(&transaction)?;
    transaction.finish()?;
    Ok(result)
}
