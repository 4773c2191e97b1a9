//! The schema and its numbered migrations.
//!
//! The numbers of the applied ones are rows of `schema_migration`. A released migration never changes; a change of the
//! schema is a new one. Each statement may be repeated (`IF NOT EXISTS`), so a process that dies in the middle of a
//! migration leaves it to the next one to finish.
//!
//! Two processes that migrate at once must not both change the schema: servers that spread schema changes by gossip may
//! then make the same table twice, with different ids, and lose rows. So one row is a lock with a time to live, taken and
//! renewed by compare-and-set. The lock's own table cannot be made under it: until it is there all changes go to the lowest
//! of all nodes that the cluster has, for which a process waits, so that two of them cannot choose differently.
//!
//! The driver's futures are some 20 KiB, so they are boxed.

use std::sync::Arc;
use std::time::Duration;

use scylla::DeserializeRow;
use scylla::client::session::Session;
use scylla::cluster::{ClusterState, Node};
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use tokio::time::Instant;

use super::config::Config;
use super::connect::{self, OpenError, qualified};

struct Migration {
    number: i32,
    name: &'static str,
    cql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "first",
    cql: include_str!("migrations/0001_first.cql"),
}];

/// The schema that this version reads and writes.
pub const SCHEMA: i32 = MIGRATIONS[MIGRATIONS.len() - 1].number;

/// One change of the schema: three nodes take up to a second for one.
const CHANGE: Duration = Duration::from_secs(30);
/// A lock that nobody renews is free after that time; it is renewed before each change.
const LOCK_S: u32 = 90;
/// How long to wait for another process that migrates.
const LOCK_WAIT: Duration = Duration::from_secs(300);
const LOCK_LOOK: Duration = Duration::from_millis(500);
/// How long to wait for nodes that are not connected before there is a lock.
const ALL_UP: Duration = Duration::from_secs(30);

/// Tables that there are before any migration, and how each is made.
const BOOKS: [(&str, &str); 2] = [
    (
        "schema_migration",
        "CREATE TABLE IF NOT EXISTS @schema_migration (only int, number int, name text, PRIMARY KEY ((only), number))",
    ),
    (
        "schema_lock",
        "CREATE TABLE IF NOT EXISTS @schema_lock (only int PRIMARY KEY, owner text)",
    ),
];

/// A migration that is not applied yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its number; 0 makes the keyspace.
    pub number: i32,
    /// Its name.
    pub name: &'static str,
    /// What it does, one statement each.
    pub statements: Vec<String>,
}

/// What [`migrate`] would do now.
///
/// # Errors
/// See [`OpenError`]: not reachable, a newer schema.
pub async fn plan(config: &Config) -> Result<Vec<Planned>, OpenError> {
    let session = connect::session_for_changes(config, CHANGE).await?;
    missing(config, &session).await
}

/// Makes the keyspace if it is missing, and applies what is not applied yet; gives what it did. Safe to run from several
/// processes at once: one works, the others wait and find it done.
///
/// # Errors
/// See [`OpenError`]: not reachable, a newer schema, somebody else's lock that does not end.
pub async fn migrate(config: &Config) -> Result<Vec<Planned>, OpenError> {
    let session = connect::session_for_changes(config, CHANGE).await?;
    let planned = missing(config, &session).await?;
    if planned.is_empty() {
        return Ok(planned);
    }
    let first = planned.first().filter(|planned| planned.number == 0).cloned();
    for statement in first.iter().flat_map(|planned| &planned.statements) {
        change(config, &session, lowest(config, &session).await?, statement).await?;
    }
    for (table, statement) in BOOKS {
        if !has_table(config, &session, table).await? {
            let statement = qualified(config, statement);
            change(config, &session, lowest(config, &session).await?, &statement).await?;
        }
    }
    let lock = Lock::take(config, &session).await?;
    let applied = apply(config, &session, &lock).await;
    lock.release().await;
    Ok(first.into_iter().chain(applied?).collect())
}

/// That the keyspace is there and at the schema of this release.
pub(super) async fn check(config: &Config, session: &Session) -> Result<(), OpenError> {
    if !has_keyspace(config, session).await? {
        return Err(OpenError::NoKeyspace(config.keyspace.clone()));
    }
    match found(config, session).await? {
        SCHEMA => Ok(()),
        found if found > SCHEMA => Err(OpenError::Newer { found, known: SCHEMA }),
        found => Err(OpenError::Older { found, known: SCHEMA }),
    }
}

/// Under the lock: what is still missing now.
async fn apply(config: &Config, session: &Session, lock: &Lock<'_>) -> Result<Vec<Planned>, OpenError> {
    let planned = missing(config, session).await?;
    for migration in &planned {
        for statement in &migration.statements {
            lock.renew().await?;
            change(config, session, connected(config, session)?, statement).await?;
        }
        let note = "INSERT INTO @schema_migration (only, number, name) VALUES (0, ?, ?) IF NOT EXISTS";
        let values = (migration.number, migration.name);
        Box::pin(session.query_unpaged(qualified(config, note), values)).await?;
        tracing::info!(
            number = migration.number,
            name = migration.name,
            "migration applied"
        );
    }
    Ok(planned)
}

async fn missing(config: &Config, session: &Session) -> Result<Vec<Planned>, OpenError> {
    if !exists(
        session,
        "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?",
        &[&config.keyspace],
    )
    .await?
    {
        let keyspace = Planned {
            number: 0,
            name: "keyspace",
            statements: vec![create_keyspace(config)],
        };
        return Ok([vec![keyspace], after(config, 0)].concat());
    }
    let found = found(config, session).await?;
    if found > SCHEMA {
        return Err(OpenError::Newer { found, known: SCHEMA });
    }
    Ok(after(config, found))
}

/// The migrations behind `found`.
fn after(config: &Config, found: i32) -> Vec<Planned> {
    let missing = MIGRATIONS.iter().filter(|migration| migration.number > found);
    missing
        .map(|migration| Planned {
            number: migration.number,
            name: migration.name,
            statements: statements(&qualified(config, migration.cql)),
        })
        .collect()
}

/// The number of the last migration that was applied; 0 if none was.
async fn found(config: &Config, session: &Session) -> Result<i32, OpenError> {
    #[derive(DeserializeRow)]
    struct Applied {
        number: i32,
    }
    if !has_table(config, session, "schema_migration").await? {
        return Ok(0);
    }
    let numbers = qualified(config, "SELECT number FROM @schema_migration WHERE only = 0");
    let mut read = Statement::new(numbers);
    read.set_consistency(Consistency::LocalSerial);
    let rows = Box::pin(session.query_unpaged(read, ()))
        .await?
        .into_rows_result()
        .map_err(refused)?;
    let numbers = rows.rows::<Applied>().map_err(refused)?;
    let numbers: Result<Vec<i32>, _> = numbers.map(|row| row.map(|row| row.number)).collect();
    Ok(numbers.map_err(refused)?.into_iter().max().unwrap_or(0))
}

fn create_keyspace(config: &Config) -> String {
    let tablets = match config.tablets {
        None => String::new(),
        Some(enabled) => format!(" AND tablets = {{'enabled': {enabled}}}"),
    };
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{'class': 'NetworkTopologyStrategy', '{}': {}}}{tablets}",
        config.keyspace, config.datacenter, config.replication_factor
    )
}

/// The statements of a migration's text, without its comments.
fn statements(cql: &str) -> Vec<String> {
    let lines = cql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let statements = text
        .split(';')
        .map(str::trim)
        .filter(|statement| !statement.is_empty());
    statements.map(str::to_owned).collect()
}

async fn has_keyspace(config: &Config, session: &Session) -> Result<bool, OpenError> {
    let keyspace = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    exists(session, keyspace, &[&config.keyspace]).await
}

async fn has_table(config: &Config, session: &Session, table: &str) -> Result<bool, OpenError> {
    let tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    exists(session, tables, &[&config.keyspace, table]).await
}

/// What a node knows of the schema.
async fn exists(session: &Session, query: &str, values: &[&str]) -> Result<bool, OpenError> {
    let mut query = Statement::new(query);
    query.set_consistency(Consistency::LocalOne);
    let rows = Box::pin(session.query_unpaged(query, values))
        .await?
        .into_rows_result()
        .map_err(refused)?;
    Ok(rows.rows_num() > 0)
}

/// The node that makes what comes before the lock: the lowest of the datacenter, once all of them are connected. Whoever sees
/// some of them only could choose another one.
async fn lowest(config: &Config, session: &Session) -> Result<Arc<Node>, OpenError> {
    let until = Instant::now() + ALL_UP;
    loop {
        let state = session.get_cluster_state();
        let nodes: Vec<_> = here(config, &state).collect();
        let away = nodes.iter().find(|node| !node.is_connected());
        match (nodes.iter().min_by_key(|node| node.host_id), away) {
            (Some(lowest), None) => return Ok(Arc::clone(lowest)),
            (None, _) => return Err(no_node(config)),
            (Some(_), Some(away)) if Instant::now() > until => {
                return Err(OpenError::Refused(format!(
                    "node {} is not reachable, and the keyspace is made with all nodes up: start it, or remove it from \
                     the cluster",
                    away.address
                )));
            }
            (Some(_), Some(_)) => tokio::time::sleep(LOCK_LOOK).await,
        }
    }
}

/// A node for changes under the lock: they need no other one.
fn connected(config: &Config, session: &Session) -> Result<Arc<Node>, OpenError> {
    let state = session.get_cluster_state();
    let up = here(config, &state).filter(|node| node.is_connected());
    let lowest = up.min_by_key(|node| node.host_id).cloned();
    lowest.ok_or_else(|| no_node(config))
}

fn here<'s>(config: &'s Config, state: &'s ClusterState) -> impl Iterator<Item = &'s Arc<Node>> {
    let nodes = state.get_nodes_info().iter();
    nodes.filter(|node| node.datacenter.as_deref() == Some(config.datacenter.as_str()))
}

fn no_node(config: &Config) -> OpenError {
    OpenError::Refused(format!(
        "no node of datacenter {} is up: see scylla.datacenter",
        config.datacenter
    ))
}

/// One change of the schema, by that node; all nodes know it afterwards.
async fn change(
    config: &Config,
    session: &Session,
    node: Arc<Node>,
    statement: &str,
) -> Result<(), OpenError> {
    let target = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::Node(node), None);
    let profile = connect::profile(config, target)
        .to_builder()
        .request_timeout(Some(CHANGE))
        .build();
    let mut statement = Statement::new(statement);
    statement.set_execution_profile_handle(Some(profile.into_handle()));
    Box::pin(session.query_unpaged(statement, ())).await?;
    session.await_schema_agreement().await.map_err(refused)?;
    Ok(())
}

fn refused(error: impl std::fmt::Display) -> OpenError {
    OpenError::Refused(error.to_string())
}

/// The right to change the schema.
struct Lock<'s> {
    config: &'s Config,
    session: &'s Session,
    owner: Arc<str>,
}

impl<'s> Lock<'s> {
    async fn take(config: &'s Config, session: &'s Session) -> Result<Self, OpenError> {
        let owner: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        let lock = Self {
            config,
            session,
            owner,
        };
        let take =
            format!("INSERT INTO @schema_lock (only, owner) VALUES (0, ?) IF NOT EXISTS USING TTL {LOCK_S}");
        let until = Instant::now() + LOCK_WAIT;
        loop {
            // An outcome that stays unknown looks like somebody else's lock for its time to live: no harm but the wait.
            match lock.applied(&take, 1).await {
                Ok(true) => return Ok(lock),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the lock on the schema is asked for again"),
            }
            if Instant::now() > until {
                return Err(OpenError::Locked(LOCK_WAIT));
            }
            tokio::time::sleep(LOCK_LOOK).await;
        }
    }

    /// For another [`LOCK_S`].
    async fn renew(&self) -> Result<(), OpenError> {
        let renew =
            format!("UPDATE @schema_lock USING TTL {LOCK_S} SET owner = ? WHERE only = 0 IF owner = ?");
        match self.applied(&renew, 2).await? {
            true => Ok(()),
            false => Err(OpenError::Refused(
                "another process took over the migration: run `mitalk migrate` again".to_owned(),
            )),
        }
    }

    async fn release(self) {
        let release = "DELETE FROM @schema_lock WHERE only = 0 IF owner = ?";
        if let Err(error) = self.applied(release, 1).await {
            tracing::warn!(%error, "the lock on the schema ends by itself");
        }
    }

    /// Whether a conditional statement was applied; its values are the owner, so many times.
    async fn applied(&self, statement: &str, owners: usize) -> Result<bool, OpenError> {
        let values = vec![&*self.owner; owners];
        let statement = qualified(self.config, statement);
        let result = Box::pin(self.session.query_unpaged(statement, values)).await?;
        super::call::applied(result).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps_and_every_statement_may_be_repeated() {
        let numbers: Vec<i32> = MIGRATIONS.iter().map(|migration| migration.number).collect();
        assert_eq!(numbers, (1..=SCHEMA).collect::<Vec<_>>());
        for planned in after(&Config::default(), 0) {
            assert!(!planned.statements.is_empty());
            for statement in planned.statements {
                assert!(statement.contains("IF NOT EXISTS mitalk."), "{statement}");
            }
        }
    }

    #[test]
    fn tablets_are_only_named_where_they_are_configured() {
        let config = Config::default();
        assert!(!create_keyspace(&config).contains("tablets"));
        let off = Config {
            tablets: Some(false),
            ..config
        };
        assert!(create_keyspace(&off).ends_with("AND tablets = {'enabled': false}"));
    }
}
