//! One process at a time: the lock beside the database.

use super::file::{OpenError, refused};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The exclusive lock on a file beside the database, held as long as the process runs.
///
/// A file of its own, because closing any handle of the database file would drop SQLite's POSIX locks on it. The kernel
/// releases it with the process, however that ends. The file stays: removing it would race with the next taker.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Whether a process has it, without taking it or making its file.
    pub(super) fn is_taken(database: &Path) -> Result<bool, OpenError> {
        let path = path(database);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(refused(&path, source)),
        };
        // Shared, and given back at once: two who look do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(refused(&path, source)),
        }
    }

    /// Takes it, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Lock, OpenError> {
        let path = path(database);
        let io = |source| refused(&path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Best effort: who holds it may just be writing its number.
                let _ = file.read_to_string(&mut pid);
                let holder = match pid.trim().parse::<u32>() {
                    Ok(pid) => format!("pid {pid}"),
                    Err(_) => "another process".into(),
                };
                return Err(OpenError::InUse {
                    path: database.into(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Lock { _file: file })
    }
}

fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("mitalk.db");
        let first = Lock::take(&database).unwrap();
        let Err(refused) = Lock::take(&database) else {
            panic!("two have it")
        };
        let holder = format!("already in use by pid {}", std::process::id());
        assert!(refused.to_string().contains(&holder), "{refused}");
        drop(first);
        Lock::take(&database).unwrap();
    }
}
