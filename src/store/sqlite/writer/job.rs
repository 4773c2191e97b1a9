//! A write that waits for its transaction, and for that to be on the disk.

use super::super::fault::{Fault, Stage};
use mitalk_cluster::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

/// A queued write, its type erased.
pub(super) trait Job: Send {
    /// Runs the work once more and keeps its result; false if it failed.
    fn run(&mut self, connection: &Connection) -> bool;
    /// The work panicked, in the middle of whatever it did: that is its result. False, for it failed.
    fn panicked(&mut self) -> bool;
    /// Whether the kept failure is the disk being full.
    fn is_full(&self) -> bool;
    /// The transaction is on the disk: tells the kept result.
    fn answer(self: Box<Self>);
    /// The transaction is not, or perhaps not, on the disk.
    fn fail(self: Box<Self>, error: StoreError);
}

/// A write, its work and who waits for it.
pub(super) struct Write<T, W> {
    work: W,
    result: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Write<T, W> {
    /// One that has not run yet.
    pub(super) fn new(work: W, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            work,
            result: None,
            reply,
        }
    }
}

impl<T, W> Job for Write<T, W>
where
    T: Send,
    W: FnMut(&Connection) -> Result<T, Fault> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        self.result.insert((self.work)(connection)).is_ok()
    }

    fn panicked(&mut self) -> bool {
        self.result = Some(Err(Fault::Panicked));
        false
    }

    fn is_full(&self) -> bool {
        matches!(&self.result, Some(Err(fault)) if fault.code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    fn answer(self: Box<Self>) {
        let result = self.result.expect("a job is answered only after it ran");
        // The caller may have gone away; its write stands all the same.
        let _ = self
            .reply
            .send(result.map_err(|fault| fault.for_caller(Stage::Work)));
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let error = match &self.result {
            // Its own failure explains more than the group's.
            Some(Err(fault)) => fault.for_caller(Stage::Work),
            _ => error,
        };
        let _ = self.reply.send(Err(error));
    }
}
