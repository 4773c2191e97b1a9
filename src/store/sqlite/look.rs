//! Looking at a database without touching it, for `mitalk doctor`.
//!
//! Nothing is locked, made or written, so a service may start at the same moment. A database that was not closed properly
//! has a log beside it, whose content SQLite can only bring in by writing: that is left to the next start, and said.

use super::file::{Migrate, OpenError, check_identity, connect, explain, refuse_foreign_header};
use super::identity;
use super::lock::Lock;
use super::schema;
use crate::store::WrittenWith;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No database, or an empty file, as a start leaves it that was cut short.
    Nothing,
    /// A service has it open.
    Running,
    /// It was not closed properly; the next start mends that.
    Unclosed,
    /// Whole and of this release.
    Closed(WrittenWith),
}

/// Looks at the database at `path`. Blocks.
///
/// # Errors
/// What opening it would answer: not ours, damaged, from another version.
pub fn look(path: &Path) -> Result<Seen, OpenError> {
    if !path.exists() {
        return Ok(Seen::Nothing);
    }
    if Lock::is_taken(path)? {
        return Ok(Seen::Running);
    }
    refuse_foreign_header(path)?;
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    if length(path) == 0 {
        return Ok(Seen::Nothing);
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if length(Path::new(&log)) > 0 {
        return Ok(Seen::Unclosed);
    }
    let sql = |error| explain(path, error);
    let mut connection = immutable(path).map_err(sql)?;
    if is_fresh(&connection).map_err(sql)? {
        return Ok(Seen::Nothing);
    }
    check_identity(path, &connection)?;
    schema::bring_up(path, &mut connection, Migrate::Refuse)?;
    identity::written_with(&connection).map(Seen::Closed).map_err(sql)
}

/// The migrations that opening the database at `path` would apply, number and name; nothing where that cannot be told
/// because it was not closed properly. Blocks, and changes nothing.
///
/// # Errors
/// What opening it would answer, an older schema aside.
pub fn pending(path: &Path) -> Result<Option<Vec<(i64, &'static str)>>, OpenError> {
    match look(path) {
        Ok(Seen::Nothing) => Ok(Some(schema::behind(0))),
        Ok(Seen::Closed(_) | Seen::Running) => Ok(Some(Vec::new())),
        Ok(Seen::Unclosed) => Ok(None),
        Err(OpenError::Older { found, .. }) => Ok(Some(schema::behind(found))),
        Err(error) => Err(error),
    }
}

/// SQLite takes no lock and makes no file for a database that nobody changes.
fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => write!(uri, "%{byte:02x}").expect("a String takes all that is written"),
        }
    }
    uri.push_str("?immutable=1");
    connect(
        Path::new(&uri),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
    )
}

/// No table and no schema yet: whoever opens it for writing makes it ours.
fn is_fresh(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT exists(SELECT 1 FROM sqlite_schema)", [], |row| {
        row.get(0)
    })
}

#[cfg(test)]
mod tests {
    use super::super::file::{Options, open};
    use super::*;
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    fn files(directory: &Path) -> BTreeMap<OsString, Vec<u8>> {
        let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
        entries
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
            .collect()
    }

    #[test]
    fn nothing_is_touched_whatever_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mi talk?.db");
        let seen = || {
            let before = files(directory.path());
            let seen = look(&path);
            assert_eq!(files(directory.path()), before, "{seen:?}");
            seen
        };
        assert_eq!(seen().unwrap(), Seen::Nothing);
        let all = pending(&path).unwrap().expect("nothing is there");
        assert_eq!(all.last().map(|(number, _)| *number), Some(schema::SCHEMA));
        std::fs::write(&path, b"").unwrap();
        assert_eq!(seen().unwrap(), Seen::Nothing, "an empty file stays one");
        let opened = open(&path, &Options::default()).unwrap();
        assert_eq!(seen().unwrap(), Seen::Running);
        let left = files(directory.path());
        drop((opened.readers, opened.writer, opened.lock));
        assert_eq!(seen().unwrap(), Seen::Closed(WrittenWith::Nothing));
        assert_eq!(pending(&path).unwrap(), Some(vec![]));
        let set = |version| {
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update(None, "user_version", version).unwrap();
        };
        set(schema::SCHEMA - 1);
        assert_eq!(pending(&path).unwrap(), Some(all[all.len() - 1..].to_vec()));
        set(schema::SCHEMA + 1);
        assert!(matches!(seen(), Err(OpenError::Newer { .. })));
        // As a killed process leaves it.
        for (name, content) in left {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        assert_eq!(seen().unwrap(), Seen::Unclosed);
        assert_eq!(pending(&path).unwrap(), None);
        std::fs::remove_file(directory.path().join("mi talk?.db-wal")).unwrap();
        std::fs::write(&path, "a diary, and nobody's database").unwrap();
        assert!(matches!(seen(), Err(OpenError::Foreign { .. })));
    }
}
