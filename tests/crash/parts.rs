//! What a run's service is over: one file, or a keyspace and topics of real clusters.

use std::path::Path;

use anyhow::Result;
use mitalk_actors::events::{INVITES, NOTICES};
use mitalk_tests::stores::{Clusters, Fresh, Look};
use rusqlite::{Connection, OpenFlags, params};

/// The database of a service over a file, in its directory.
const DATABASE: &str = "data/mitalk.db";

/// See the module.
pub(crate) enum Parts {
    /// The embedded store, with the event log in it.
    File,
    /// A CQL cluster and Kafka.
    Clusters(Box<(Fresh, Look)>),
}

impl Parts {
    /// A keyspace and topics of their own.
    pub(crate) async fn of(clusters: &Clusters) -> Result<Self> {
        let fresh = Box::pin(clusters.fresh()).await?;
        let look = Box::pin(fresh.look()).await?;
        Ok(Self::Clusters(Box::new((fresh, look))))
    }

    /// What the service is told, as `key=value`.
    pub(crate) fn settings(&self) -> Vec<String> {
        match self {
            Self::File => vec![],
            Self::Clusters(both) => both.0.settings(),
        }
    }

    /// Appends an event that nobody can read to every topic that is consumed, so that there is a dead letter.
    pub(crate) async fn poison(&self, home: &Path, nth: u64) -> Result<()> {
        match self {
            Self::File => poison_file(home),
            Self::Clusters(both) => {
                for topic in [NOTICES, INVITES] {
                    both.1.poison(topic, nth).await?;
                }
                Ok(())
            }
        }
    }

    /// What is still to be delivered or dealt with, if anything.
    pub(crate) async fn owed(&self, home: &Path) -> Result<Option<String>> {
        let (outbox, behind) = match self {
            Self::File => owed_by_file(home)?,
            Self::Clusters(both) => match both.1.outbox_rows().await? {
                // The topics are only read once everything is in them.
                0 => (0, both.1.not_dealt_with().await?),
                outbox => (outbox, 0),
            },
        };
        Ok((outbox + behind > 0).then(|| format!("{outbox} outbox rows, {behind} consumers behind")))
    }

    /// Events that are in their topics more than once.
    pub(crate) async fn repeats(&self, home: &Path) -> Result<usize> {
        match self {
            Self::File => {
                let events = "SELECT count(*) FROM event";
                let once = "SELECT count(*) FROM (SELECT DISTINCT topic, kind, key, sequence FROM event)";
                let database = read(home)?;
                let count = |sql| database.query_row(sql, [], |row| row.get::<_, u32>(0));
                Ok((count(events)? - count(once)?) as usize)
            }
            Self::Clusters(both) => both.1.repeats().await,
        }
    }

    /// Clears up what others would have to live with.
    pub(crate) async fn remove(self) -> Result<()> {
        match self {
            Self::File => Ok(()),
            Self::Clusters(both) => both.0.remove().await,
        }
    }
}

fn read(home: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(home.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Rows of outboxes, and consumers that are not at the end.
fn owed_by_file(home: &Path) -> rusqlite::Result<(usize, usize)> {
    let database = read(home)?;
    let count = |sql| database.query_row(sql, [], |row| Ok(row.get::<_, u32>(0)? as usize));
    let outbox = count("SELECT count(*) FROM outbox")?;
    let behind = count(
        "SELECT count(*) FROM consumer JOIN topic ON topic.name = consumer.topic
         WHERE consumer.position < topic.next - 1",
    )?;
    Ok((outbox, behind))
}

fn poison_file(home: &Path) -> Result<()> {
    let mut database = Connection::open(home.join(DATABASE))?;
    let all = database.transaction()?;
    for topic in [NOTICES, INVITES] {
        let next: i64 = all.query_row(
            "INSERT INTO topic (name, next) VALUES (?1, 2) ON CONFLICT DO UPDATE SET next = next + 1
             RETURNING next",
            [topic],
            |row| row.get(0),
        )?;
        all.execute(
            "INSERT INTO event (topic, position, kind, key, sequence, at, payload, trace)
             VALUES (?1, ?2, 'user', 'poison', ?2, 0, x'c1', '')",
            params![topic, next - 1],
        )?;
    }
    Ok(all.commit()?)
}
