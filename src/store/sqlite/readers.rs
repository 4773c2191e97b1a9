//! A few threads that read, each with its own read-only connection.
//!
//! WAL gives every read a snapshot that no writer disturbs and that contains every write answered before it began. A
//! read of several statements runs in one transaction, so it sees one moment. The queue is bounded; a full one refuses
//! at once. A read that panics fails alone: its thread goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// What a thread is asked for.
enum Order {
    Read(Job),
    /// Close the connection and end.
    End,
}

/// Hands reads to the threads; dropping it ends them.
pub(super) struct Readers {
    queue: SyncSender<Order>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    metrics: Metrics,
}

impl Readers {
    /// One thread per connection.
    pub(super) fn start(connections: Vec<Connection>, metrics: Metrics) -> std::io::Result<Readers> {
        let (queue, orders) = sync_channel(QUEUE_READS);
        let orders = Arc::new(Mutex::new(orders));
        let start = |connection| {
            let orders = Arc::clone(&orders);
            thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || run(&connection, &orders))
        };
        let threads = connections
            .into_iter()
            .map(start)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Readers {
            queue,
            threads: Mutex::new(threads),
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
        let job: Job = Box::new(move |connection: &Connection| {
            // The caller may have gone away; there is nobody else to tell.
            let _ = reply.send(snapshot(connection, work).map_err(|fault| fault.for_caller(Stage::Work)));
        });
        let refused = match self.queue.try_send(Order::Read(job)) {
            Ok(()) => {
                return answer.await.unwrap_or_else(|_| {
                    Err(StoreError::Unavailable("the read ended without an answer".into()))
                });
            }
            Err(TrySendError::Full(_)) => "too many reads are waiting for the database",
            Err(TrySendError::Disconnected(_)) => READERS_GONE,
        };
        self.metrics.overloaded.inc();
        Err(StoreError::Unavailable(refused.into()))
    }
}

impl Readers {
    /// Finishes what is queued and closes the connections; reads are refused from now on. Blocks. Again it does nothing.
    pub(super) fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            // Those that are gone take no orders.
            let _ = self.queue.send(Order::End);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

const READERS_GONE: &str = "the database is closed: this process is stopping, or must be restarted";

fn run(connection: &Connection, orders: &Mutex<Receiver<Order>>) {
    loop {
        // One thread waits in the channel, the others for the lock: whoever gets an order lets the next one in.
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match order {
            // Whoever waits finds its answer dropped; the transaction ended with the panic, which is in the log.
            Ok(Order::Read(job)) => drop(catch_unwind(AssertUnwindSafe(|| job(connection)))),
            Ok(Order::End) | Err(_) => return,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_leaves_its_thread_to_the_next_one() {
        let connection = Connection::open_in_memory().unwrap();
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let readers = Readers::start(vec![connection], metrics).unwrap();
        let panics = readers.read(|_| -> Result<(), Fault> { panic!("as the test wants") });
        let answer = panics.await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        let one =
            |connection: &Connection| Ok(connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))?);
        assert_eq!(readers.read(one).await, Ok(1));
    }
}
