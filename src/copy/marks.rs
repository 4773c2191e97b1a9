//! Who copies what to where, and how far it is: notes in both databases.
//!
//! | where | name | value |
//! |---|---|---|
//! | source | `copy` | JSON: a random id, where it goes, whether it has moved |
//! | source | `copy/<table>` | JSON: the last row of the table that is there |
//! | target | `copy` | the id, and `copying` or `ready` |

use super::{Error, of};
use crate::store::row::{Cell, Row};
use crate::store::{WrittenWith, scylla, sqlite};
use mitalk_cluster::store::StoreError;
use serde::{Deserialize, Serialize};

/// What the names of all notes begin with.
pub(super) const PREFIX: &str = "copy";
/// And of those that say how far it is.
const PLACES: &str = "copy/";
const COPYING: &str = "copying";
const READY: &str = "ready";

/// Somebody else has the source or the target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    /// The service lives elsewhere.
    #[error(
        "this database has moved to {0}: start the service with storage.store = \"scylla\" and storage.events = \"kafka\". \
         `mitalk admin copy --give-up` brings the service back as it was then; what happened in the cluster since is lost"
    )]
    Moved(String),
    /// A copy of it is under way.
    #[error(
        "this database is being copied to {0}: finish with `mitalk admin copy`, or give the copy up with \
         `mitalk admin copy --give-up`"
    )]
    BeingCopied(String),
    /// A copy to it is under way.
    #[error(
        "the keyspace holds a copy that is not finished: run `mitalk admin copy` again, beside the database it came from"
    )]
    HalfCopied,
    /// It holds somebody's data.
    #[error(
        "a service has run on the keyspace already: nothing is copied into it, and it is no longer what was copied; \
         give scylla.keyspace another name"
    )]
    Served,
    /// It holds another copy.
    #[error(
        "another database was copied into the keyspace, or this one before it was given up: drop the keyspace, or give scylla.keyspace another name"
    )]
    Foreign,
    /// The event log holds somebody's events.
    #[error("the topic {0} has events already, which no copy brought: give kafka.prefix another value")]
    Log(&'static str),
    /// More than can be compared there.
    #[error(
        "the topic {0} has more than 10,000 dead letters: retry or drop some with `mitalk admin dlq` first"
    )]
    Letters(&'static str),
    /// There is nothing to compare.
    #[error("no copy of this database was begun: run `mitalk admin copy`")]
    NotBegun,
}

/// How far a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Some of it may be there.
    Copying,
    /// All is, and was compared; nobody has started on it.
    Ready,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    id: String,
    to: String,
    moved: bool,
}

/// No service may start on a database that is copied, or was.
///
/// # Errors
/// [`Taken`], or the store's.
pub async fn refuse_source(source: &sqlite::Store) -> Result<Result<(), Taken>, StoreError> {
    Ok(match note(source).await? {
        None => Ok(()),
        Some(note) if note.moved => Err(Taken::Moved(note.to)),
        Some(note) => Err(Taken::BeingCopied(note.to)),
    })
}

/// No service may start on a keyspace into which somebody copies.
///
/// # Errors
/// [`Taken`], or the store's.
pub async fn refuse_target(target: &scylla::Store) -> Result<Result<(), Taken>, StoreError> {
    let mark = target.mark(PREFIX).await?;
    let is_ready = mark.is_none_or(|mark| mark.ends_with(READY.as_bytes()));
    Ok(if is_ready { Ok(()) } else { Err(Taken::HalfCopied) })
}

/// Marks both, or finds them marked for each other.
pub(super) async fn begin(source: &sqlite::Store, target: &scylla::Store, to: &str) -> Result<Stage, Error> {
    let failed = of("identity");
    let note = match note(source).await.map_err(&failed)? {
        Some(note) if note.to == to => note,
        Some(note) if note.moved => return Err(Taken::Moved(note.to).into()),
        Some(note) => return Err(Taken::BeingCopied(note.to).into()),
        None => {
            // Not before the target can be had: a refusal leaves the service as it was.
            refuse_taken(target).await?;
            // First the source: a service that starts on it now is told.
            let id = u128::from_be_bytes(mitalk_actors::secrets::random());
            let note = Note {
                id: format!("{id:032x}"),
                to: to.to_owned(),
                moved: false,
            };
            put_note(source, &note).await?;
            note
        }
    };
    match stage(target, &note).await? {
        Some(stage) => Ok(stage),
        // Another cluster of these names, or the same one emptied: what lives there, or lived, is newer than this.
        None if note.moved => Err(Taken::Moved(note.to).into()),
        None => {
            // The keyspace is empty, perhaps again: what was there before counts no more.
            from_the_beginning(source).await?;
            claim(target, &note).await
        }
    }
}

/// The target must be nobody's.
pub(super) async fn refuse_taken(target: &scylla::Store) -> Result<(), Error> {
    let failed = of("identity");
    if target.mark(PREFIX).await.map_err(&failed)?.is_some() {
        return Err(Taken::Foreign.into());
    }
    if is_used(target).await.map_err(&failed)? {
        return Err(Taken::Served.into());
    }
    Ok(())
}

/// The target is nobody's yet, as far as one sees. A service that starts at this moment notes its key first and looks for a
/// mark then, so one of the two sees the other.
async fn claim(target: &scylla::Store, note: &Note) -> Result<Stage, Error> {
    let failed = of("identity");
    let mark = value(note, COPYING);
    let found = target.put_mark(PREFIX, &mark).await.map_err(&failed)?;
    if found != mark {
        return Err(Taken::Foreign.into());
    }
    if is_used(target).await.map_err(&failed)? {
        target.remove_mark(PREFIX, &mark).await.map_err(&failed)?;
        return Err(Taken::Served.into());
    }
    Ok(Stage::Copying)
}

/// That a copy of this source was begun, and that nobody changed it since.
pub(super) async fn begun(source: &sqlite::Store, target: &scylla::Store) -> Result<Stage, Error> {
    let note = note(source)
        .await
        .map_err(of("identity"))?
        .ok_or(Taken::NotBegun)?;
    let stage = stage(target, &note).await?;
    stage.ok_or_else(|| Taken::NotBegun.into())
}

/// All is there and compared. In this order no crash leaves two databases that a service starts on.
pub(super) async fn finish(source: &sqlite::Store, target: &scylla::Store) -> Result<(), Error> {
    let failed = of("identity");
    let mut note = note(source).await.map_err(&failed)?.ok_or(Taken::NotBegun)?;
    note.moved = true;
    put_note(source, &note).await?;
    let (before, next) = (value(&note, COPYING), value(&note, READY));
    match target.replace_mark(PREFIX, &before, &next).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Taken::Foreign.into()),
        Err(error) => Err(failed(error)),
    }
}

/// The last row of a table that is there.
pub(super) async fn place(source: &sqlite::Store, table: &'static str) -> Result<Option<Row>, Error> {
    let noted = source
        .noted(&format!("{PLACES}{table}"))
        .await
        .map_err(of(table))?;
    Ok(noted.and_then(|noted| serde_json::from_slice(&noted).ok()))
}

/// The next copy begins at the first row of each table: what is there already does not change by that.
pub(super) async fn from_the_beginning(source: &sqlite::Store) -> Result<(), Error> {
    source.forget(PLACES).await.map_err(of("identity"))
}

/// Of the row only the key is kept.
pub(super) async fn put_place(
    source: &sqlite::Store,
    table: &'static str,
    key: &[Cell],
) -> Result<(), Error> {
    let value = serde_json::to_vec(key).expect("numbers, texts and bytes are JSON");
    let noted = source.note(&format!("{PLACES}{table}"), &value).await;
    noted.map_err(of(table))
}

async fn stage(target: &scylla::Store, note: &Note) -> Result<Option<Stage>, Error> {
    let failed = of("identity");
    let stage = match target.mark(PREFIX).await.map_err(&failed)? {
        None => return Ok(None),
        Some(mark) if mark == value(note, COPYING) => Stage::Copying,
        Some(mark) if mark == value(note, READY) => Stage::Ready,
        Some(_) => return Err(Taken::Foreign.into()),
    };
    if target.has_served().await.map_err(&failed)? {
        return Err(Taken::Served.into());
    }
    Ok(Some(stage))
}

async fn is_used(target: &scylla::Store) -> Result<bool, StoreError> {
    Ok(target.written_with().await? != WrittenWith::Nothing || target.has_served().await?)
}

fn value(note: &Note, stage: &str) -> Vec<u8> {
    format!("{} {stage}", note.id).into_bytes()
}

async fn note(source: &sqlite::Store) -> Result<Option<Note>, StoreError> {
    let Some(noted) = source.noted(PREFIX).await? else {
        return Ok(None);
    };
    let note = serde_json::from_slice(&noted);
    note.map(Some)
        .map_err(|error| StoreError::Corrupt(format!("the note of a copy cannot be read: {error}")))
}

async fn put_note(source: &sqlite::Store, note: &Note) -> Result<(), Error> {
    let value = serde_json::to_vec(note).expect("three texts are JSON");
    source.note(PREFIX, &value).await.map_err(of("identity"))
}
