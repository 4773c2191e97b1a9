//! What the parts do by themselves, without the service.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mitalk_tests::stores::Fresh;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rusqlite::{Connection, params};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::Row;

use mitalk_tests::measure::{Measured, Table, times};

/// A small room's state.
const STATE: [u8; 2_048] = [0x2a; 2_048];
/// Entities that commit at the same moment on a busy node.
const WRITERS: usize = 32;
const KIND: &str = "bench";
/// Of an outbox row or event.
const PAYLOAD: usize = 200;

/// The parts.
pub(crate) enum Raw {
    /// A database file of its own.
    File(PathBuf),
    /// The keyspace and topics that the service has afterwards.
    Clusters(Box<Fresh>),
}

/// What the service is compared with.
pub(crate) struct Bare {
    /// Conditional writes of one row, one after the other: what one write per command would be.
    pub(crate) one_row: Measured,
    /// One row by its key.
    pub(crate) read: Measured,
}

impl Raw {
    pub(crate) async fn measure(&self, table: &mut Table) -> Result<Bare> {
        match self {
            Self::File(path) => file(path, table).await,
            Self::Clusters(fresh) => {
                let bare = Box::pin(cql(fresh, table)).await?;
                produce(fresh, table).await?;
                Ok(bare)
            }
        }
    }
}

/// Each write is a transaction of its own, with its own `fsync`, as SQLite does it.
async fn file(path: &PathBuf, table: &mut Table) -> Result<Bare> {
    let database = Connection::open(path)?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE row (key TEXT PRIMARY KEY, write_id INTEGER, state BLOB);
         CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, payload BLOB)",
    )?;
    database.execute("INSERT INTO row VALUES ('one', 0, ?1)", [STATE])?;
    let database = Mutex::new(database);
    let write = async |n: usize| {
        let mut database = database.lock().expect("one after the other");
        let n = i64::try_from(n)?;
        let both = database.transaction()?;
        let update = "UPDATE row SET write_id = ?1, state = ?2 WHERE key = 'one' AND write_id = ?3";
        let changed = both.prepare_cached(update)?.execute(params![n + 1, STATE, n])?;
        ensure!(changed == 1, "the condition holds");
        both.prepare_cached("INSERT INTO outbox (payload) VALUES (?1)")?
            .execute([&STATE[..PAYLOAD]])?;
        both.commit()?;
        Ok(None)
    };
    let one_row = table
        .row("bare conditional write, one row", times(2_000), 1, write)
        .await?;
    let read = async |_: usize| {
        let database = database.lock().expect("one after the other");
        let mut select = database.prepare_cached("SELECT state FROM row WHERE key = 'one'")?;
        let state: Vec<u8> = select.query_row([], |row| row.get(0))?;
        ensure!(state.len() == STATE.len(), "it is there");
        Ok(None)
    };
    let read = table.row("bare read", times(20_000), 1, read).await?;
    Ok(Bare { one_row, read })
}

/// The conditional batch of a commit: the row, and a row of its outbox.
struct Batches {
    session: Session,
    batch: Batch,
}

impl Batches {
    async fn prepare(fresh: &Fresh) -> Result<Self> {
        let session = SessionBuilder::new()
            .known_nodes(&fresh.cql().nodes)
            .use_keyspace(&fresh.cql().keyspace, true);
        let session = session.build().await?;
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_consistency(Consistency::LocalQuorum);
        batch.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        let update = "UPDATE entity SET write_id = ?, state = ? WHERE kind = ? AND key = ? AND seq = 0 IF write_id = ?";
        let insert = "INSERT INTO entity (kind, key, seq, payload) VALUES (?, ?, ?, ?)";
        for statement in [update, insert] {
            batch.append_statement(session.prepare(statement).await?);
        }
        Ok(Self { session, batch })
    }

    /// The `n`th write of a row, whose write ids count.
    async fn write(&self, row: usize, n: usize) -> Result<Option<Duration>> {
        let id = |n: usize| (n > 0).then(|| n.to_be_bytes().to_vec());
        let key = row.to_string();
        let update = (id(n + 1), &STATE[..], KIND, &key, id(n));
        let insert = (KIND, &key, i64::try_from(n)? + 1, &STATE[..PAYLOAD]);
        let result = self.session.batch(&self.batch, (update, insert)).await?;
        let row: Row = result.into_rows_result()?.first_row()?;
        let applied = row
            .columns
            .first()
            .and_then(|column| column.as_ref()?.as_boolean());
        ensure!(applied == Some(true), "the condition holds");
        Ok(None)
    }
}

async fn cql(fresh: &Fresh, table: &mut Table) -> Result<Bare> {
    let batches = &Batches::prepare(fresh).await?;
    let one = async |n: usize| batches.write(0, n).await;
    let one_row = table
        .row("bare conditional batch, one row", times(1_000), 1, one)
        .await?;
    let many = async |n: usize| batches.write(n + 1, 0).await;
    table
        .row("bare conditional batch, a row each", times(4_000), WRITERS, many)
        .await?;
    let mut select: PreparedStatement = batches
        .session
        .prepare("SELECT state FROM entity WHERE kind = ? AND key = ? AND seq = 0")
        .await?;
    select.set_consistency(Consistency::LocalQuorum);
    let read = async |_: usize| {
        let found = batches.session.execute_unpaged(&select, (KIND, "0")).await?;
        let (state,) = found.into_rows_result()?.first_row::<(Vec<u8>,)>()?;
        ensure!(state.len() == STATE.len(), "it is there");
        Ok(None)
    };
    let alone = table.row("bare read", times(5_000), 1, read).await?;
    table.row("bare read", times(20_000), WRITERS, read).await?;
    Ok(Bare { one_row, read: alone })
}

async fn produce(fresh: &Fresh, table: &mut Table) -> Result<()> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", fresh.topics().brokers.join(","))
        .set("enable.idempotence", "true");
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let name = fresh.topic("bench");
    let copies = fresh.topics().replication.try_into()?;
    let topic = NewTopic::new(&name, 2, TopicReplication::Fixed(copies));
    for made in admin.create_topics([&topic], &AdminOptions::new()).await? {
        made.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    let producer: FutureProducer = config.create()?;
    let send = async |n: usize| {
        let key = (n % WRITERS).to_string();
        let record = FutureRecord::to(&name).key(&key).payload(&STATE[..PAYLOAD]);
        let sent = producer.send(record, Duration::from_secs(10)).await;
        sent.map_err(|(error, _)| error).context("produce")?;
        Ok(None)
    };
    table.row("bare produce", times(1_000), 1, send).await?;
    table.row("bare produce", times(20_000), WRITERS, send).await?;
    Ok(())
}
