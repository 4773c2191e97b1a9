//! The data directory, its secrets and the database.

use super::Finding;
use crate::config::Config;
use crate::secrets::{self, Secrets};
use crate::store::WrittenWith;
use crate::store::sqlite::{OpenError, Seen, look};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// With less room than this the database will soon be full.
const LOW_BYTES: u64 = 512 * 1024 * 1024;

/// Whether a service has this database open now.
pub(super) fn is_running(config: &Config) -> bool {
    matches!(look(&config.storage.database()), Ok(Seen::Running))
}

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let directory = &config.storage.data_dir;
    let mut findings = vec![writable(directory)];
    if !directory.exists() {
        return findings;
    }
    findings.extend(room(directory));
    let seen = look(&config.storage.database());
    findings.push(keys(directory, &seen));
    findings.push(database(seen));
    findings
}

fn writable(directory: &Path) -> Finding {
    let shown = directory.display();
    if !directory.exists() {
        let parent = directory
            .ancestors()
            .skip(1)
            .find(|parent| parent.exists() || parent.as_os_str().is_empty());
        let parent = parent
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        return match probe(parent) {
            Ok(()) => Finding::fine(format!(
                "the data directory {shown} will be made at the first start"
            )),
            Err(error) => Finding::error(
                format!(
                    "the data directory {shown} cannot be made: {}: {error}",
                    parent.display()
                ),
                "make it yourself and give it to the user that runs mitalk, or set storage.data_dir",
            ),
        };
    }
    match probe(directory) {
        Ok(()) => Finding::fine(format!("the data directory {shown} is writable")),
        Err(error) => Finding::error(
            format!("the data directory {shown} is not writable: {error}"),
            "give it to the user that runs mitalk, or set storage.data_dir",
        ),
    }
}

/// Whether a file can be made there; it is gone again at once.
fn probe(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(format!(".mitalk-doctor-{}", std::process::id()));
    std::fs::write(&path, b"")?;
    std::fs::remove_file(&path)
}

fn room(directory: &Path) -> Option<Finding> {
    let free = free_bytes(directory)?;
    let mib = free / (1024 * 1024);
    Some(if free < LOW_BYTES {
        Finding::warning(
            format!("only {mib} MiB are free in the data directory"),
            "free some space: with a full disk nothing more can be written, and rooms only go on talking",
        )
    } else {
        Finding::fine(format!("{mib} MiB are free in the data directory"))
    })
}

fn free_bytes(directory: &Path) -> Option<u64> {
    let path = CString::new(directory.as_os_str().as_bytes()).ok()?;
    // SAFETY: all zeros is a valid `statvfs`: plain numbers.
    let mut room: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with a zero byte and `room` is valid for the whole call, which only writes to it.
    let failed = unsafe { libc::statvfs(path.as_ptr(), &raw mut room) };
    (failed == 0).then(|| room.f_bavail.saturating_mul(room.f_frsize))
}

fn keys(directory: &Path, seen: &Result<Seen, OpenError>) -> Finding {
    // What cannot be read without changing it says nothing of its keys.
    let written = match seen {
        Ok(Seen::Closed(written)) => written,
        _ if directory.join(secrets::FILE).exists() => &WrittenWith::Unknown,
        _ => &WrittenWith::Nothing,
    };
    match Secrets::check(directory, written) {
        Ok(true) => Finding::fine("the secrets are readable, and not by everybody"),
        Ok(false) => Finding::fine("the secrets will be made at the first start"),
        Err(error) => Finding::error("the secrets cannot be used", error.to_string()),
    }
}

fn database(seen: Result<Seen, OpenError>) -> Finding {
    match seen {
        Ok(Seen::Nothing) => Finding::fine("the database will be made at the first start"),
        Ok(Seen::Running) => Finding::fine("the database is open in a running service"),
        Ok(Seen::Closed(_)) => Finding::fine("the database can be read and is of this release"),
        Ok(Seen::Unclosed) => Finding::warning(
            "the database was not closed properly, so it was not looked into",
            "nothing is lost: the next start reads the log beside it. Keep the two files together",
        ),
        Err(error @ OpenError::Older { .. }) => Finding::warning(
            "the database is of an older release; serve brings it up to date",
            error.to_string(),
        ),
        Err(error) => Finding::error("the database cannot be opened", error.to_string()),
    }
}
