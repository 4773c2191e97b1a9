//! What can go wrong inside the database, and what a caller may conclude from it.
//!
//! The distinction that matters is *certainly not applied* against *unknown* (rule 8 and "A conditional write" in the
//! protocol): only a failed COMMIT may leave a write behind, because its frames may be on the disk although the fsync
//! failed. Everything that fails earlier is rolled back.

use mitalk_cluster::store::StoreError;
use rusqlite::ErrorCode;

/// Why one write or read did not give its result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A stored value is not what this version writes.
    #[error("{0}")]
    Corrupt(String),
    /// The work panicked, which is a bug; what it did was undone.
    #[error("the store panicked over it, see the log")]
    Panicked,
}

/// When a failure happened, which decides whether something may have been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before COMMIT was asked for: rolled back.
    Work,
    /// COMMIT itself.
    Commit,
}

impl Fault {
    /// The words for the caller. `Full` is told apart because it heals when somebody makes room.
    pub(super) fn for_caller(&self, stage: Stage) -> StoreError {
        match self.code() {
            Some(ErrorCode::DiskFull) => StoreError::Full(
                "the disk is full, or storage.max_bytes is reached: writes are refused, reads go on; free some space, or \
                 raise that bound and start again"
                    .into(),
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt(format!("the database is damaged, restore a copy: {self}"))
            }
            // A failed write or fsync of the commit frame may still be found by recovery after a crash.
            Some(ErrorCode::SystemIoFailure) if stage == Stage::Commit => StoreError::Unknown(self.disk_failed()),
            Some(ErrorCode::SystemIoFailure) => StoreError::Unavailable(self.disk_failed()),
            _ => match self {
                Fault::Corrupt(what) => StoreError::Corrupt(what.clone()),
                Fault::Sql(_) | Fault::Panicked => StoreError::Unavailable(self.to_string()),
            },
        }
    }

    fn disk_failed(&self) -> String {
        format!(
            "the disk fails ({self}): check it, and the limits of the process; nothing acknowledged is lost, and writing \
             resumes by itself"
        )
    }

    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Fault::Sql(error) => error.sqlite_error_code(),
            Fault::Corrupt(_) | Fault::Panicked => None,
        }
    }
}
