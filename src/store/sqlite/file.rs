//! Opening the database file: the lock, the checks and the connections.
//!
//! The order matters: the lock comes first, so that nothing is looked at, let alone migrated, while another process
//! works with it; then the file must be ours, whole and of a schema that this version knows.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::lock::Lock;
use super::schema;

/// Marks the file as ours in its header, so that `file` and we can tell ("MTlk").
const APPLICATION_ID: i32 = 0x4d54_6c6b;
/// How long a connection waits for a lock of another one. Only tools from outside (a backup, a shell) ever hold one
/// that long: our writer is one thread.
const BUSY: Duration = Duration::from_secs(5);
/// Up to this size the whole file is checked at start; a larger one takes longer than a start may
/// (about 1 s per GiB), its damage shows when a page is read.
const CHECKED_AT_START_BYTES: u64 = 256 * 1024 * 1024;
/// Statements each connection keeps prepared: all of ours.
const STATEMENTS: usize = 128;
/// What stays of the write-ahead log after a checkpoint.
const LOG_LIMIT_BYTES: i64 = 64 * 1024 * 1024;

/// What to do with a file of an older schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migrate {
    /// Bring it up to date.
    #[default]
    Apply,
    /// Refuse it and ask for `mitalk migrate`.
    Refuse,
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to do with an older schema. A new file always gets the newest one.
    pub migrate: Migrate,
    /// Read connections, each with a thread; at least 1.
    pub readers: usize,
    /// Writes are refused as if the disk were full when the file would grow over this; `None`: the disk is the limit.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            migrate: Migrate::Apply,
            readers: 4,
            max_bytes: None,
        }
    }
}

/// Why a database could not be opened. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{path}: already in use by {holder}; one process at a time may run on a database, stop the other one"
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// `pid N`, or `another process` if it did not say.
        holder: String,
    },
    /// A file that is no database of ours.
    #[error("{path}: is not a Mi Talk database; give another path, or move that file away")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A database with broken pages.
    #[error("{path}: the database is damaged ({what}); restore a copy of it")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found.
        what: String,
    },
    /// A schema from the future.
    #[error(
        "{path}: made by a newer Mi Talk: its schema is {found}, this version knows {known}; run the newer version, or restore a copy from before"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A schema from the past, and migrating was not asked for.
    #[error("{path}: its schema is {found}, this version needs {known}: run `mitalk migrate`")]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// No room to create or migrate it.
    #[error("{path}: the disk is full; free some space and start again")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{path}: {source}; check the directory and its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// Its refusal.
        source: std::io::Error,
    },
    /// No write-ahead log is possible there, such as on a network's file system.
    #[error("{path}: this file system allows no write-ahead log; put the data directory on a local disk")]
    NoLog {
        /// The database.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("{path}: {source}")]
    Sql {
        /// The database.
        path: PathBuf,
        /// Its refusal.
        source: rusqlite::Error,
    },
}

/// An opened, checked and migrated database, not yet given to threads.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) readers: Vec<Connection>,
    pub(super) lock: Lock,
}

/// Opens or creates the database at `path`; its directory must exist.
pub(super) fn open(path: &Path, options: &Options) -> Result<Opened, OpenError> {
    let lock = Lock::take(path)?;
    refuse_foreign_header(path)?;
    create_private(path).map_err(|source| refused(path, source))?;
    let read_write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let sql = |error| explain(path, error);
    let mut writer = connect(path, read_write).map_err(sql)?;
    // Before anything is set: journal_mode would be written into somebody else's file.
    check_identity(path, &writer)?;
    if !configure_writer(&writer).map_err(sql)? {
        return Err(OpenError::NoLog { path: path.into() });
    }
    schema::bring_up(path, &mut writer, options.migrate)?;
    limit_size(&writer, options.max_bytes).map_err(sql)?;
    let readers = (0..options.readers.max(1))
        .map(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .collect::<Result<_, _>>()
        .map_err(sql)?;
    Ok(Opened {
        writer,
        readers,
        lock,
    })
}

pub(super) fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // No mutex in SQLite: each connection stays on one thread.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// False if SQLite cannot keep a write-ahead log there: readers would then hold the writer up.
fn configure_writer(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // FULL, not NORMAL: in WAL mode only FULL syncs the log at every commit, and an answer promises just that.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted or replaced is overwritten: people who leave are not to be found in free space.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
    Ok(mode == "wal")
}

fn limit_size(connection: &Connection, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    let Some(max_bytes) = max_bytes else { return Ok(()) };
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(max_bytes).unwrap_or(i64::MAX) / page_bytes;
    connection.pragma_update(None, "max_page_count", pages)
}

/// SQLite itself opens a text file without complaint until the first statement, and would truncate an empty-looking one.
pub(super) fn refuse_foreign_header(path: &Path) -> Result<(), OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let mut header = [0; MAGIC.len()];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(refused(path, source)),
    };
    let length = file.metadata().map_err(|source| refused(path, source))?.len();
    if length == 0 {
        return Ok(());
    }
    match file.read_exact(&mut header) {
        Ok(()) if &header == MAGIC => Ok(()),
        _ => Err(OpenError::Foreign { path: path.into() }),
    }
}

/// A new file is its owner's alone: it holds sealed numbers and hashed tokens. SQLite gives its log the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// A fresh file is marked as ours, another program's database is refused, a small file is read as a whole.
pub(super) fn check_identity(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let sql = |error| explain(path, error);
    let id: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(sql)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sql)?;
    if id == 0 && tables == 0 {
        return connection
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(sql);
    }
    if id != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.into() });
    }
    let pages: u64 = connection
        .pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))
        .map_err(sql)?
        .unsigned_abs();
    let page_bytes: u64 = connection
        .pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))
        .map_err(sql)?
        .unsigned_abs();
    if pages * page_bytes <= CHECKED_AT_START_BYTES {
        let verdict: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(sql)?;
        if verdict != "ok" {
            return Err(OpenError::Damaged {
                path: path.into(),
                what: verdict,
            });
        }
    }
    Ok(())
}

/// The words for a failure while opening.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
            path,
            what: error.to_string(),
        },
        Some(ErrorCode::DiskFull) => OpenError::Full { path },
        _ => OpenError::Sql { path, source: error },
    }
}

/// The words for what the file system refused.
pub(super) fn refused(path: &Path, source: std::io::Error) -> OpenError {
    let path = path.to_path_buf();
    match source.kind() {
        std::io::ErrorKind::StorageFull => OpenError::Full { path },
        _ => OpenError::Io { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (PathBuf, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (directory.path().join("mitalk.db"), directory)
    }

    fn refusal(path: &Path, options: &Options) -> OpenError {
        match open(path, options) {
            Ok(_) => panic!("{} was opened", path.display()),
            Err(error) => error,
        }
    }

    /// A killed process loses nothing even without these; a machine without power does.
    #[test]
    fn each_commit_is_synced_into_a_log() {
        let (path, _directory) = database();
        let writer = open(&path, &Options::default()).unwrap().writer;
        let number = |name| {
            writer
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(number("synchronous"), 2, "FULL");
        let mode: String = writer
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
        let memory = Connection::open_in_memory().unwrap();
        assert!(
            !configure_writer(&memory).unwrap(),
            "where there is no log it is refused"
        );
    }

    #[test]
    fn other_files_are_refused_and_left_as_they_are() {
        let (path, _directory) = database();
        std::fs::write(&path, "a diary, and nobody's database").unwrap();
        assert!(matches!(
            refusal(&path, &Options::default()),
            OpenError::Foreign { .. }
        ));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "a diary, and nobody's database"
        );

        std::fs::remove_file(&path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (a)")
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(
            refusal(&path, &Options::default()),
            OpenError::Foreign { .. }
        ));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn an_overwritten_page_is_found_at_start() {
        let (path, _directory) = database();
        drop(open(&path, &Options::default()).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
        let error = refusal(&path, &Options::default());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("restore"), "{error}");
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let (path, _directory) = database();
        drop(open(&path, &Options::default()).unwrap());
        set_version(&path, schema::SCHEMA + 1);
        let text = refusal(&path, &Options::default()).to_string();
        assert!(text.contains("made by a newer Mi Talk"), "{text}");
    }

    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let (path, _directory) = database();
        let opened = open(&path, &Options::default()).unwrap();
        opened.writer.execute_batch("CREATE TABLE t (a)").unwrap();
        for end in ["db", "db-wal"] {
            let mode = std::fs::metadata(path.with_extension(end))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0, "mitalk.{end} has mode {mode:o}");
        }
    }

    #[test]
    fn a_new_file_is_made_also_where_migrating_is_refused() {
        let (path, _directory) = database();
        let options = Options {
            migrate: Migrate::Refuse,
            ..Options::default()
        };
        drop(open(&path, &options).unwrap());
        drop(open(&path, &options).unwrap());
    }

    fn set_version(path: &Path, version: i64) {
        Connection::open(path)
            .unwrap()
            .pragma_update(None, "user_version", version)
            .unwrap();
    }
}
