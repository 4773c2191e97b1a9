//! The one thread that writes, and its group commit.
//!
//! An fsync costs the same for one write as for a hundred, so the thread takes everything that queued up during the last
//! fsync into one transaction. Each write runs in a savepoint of its own: one that is refused or fails is rolled back
//! alone. Nobody is answered before the transaction that carries the write is on the disk.
//!
//! Invariants:
//! - an answer `Ok` means committed and synced; `Unavailable` and `Full` mean that nothing was applied; only a COMMIT
//!   whose I/O failed answers `Unknown`;
//! - a write whose work panics fails and is undone alone; a panic anywhere else leaves the outcome of its group unknown.
//!   The thread goes on: a node without it would hold its lease and refuse every write;
//! - a write runs again, alone, if a neighbour took the whole transaction down with it (SQLite rolls everything back
//!   when the disk is full), so it must be repeatable: it owns its data and only lends it to the statements;
//! - the queue is bounded; a full one refuses at once.
//!
//! Deliberately missing: waiting a little to gather larger groups. The fsync of the group before is the wait.

mod job;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use mitalk_cluster::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::{Fault, Stage};
use super::metrics::Metrics;
use crate::failpoints;
use job::{Job, Write};

/// Writes that may wait. At 128 commands per batch of an entity this is far more than a node has in flight.
const QUEUE_WRITES: usize = 4_096;
/// Writes in one transaction at most: bounds how long the first of them waits for the last.
const GROUP_WRITES: usize = 256;

/// Hands writes to the thread; dropping it commits what is queued and ends the thread.
pub(super) struct Writer {
    queue: SyncSender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
    metrics: Metrics,
}

/// What the thread is asked for.
enum Order {
    Write(Box<dyn Job>),
    /// Commit what came before, close the connection and end.
    End,
}

impl Writer {
    /// Starts the thread over its own connection.
    pub(super) fn start(connection: Connection, metrics: Metrics) -> std::io::Result<Writer> {
        let (queue, orders) = sync_channel(QUEUE_WRITES);
        let group = Group {
            connection,
            metrics: metrics.clone(),
            trouble: RefCell::default(),
        };
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || group.run(&orders))?;
        Ok(Writer {
            queue,
            thread: Mutex::new(Some(thread)),
            metrics,
        })
    }

    /// Runs `work` in the next transaction and returns its result once that is on the disk.
    ///
    /// A caller that goes away does not stop its write.
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.metrics.writes.inc();
        self.metrics.queued.inc();
        let job = Box::new(Write::new(work, reply));
        let refused = match self.queue.try_send(Order::Write(job)) {
            Ok(()) => {
                return answer
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Unknown(WRITER_GONE.into())));
            }
            Err(TrySendError::Full(_)) => "too many writes are waiting for the disk",
            Err(TrySendError::Disconnected(_)) => WRITER_GONE,
        };
        self.metrics.queued.dec();
        self.metrics.overloaded.inc();
        Err(StoreError::Unavailable(refused.into()))
    }
}

impl Writer {
    /// Commits what is queued and closes the connection; writes are refused from now on. Blocks. Again it does nothing.
    pub(super) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // One that is gone takes no orders.
            let _ = self.queue.send(Order::End);
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

const WRITER_GONE: &str = "the database is closed: this process is stopping, or must be restarted";

/// How a transaction failed as a whole.
struct Broken {
    fault: Fault,
    stage: Stage,
}

struct Group {
    connection: Connection,
    metrics: Metrics,
    /// Why the last transaction failed, as it was logged: a disk that stays full is said once, and its end as well.
    trouble: RefCell<Option<String>>,
}

impl Group {
    fn run(self, orders: &Receiver<Order>) {
        let mut open = true;
        while open {
            let Ok(Order::Write(first)) = orders.recv() else {
                return;
            };
            let mut group = vec![first];
            while open && group.len() < GROUP_WRITES {
                match orders.try_recv() {
                    Ok(Order::Write(job)) => group.push(job),
                    Ok(Order::End) => open = false,
                    Err(_) => break,
                }
            }
            self.metrics
                .queued
                .sub(i64::try_from(group.len()).unwrap_or(i64::MAX));
            // Whoever waits finds its answer dropped, which says that the outcome is unknown. The panic is in the log.
            if catch_unwind(AssertUnwindSafe(|| self.settle(group))).is_err() {
                self.roll_back();
            }
        }
    }

    /// Commits a group and answers all of it.
    fn settle(&self, mut group: Vec<Box<dyn Job>>) {
        let outcome = self.transaction(&mut group);
        self.metrics
            .full
            .inc_by(group.iter().filter(|job| job.is_full()).count() as u64);
        match outcome {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the store can write again");
                }
                group.into_iter().for_each(|job| job.answer());
            }
            // Nothing of it was applied: each again by itself, so that only the guilty one fails.
            Err(broken) if group.len() > 1 && broken.certainly_not_applied() => {
                group.into_iter().for_each(|job| self.settle(vec![job]));
            }
            Err(broken) => {
                let error = broken.fault.for_caller(broken.stage);
                self.log(&error);
                group.into_iter().for_each(|job| job.fail(error.clone()));
            }
        }
    }

    fn log(&self, error: &StoreError) {
        let text = error.to_string();
        if self.trouble.borrow().as_ref() != Some(&text) {
            tracing::error!(error = text, "the store cannot write");
        }
        self.trouble.replace(Some(text));
    }

    fn transaction(&self, group: &mut [Box<dyn Job>]) -> Result<(), Broken> {
        let at_work = |error: rusqlite::Error| Broken {
            fault: error.into(),
            stage: Stage::Work,
        };
        self.execute("BEGIN IMMEDIATE").map_err(at_work)?;
        for job in group.iter_mut() {
            if let Err(error) = self.savepoint(job.as_mut()) {
                self.roll_back();
                return Err(at_work(error));
            }
        }
        failpoints::GROUP.before();
        let begun = Instant::now();
        if let Err(error) = self.execute("COMMIT") {
            self.roll_back();
            return Err(Broken {
                fault: error.into(),
                stage: Stage::Commit,
            });
        }
        self.metrics.commit_time.observe(begun.elapsed().as_secs_f64());
        self.metrics.commits.inc();
        self.metrics.group.observe(group.len() as f64);
        failpoints::GROUP.after();
        Ok(())
    }

    /// Runs one write; its failure undoes it alone. An error means that the whole transaction is lost.
    fn savepoint(&self, job: &mut dyn Job) -> rusqlite::Result<()> {
        self.execute("SAVEPOINT one")?;
        let ran = catch_unwind(AssertUnwindSafe(|| job.run(&self.connection)));
        if !ran.unwrap_or_else(|_| job.panicked()) {
            // Fails if SQLite has rolled back everything by itself (disk full, I/O error): no such savepoint.
            self.execute("ROLLBACK TO one")?;
        }
        self.execute("RELEASE one")
    }

    fn roll_back(&self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = self.execute("ROLLBACK") {
            tracing::error!(%error, "the store could not roll back");
        }
    }

    fn execute(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}

impl Broken {
    fn certainly_not_applied(&self) -> bool {
        !matches!(self.fault.for_caller(self.stage), StoreError::Unknown(_))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::future::{join, join_all};

    use super::*;

    /// A writer over a fresh file with one table, and the directory that holds it.
    fn writer() -> (Writer, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("test.db")).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
            .unwrap();
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        (Writer::start(connection, metrics).unwrap(), directory)
    }

    fn insert(n: i64, bytes: i64) -> impl FnMut(&Connection) -> Result<usize, Fault> + Send + 'static {
        move |connection| Ok(connection.execute("INSERT INTO t VALUES (?1, zeroblob(?2))", [n, bytes])?)
    }

    async fn stored(writer: &Writer) -> Vec<i64> {
        let all = |connection: &Connection| {
            let mut query = connection.prepare("SELECT n FROM t ORDER BY n")?;
            let numbers = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(numbers)
        };
        writer.write(all).await.unwrap()
    }

    /// Keeps the thread busy until all of `writes` are queued, so that they share one group.
    async fn together<T>(writer: &Writer, writes: Vec<impl Future<Output = T>>) -> Vec<T> {
        let (started, has_started) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let mut started = Some(started);
        let busy = writer.write(move |_| {
            if let Some(started) = started.take() {
                started.send(()).unwrap();
                released.recv().unwrap();
            }
            Ok(())
        });
        // Polled in this order: the writes are queued before the thread may go on.
        let rest = async {
            has_started.await.unwrap();
            let (results, ()) = join(join_all(writes), async { release.send(()).unwrap() }).await;
            results
        };
        let (done, results) = join(busy, rest).await;
        done.unwrap();
        results
    }

    #[tokio::test]
    async fn writes_that_wait_share_one_commit() {
        let (writer, _directory) = writer();
        let results = together(&writer, (0..100).map(|n| writer.write(insert(n, 1))).collect()).await;
        assert!(results.iter().all(|result| result == &Ok(1)));
        assert_eq!(writer.metrics.commits.get(), 2);
        assert_eq!(stored(&writer).await, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_failing_write_is_undone_alone() {
        let (writer, _directory) = writer();
        let writes = [1, 2, 1, 3].map(|n| writer.write(insert(n, 1))).into();
        let results = together(&writer, writes).await;
        assert!(
            matches!(results[2], Err(StoreError::Unavailable(_))),
            "{:?}",
            results[2]
        );
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
        assert_eq!(stored(&writer).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_write_that_panics_fails_alone_and_the_next_ones_are_written() {
        let (writer, _directory) = writer();
        type Work = Box<dyn FnMut(&Connection) -> Result<usize, Fault> + Send>;
        let panics: Work = Box::new(|connection| {
            connection.execute("INSERT INTO t VALUES (7, NULL)", [])?;
            panic!("as the test wants");
        });
        let works: [Work; 3] = [Box::new(insert(1, 1)), panics, Box::new(insert(2, 1))];
        let results = together(&writer, works.map(|work| writer.write(work)).into()).await;
        assert_eq!((&results[0], &results[2]), (&Ok(1), &Ok(1)));
        assert!(
            matches!(results[1], Err(StoreError::Unavailable(_))),
            "{:?}",
            results[1]
        );
        assert_eq!(writer.write(insert(3, 1)).await, Ok(1));
        assert_eq!(stored(&writer).await, [1, 2, 3], "nothing of it stays");
    }

    /// Nobody but the group's own code could panic there; the thread outlives it all the same.
    #[tokio::test]
    async fn a_group_that_panics_answers_nobody_and_the_thread_goes_on() {
        /// Its end is heard when it is dropped.
        struct Bomb {
            _reply: oneshot::Sender<()>,
        }
        impl Job for Bomb {
            fn run(&mut self, connection: &Connection) -> bool {
                connection.execute("INSERT INTO t VALUES (7, NULL)", []).is_ok()
            }
            fn panicked(&mut self) -> bool {
                false
            }
            fn is_full(&self) -> bool {
                panic!("as the test wants")
            }
            fn answer(self: Box<Self>) {}
            fn fail(self: Box<Self>, _: StoreError) {}
        }
        let (writer, _directory) = writer();
        let (reply, answer) = oneshot::channel();
        let bomb = Box::new(Bomb { _reply: reply });
        writer.queue.send(Order::Write(bomb)).unwrap();
        assert!(answer.await.is_err());
        assert_eq!(writer.write(insert(3, 1)).await, Ok(1));
    }

    #[tokio::test]
    async fn neighbours_of_a_write_that_ends_the_transaction_run_again() {
        let (writer, _directory) = writer();
        type Work = Box<dyn FnMut(&Connection) -> Result<usize, Fault> + Send>;
        // What SQLite does by itself when the disk is full.
        let breaks: Work = Box::new(|connection| {
            connection.execute_batch("ROLLBACK")?;
            Err(Fault::Corrupt("broke everything".into()))
        });
        let works: [Work; 3] = [Box::new(insert(1, 1)), breaks, Box::new(insert(2, 1))];
        let results = together(&writer, works.map(|work| writer.write(work)).into()).await;
        assert_eq!(results[0], Ok(1));
        assert_eq!(results[1], Err(StoreError::Corrupt("broke everything".into())));
        assert_eq!(results[2], Ok(1));
        assert_eq!(stored(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_write_too_large_for_the_space_left_does_not_spoil_the_small_ones() {
        let (writer, _directory) = writer();
        let limit = |connection: &Connection| Ok(connection.pragma_update(None, "max_page_count", 20)?);
        writer.write(limit).await.unwrap();
        let writes = [(1, 10), (2, 1_000_000), (3, 10)]
            .map(|(n, bytes)| writer.write(insert(n, bytes)))
            .into();
        let results = together(&writer, writes).await;
        assert_eq!(results[0], Ok(1));
        assert!(matches!(results[1], Err(StoreError::Full(_))), "{:?}", results[1]);
        assert_eq!(results[2], Ok(1));
        assert_eq!(stored(&writer).await, [1, 3]);
    }

    #[tokio::test]
    async fn closing_commits_what_waits_and_refuses_what_comes_later() {
        let (writer, directory) = writer();
        let waiting: Vec<_> = (0..100).map(|n| writer.write(insert(n, 1))).collect();
        let close = async { writer.close() };
        let (results, ()) = join(join_all(waiting), close).await;
        assert!(results.iter().all(|result| result == &Ok(1)), "{results:?}");
        let late = writer.write(insert(100, 1)).await;
        assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
        writer.close();
        let reopened = Connection::open(directory.path().join("test.db")).unwrap();
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let stored = reopened.query_row("SELECT count(*) FROM t", [], count);
        assert_eq!(stored, Ok(100));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (writer, _directory) = writer();
        let waiting = QUEUE_WRITES as i64 + 1;
        let results = together(
            &writer,
            (0..waiting).map(|n| writer.write(insert(n, 1))).collect(),
        )
        .await;
        let refused: Vec<_> = results.iter().filter(|result| result.is_err()).collect();
        assert!(
            matches!(refused[..], [Err(StoreError::Unavailable(_))]),
            "{refused:?}"
        );
        assert_eq!(stored(&writer).await.len(), QUEUE_WRITES);
        assert_eq!(writer.metrics.queued.get(), 0);
    }
}
