//! Calls to the cluster: bounded, measured, and with their outcomes told apart.

use std::sync::Arc;
use std::time::Instant;

use futures::TryStreamExt;
use mitalk_cluster::store::StoreError;
use scylla::client::session::Session;
use scylla::errors::{ExecutionError, PrepareError};
use scylla::policies::retry::DefaultRetryPolicy;
use scylla::response::query_result::QueryResult;
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;

use super::bind::Values;
use super::config::Config;
use super::connect::qualified;
use super::fault::{self, corrupt};
use super::metrics::{Counted, Metrics};
use super::places::{Places, Rank};
use super::read::Stored;

/// Rows per page of a read that has no limit of its own.
const PAGE_ROWS: i32 = 1_000;

/// The session and what bounds its use, for calls of one rank. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    inner: Arc<Inner>,
    rank: Rank,
}

struct Inner {
    session: Session,
    places: Places,
    config: Config,
    metrics: Metrics,
}

/// How a statement is asked, and what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Conditional,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Conditional => "conditional",
        }
    }

    fn fault(self, error: &ExecutionError) -> StoreError {
        match self {
            Self::Read => fault::of_read(error),
            Self::Write | Self::Conditional => fault::of_write(error),
        }
    }
}

impl Client {
    pub(super) fn new(session: Session, config: &Config, metrics: Metrics) -> Self {
        let inner = Inner {
            session,
            places: Places::new(config.in_flight, metrics.clone()),
            config: config.clone(),
            metrics,
        };
        Self {
            inner: Arc::new(inner),
            rank: Rank::Work,
        }
    }

    /// The same, for calls of another rank.
    pub(super) fn ranked(&self, rank: Rank) -> Self {
        Self {
            inner: self.inner.clone(),
            rank,
        }
    }

    /// A read at LOCAL_QUORUM. Reads may be asked again, of another node.
    pub(super) async fn prepare_read(&self, text: &str) -> Result<PreparedStatement, PrepareError> {
        let config = &self.inner.config;
        let mut text = qualified(config, text);
        if config.using_timeout {
            text.push_str(&format!(" USING TIMEOUT {}ms", config.request_timeout_ms));
        }
        let mut statement = Statement::new(text);
        statement.set_is_idempotent(true);
        statement.set_retry_policy(Some(Arc::new(DefaultRetryPolicy::new())));
        statement.set_page_size(PAGE_ROWS);
        Box::pin(self.inner.session.prepare(statement)).await
    }

    /// A read at LOCAL_SERIAL: it finishes conditional writes that were left half done.
    pub(super) async fn prepare_serial(&self, text: &str) -> Result<PreparedStatement, PrepareError> {
        let mut statement = self.prepare_read(text).await?;
        statement.set_consistency(Consistency::LocalSerial);
        Ok(statement)
    }

    /// A write, conditional or not. Never repeated by the driver.
    pub(super) async fn prepare_write(&self, text: &str) -> Result<PreparedStatement, PrepareError> {
        let text = qualified(&self.inner.config, text);
        Box::pin(self.inner.session.prepare(text)).await
    }

    /// All rows of a read that has a limit, or is known to be small: one page.
    pub(super) async fn rows<R: Stored>(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> Result<Vec<R>, StoreError> {
        let call = self.execute(statement, values);
        decode(self.call(Kind::Read, call).await?)
    }

    /// The first row.
    pub(super) async fn first<R: Stored>(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> Result<Option<R>, StoreError> {
        Ok(self.rows(statement, values).await?.into_iter().next())
    }

    /// All rows, page by page.
    pub(super) async fn all<R: Stored>(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> Result<Vec<R>, StoreError> {
        let read = async {
            let pager = Box::pin(self.inner.session.execute_iter(statement.clone(), values));
            let rows = pager.await.map_err(unread)?.rows_stream::<R>().map_err(corrupt)?;
            rows.try_collect().await.map_err(unread)
        };
        self.measured(Kind::Read, read).await
    }

    /// A plain write.
    pub(super) async fn write(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> Result<(), StoreError> {
        let call = self.execute(statement, values);
        self.call(Kind::Write, call).await?;
        Ok(())
    }

    /// Plain writes to one partition by one statement, together or not at all.
    pub(super) async fn write_together(
        &self,
        statement: &PreparedStatement,
        rows: Vec<Values>,
    ) -> Result<(), StoreError> {
        let (batch, values) = batch(rows.into_iter().map(|row| (statement, row)).collect());
        self.call(Kind::Write, Box::pin(self.inner.session.batch(&batch, values)))
            .await?;
        Ok(())
    }

    /// A conditional write; whether it was applied.
    pub(super) async fn conditional(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> Result<bool, StoreError> {
        let call = self.execute(statement, values);
        applied(self.call(Kind::Conditional, call).await?)
    }

    /// Writes to one partition of which one or more are conditional; whether they were applied, all of them.
    pub(super) async fn conditional_together(
        &self,
        writes: Vec<(&PreparedStatement, Values)>,
    ) -> Result<bool, StoreError> {
        let (batch, values) = batch(writes);
        let call = Box::pin(self.inner.session.batch(&batch, values));
        applied(self.call(Kind::Conditional, call).await?)
    }

    /// The driver's futures are some 20 KiB: they are not to lie in those of everybody who waits for them.
    fn execute(
        &self,
        statement: &PreparedStatement,
        values: Values,
    ) -> impl Future<Output = Result<QueryResult, ExecutionError>> {
        Box::pin(self.inner.session.execute_unpaged(statement, values))
    }

    async fn call(
        &self,
        kind: Kind,
        call: impl Future<Output = Result<QueryResult, ExecutionError>>,
    ) -> Result<QueryResult, StoreError> {
        self.measured(kind, async { call.await.map_err(|error| kind.fault(&error)) })
            .await
    }

    /// Waits for a place, which is refused if too many wait already, and counts what becomes of the call.
    async fn measured<T>(
        &self,
        kind: Kind,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let metrics = &self.inner.metrics;
        let _place = self.inner.places.take(self.rank).await?;
        let _counted = Counted::new(&metrics.in_flight);
        let started = Instant::now();
        let answer = call.await;
        metrics
            .seconds
            .with_label_values(&[kind.label()])
            .observe(started.elapsed().as_secs_f64());
        if let Err(error) = &answer {
            let outcome = match error {
                StoreError::Unknown(_) => "unknown",
                StoreError::Corrupt(_) => "corrupt",
                StoreError::Unavailable(_) | StoreError::Full(_) => "unavailable",
                StoreError::Rejected(_) => "rejected",
            };
            metrics.failures.with_label_values(&[kind.label(), outcome]).inc();
        }
        answer
    }
}

/// One partition needs no log: the batch is atomic by itself.
fn batch(writes: Vec<(&PreparedStatement, Values)>) -> (Batch, Vec<Values>) {
    let mut batch = Batch::new(BatchType::Unlogged);
    let mut values = Vec::with_capacity(writes.len());
    for (statement, bound) in writes {
        batch.append_statement(statement.clone());
        values.push(bound);
    }
    (batch, values)
}

/// A page that did not come.
fn unread(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn decode<R: Stored>(result: QueryResult) -> Result<Vec<R>, StoreError> {
    let rows = result.into_rows_result().map_err(corrupt)?;
    let decoded: Result<Vec<R>, _> = rows.rows::<R>().map_err(corrupt)?.collect();
    decoded.map_err(corrupt)
}

/// Servers differ in what else they send with the outcome, and how many rows of it: the first one has it by name. The write
/// was carried out, so an answer that cannot be read leaves its outcome open.
pub(super) fn applied(result: QueryResult) -> Result<bool, StoreError> {
    let rows = result.into_rows_result().map_err(fault::unread_outcome)?;
    let (column, _) = rows
        .column_specs()
        .get_by_name("[applied]")
        .ok_or_else(|| fault::unread_outcome("there is none"))?;
    let row: scylla::value::Row = rows.first_row().map_err(fault::unread_outcome)?;
    let outcome = row.columns.into_iter().nth(column).flatten();
    outcome
        .and_then(|value| value.as_boolean())
        .ok_or_else(|| fault::unread_outcome("it is no boolean"))
}
