//! From one machine's file to a cluster: `mitalk admin copy`.
//!
//! Offline: the file's service is stopped (this takes its lock), the cluster's has never been started. Everything that the
//! domain knows is written through the adapters' own ports, in the order of the source's keys: entities with what they owe,
//! timers, read tables, what consumers dealt with, and the event log, to Kafka. Ownership is not copied: each shard's row is
//! put there as handed over, with the epoch it had, so that its next owner has a higher one than any row (rule 4), and its
//! open list names whoever owes something (rule 8).
//!
//! Invariants:
//! - a repeat of any step changes nothing, so it goes on after any end; notes of how far it is lie beside the source, written
//!   behind what they say;
//! - one source, one target: both are marked before the first row. From then on no service starts on the source, or rows
//!   that were copied would grow old; none starts on the target before all of it was compared;
//! - nothing is lost at the marks either: the source says that it has moved before the target says that it is ready.
//!
//! Deliberately missing: copying while the service runs, and the way back.

mod events;
mod insist;
mod lists;
mod marks;
mod put;
mod tables;
mod verify;

pub use marks::{Taken, refuse_source, refuse_target};

use crate::config::{Config, Events, Store as StoreKind};
use crate::events::kafka::{self, Kafka};
use crate::secrets::{self, Secrets};
use crate::store::row::Row;
use crate::store::{WrittenWith, scylla, sqlite};
use events::Log;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use insist::insist;
use marks::Stage;
use mitalk_actors::events::TOPICS;
use mitalk_cluster::store::{EntityStore as _, StoreError};
use mitalk_cluster::{EntityId, SystemClock};
use prometheus::Registry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tables::{Put, TABLES, Table};
use tokio::time::Instant;

/// Rows that are read at once.
const PAGE: usize = 512;
/// Writes under way.
const AT_ONCE: usize = 64;
/// Rows of an outbox that are written together, and their bytes: servers refuse large batches.
const TOGETHER: usize = 32;
const TOGETHER_BYTES: usize = 16 * 1024;
/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// Brokers that do not answer for so long are given up.
const BROKERS: Duration = Duration::from_secs(60);

/// Why nothing, or not all, was copied. Run again, it goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration names no cluster.
    #[error(
        "set storage.store = \"scylla\" and storage.events = \"kafka\": the configuration is the new service's"
    )]
    Target,
    /// The source cannot be opened.
    #[error(transparent)]
    Source(#[from] sqlite::OpenError),
    /// The target cannot be opened.
    #[error(transparent)]
    Cluster(#[from] scylla::OpenError),
    /// The brokers cannot be used as configured.
    #[error("event log: {0}")]
    Kafka(#[from] kafka::ConfigError),
    /// The brokers do not answer.
    #[error("the brokers do not answer: {0}")]
    Brokers(String),
    /// The service's keys are not there, or are not the source's.
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    /// No service ever ran on it.
    #[error("{}: there is nothing to copy", .0.display())]
    Empty(PathBuf),
    /// Somebody else has the source or the target.
    #[error(transparent)]
    Taken(#[from] Taken),
    /// A row could not be written or read.
    #[error("{what}: {source}; run it again, it goes on where it was")]
    Store {
        /// Of which table.
        what: &'static str,
        /// Why.
        source: StoreError,
    },
    /// A bug, as the names are ours.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What one table came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// The table or topic.
    pub name: String,
    /// Rows there.
    pub source: u64,
    /// Rows here.
    pub target: u64,
    /// Whether they are the same.
    pub same: bool,
}

/// Says how far it is.
pub type Say<'s> = &'s (dyn Fn(String) + Sync);

/// Both sides, opened.
pub struct Copy {
    source: sqlite::Store,
    target: scylla::Store,
    kafka: Kafka,
    secrets: Secrets,
    /// For the marks: where the target is.
    to: String,
}

fn of(what: &'static str) -> impl Fn(StoreError) -> Error {
    move |source| Error::Store { what, source }
}

impl Copy {
    /// Opens the source, which no service may have, and the target, whose tables must be there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn open(config: &Config, from: Option<PathBuf>) -> Result<Self, Error> {
        if config.storage.store != StoreKind::Scylla || config.storage.events != Events::Kafka {
            return Err(Error::Target);
        }
        let path = from.unwrap_or_else(|| config.storage.database());
        let source = open_source(&path)?;
        let written = source.written_with().await.map_err(of("identity"))?;
        if written == WrittenWith::Nothing {
            return Err(Error::Empty(path));
        }
        let secrets = Secrets::for_database(&config.storage.data_dir, &written)?;
        let registry = Registry::new();
        let target = scylla::Store::open(&config.scylla, scylla::Metrics::new(&registry)?).await?;
        let (ledger, metrics) = (Arc::new(target.clone()), kafka::Metrics::new(&registry)?);
        let kafka = Kafka::start(&config.kafka, &TOPICS, ledger, Arc::new(SystemClock), metrics)?;
        if tokio::time::timeout(BROKERS, kafka.connected()).await.is_err() {
            return Err(Error::Brokers(config.kafka.brokers.join(", ")));
        }
        Ok(Self {
            source,
            target,
            kafka,
            secrets,
            to: format!(
                "keyspace {} and topics {}*",
                config.scylla.keyspace, config.kafka.prefix
            ),
        })
    }

    /// Copies what is not copied yet, compares all of it, and hands the service over.
    ///
    /// # Errors
    /// [`Error`]. What differs is no error: the lines say it, and nothing is handed over.
    pub async fn run(&self, say: Say<'_>) -> Result<Vec<Line>, Error> {
        let log = Log::new(&self.source, &self.kafka);
        if refuse_source(&self.source).await.map_err(of("identity"))?.is_ok() {
            marks::refuse_taken(&self.target).await?;
            log.refuse_others().await?;
        }
        let stage = marks::begin(&self.source, &self.target, &self.to).await?;
        if stage != Stage::Ready {
            for table in &TABLES {
                self.table(table, say).await?;
            }
            lists::copy(&self.source, &self.target).await?;
            log.copy(say).await?;
            let fingerprint = self.secrets.fingerprint().to_vec();
            let noted = self.target.note_key(&fingerprint).await.map_err(of("identity"))?;
            if noted != WrittenWith::Key(fingerprint) {
                return Err(Taken::Foreign.into());
            }
        }
        let lines = self.verify(say).await?;
        if lines.iter().all(|line| line.same) {
            marks::finish(&self.source, &self.target).await?;
        } else if stage != Stage::Ready {
            marks::from_the_beginning(&self.source).await?;
        }
        Ok(lines)
    }

    /// Compares without writing anything.
    ///
    /// # Errors
    /// [`Error`], also where nothing was begun.
    pub async fn verify_only(&self, say: Say<'_>) -> Result<Vec<Line>, Error> {
        marks::begun(&self.source, &self.target).await?;
        self.verify(say).await
    }

    async fn verify(&self, say: Say<'_>) -> Result<Vec<Line>, Error> {
        say("comparing".to_owned());
        let mut lines = Vec::new();
        for table in &TABLES {
            lines.extend(verify::table(&self.source, &self.target, table).await?);
        }
        lines.push(lists::verify(&self.source, &self.target).await?);
        lines.extend(Log::new(&self.source, &self.kafka).verify().await?);
        Ok(lines)
    }

    async fn table(&self, table: &Table, say: Say<'_>) -> Result<(), Error> {
        if table.put == Put::Beside {
            return Ok(());
        }
        let failed = of(table.name);
        let mut after = marks::place(&self.source, table.name).await?;
        let (mut copied, mut said) = (0, Instant::now());
        loop {
            let page = self
                .source
                .page(table.source, after, PAGE)
                .await
                .map_err(&failed)?;
            let Some(last) = page.last().cloned() else { break };
            copied += page.len();
            match table.put {
                Put::Outbox => self.outboxes(page).await.map_err(&failed)?,
                how => self.rows(how, page).await.map_err(&failed)?,
            }
            marks::put_place(&self.source, table.name, &last[..table.source.key]).await?;
            after = Some(last);
            if said.elapsed() >= PROGRESS {
                say(format!("{}: {copied} rows so far", table.name));
                said = Instant::now();
            }
        }
        say(format!("{}: {copied} rows", table.name));
        Ok(())
    }

    async fn rows(&self, how: Put, rows: Vec<Row>) -> Result<(), StoreError> {
        let one = |row: Row| insist(move || put::put(&self.target, how, row.clone()));
        stream::iter(rows)
            .map(one)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Rows of one entity one batch after the other: each is a conditional write to the same partition.
    async fn outboxes(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let of_one: Vec<Vec<Row>> = rows
            .chunk_by(|a, b| a[..2] == b[..2])
            .map(<[Row]>::to_vec)
            .collect();
        let one = |rows: Vec<Row>| self.outbox(rows);
        stream::iter(of_one)
            .map(one)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn outbox(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let Some(first) = rows.first() else { return Ok(()) };
        let id: EntityId = put::Cells(first.clone().into_iter()).entity()?;
        let entity = self.source.read(&id).await?;
        let entity = entity.ok_or_else(|| StoreError::Corrupt("an outbox has no entity".to_owned()))?;
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(put::together(rest, TOGETHER, TOGETHER_BYTES));
            insist(|| put::outbox(&self.target, &id, &entity, batch)).await?;
            rest = behind;
        }
        Ok(())
    }
}

/// Gives a copy up that was begun, or moves a service back to its file as it was then.
///
/// # Errors
/// [`Error`].
pub async fn give_up(config: &Config, from: Option<PathBuf>) -> Result<(), Error> {
    let source = open_source(&from.unwrap_or_else(|| config.storage.database()))?;
    source.forget(marks::PREFIX).await.map_err(of("identity"))
}

fn open_source(path: &std::path::Path) -> Result<sqlite::Store, Error> {
    if !path.exists() {
        return Err(Error::Empty(path.to_owned()));
    }
    let metrics = sqlite::Metrics::new(&Registry::new())?;
    Ok(sqlite::Store::open(path, &sqlite::Options::default(), metrics)?)
}
