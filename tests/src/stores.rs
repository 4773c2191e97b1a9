//! A keyspace of a real CQL cluster and topics of a real Kafka that nobody else has, for a service over them; and what is in
//! them, for those who check it.
//!
//! `deploy/local/with-stores.sh` starts the clusters and names them by `MITALK_TEST_CQL` and `MITALK_TEST_KAFKA`.

use ::scylla::client::session::Session;
use ::scylla::client::session_builder::SessionBuilder;
use anyhow::{Context as _, Result};
use mitalk::config::Kafka as Topics;
use mitalk::events::kafka::{self, Kafka};
use mitalk::store::scylla::{self, Config, Store};
use mitalk_actors::events::{
    AUDIT, Audit, DEAD_LETTERS, INVITES, Invites, Message as _, NOTICES, Notices, TOPICS,
};
use mitalk_actors::notices::CONSUMED;
use mitalk_actors::ports::{EventSource as _, Ledger as _};
use mitalk_cluster::store::{Event, EventLog as _};
use mitalk_cluster::{EntityId, SystemClock, Timestamp, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::scan::{self, Cell};

/// Enough for members to share, few enough for a broker that serves many runs.
const PARTITIONS: u32 = 2;
/// More than any run sends to a topic.
const ALL_EVENTS: usize = 100_000;

/// As the audit calls it.
const ROOM_OPENED: &str = "room_opened";

/// Of this run's Kafka cluster, whoever started it.
///
/// # Panics
/// `KAFKA_NODES` is no number.
pub fn brokers() -> u32 {
    nodes("KAFKA_NODES")
}

/// Of this run's CQL cluster.
///
/// # Panics
/// `CASSANDRA_NODES` is no number.
pub fn cql_nodes() -> u32 {
    nodes("CASSANDRA_NODES")
}

fn nodes(name: &str) -> u32 {
    std::env::var(name).map_or(1, |nodes| nodes.parse().expect("a number of nodes"))
}

/// Where the clusters are, and of how many nodes.
#[derive(Clone, Debug)]
pub struct Clusters {
    cql: String,
    /// Of the CQL cluster.
    pub cql_nodes: u32,
    broker: String,
    /// Of the Kafka cluster.
    pub brokers: u32,
}

impl Clusters {
    /// Those of this run, if there are any.
    ///
    /// # Panics
    /// A number of nodes is none.
    pub fn found() -> Option<Self> {
        Some(Self {
            cql: std::env::var("MITALK_TEST_CQL").ok()?,
            cql_nodes: cql_nodes(),
            broker: std::env::var("MITALK_TEST_KAFKA").ok()?,
            brokers: brokers(),
        })
    }

    /// A keyspace and topics for one run.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn fresh(&self) -> Result<Fresh> {
        let name = format!("run_{:08x}", rand::random::<u32>());
        let cql = Config {
            nodes: vec![self.cql.clone()],
            keyspace: name.clone(),
            replication_factor: self.cql_nodes.min(3).try_into()?,
            ..Config::default()
        };
        Box::pin(scylla::migrate(&cql))
            .await
            .context("the keyspace is not made")?;
        let topics = Topics {
            brokers: vec![self.broker.clone()],
            prefix: format!("{name}."),
            partitions: PARTITIONS,
            replication: self.brokers,
            min_isr: self.brokers / 2 + 1,
            ..Topics::default()
        };
        Ok(Fresh { cql, topics })
    }
}

/// A keyspace and topics of one run.
#[derive(Clone, Debug)]
pub struct Fresh {
    cql: Config,
    topics: Topics,
}

impl Fresh {
    /// What tells a service to be over them, as `key=value`.
    pub fn settings(&self) -> Vec<String> {
        let (cql, topics) = (&self.cql, &self.topics);
        vec![
            "storage.store=\"scylla\"".to_owned(),
            format!("scylla.nodes={:?}", cql.nodes),
            format!("scylla.keyspace={:?}", cql.keyspace),
            "storage.events=\"kafka\"".to_owned(),
            format!("kafka.brokers={:?}", topics.brokers),
            format!("kafka.prefix={:?}", topics.prefix),
            format!("kafka.partitions={}", topics.partitions),
            format!("kafka.replication={}", topics.replication),
            format!("kafka.min_isr={}", topics.min_isr),
        ]
    }

    /// How the keyspace is reached.
    pub fn cql(&self) -> &Config {
        &self.cql
    }

    /// How the topics are reached.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// A topic's name at the brokers.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topics.prefix)
    }

    /// Looks into them, beside a service.
    ///
    /// # Errors
    /// A cluster does not answer.
    pub async fn look(&self) -> Result<Look> {
        let session = SessionBuilder::new()
            .known_nodes(&self.cql.nodes)
            .use_keyspace(&self.cql.keyspace, true);
        let session = session.build().await?;
        let registry = prometheus::Registry::new();
        let store = Store::open(&self.cql, scylla::Metrics::new(&registry)?).await?;
        let metrics = kafka::Metrics::new(&registry)?;
        let ledger = Arc::new(store.clone());
        let kafka = Kafka::start(&self.topics, &TOPICS, ledger, Arc::new(SystemClock), metrics)?;
        kafka.connected().await;
        Ok(Look {
            session,
            store,
            kafka,
        })
    }

    /// Everything that is in them.
    ///
    /// # Errors
    /// A cluster does not answer.
    pub async fn cells(&self) -> Result<Vec<Cell>> {
        // Topics first: of an event that is there, all that its entity owed before is in the tables, or still owed.
        let mut cells = vec![];
        let brokers = self.topics.brokers.join(",");
        let names = TOPICS
            .into_iter()
            .flat_map(|name| [name.to_owned(), format!("{name}{DEAD_LETTERS}")]);
        for name in names {
            let (brokers, topic) = (brokers.clone(), self.topic(&name));
            let read = move || scan::topics::cells(&brokers, &topic, &name);
            cells.extend(tokio::task::spawn_blocking(read).await??);
        }
        let session = SessionBuilder::new().known_nodes(&self.cql.nodes).build().await?;
        cells.extend(Box::pin(scan::cql::cells(&session, &self.cql.keyspace)).await?);
        Ok(cells)
    }

    /// Removes the keyspace; the topics stay until their cluster goes.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn remove(&self) -> Result<()> {
        let session = SessionBuilder::new().known_nodes(&self.cql.nodes).build().await?;
        let drop = format!("DROP KEYSPACE IF EXISTS {}", self.cql.keyspace);
        session.query_unpaged(drop, ()).await?;
        Ok(())
    }
}

/// What topics tell of, to be held against what was acknowledged.
#[derive(Debug, Default)]
pub struct Told {
    /// Invites that were created.
    pub invites: BTreeSet<String>,
    /// Rooms that were started.
    pub rooms: BTreeSet<String>,
    /// Rooms whose opening is in the audit.
    pub audited: BTreeSet<String>,
}

/// Handles to a keyspace and topics.
pub struct Look {
    session: Session,
    store: Store,
    kafka: Kafka,
}

impl Look {
    /// The store's ports.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Rows of outboxes that are not delivered.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn outbox_rows(&self) -> Result<usize> {
        let rows = self.session.query_unpaged("SELECT seq FROM entity", ()).await?;
        let rows = rows.into_rows_result()?;
        let sequences = rows.rows::<(i64,)>()?;
        // Row 0 is the entity itself.
        let mut count = 0;
        for sequence in sequences {
            count += usize::from(sequence?.0 > 0);
        }
        Ok(count)
    }

    /// Events that a group has not recorded as dealt with.
    ///
    /// # Errors
    /// A cluster does not answer.
    pub async fn not_dealt_with(&self) -> Result<usize> {
        let mut behind = 0;
        for (group, topic) in CONSUMED {
            let mut newest = BTreeMap::<EntityId, u64>::new();
            for event in self.events(topic).await? {
                let known = newest.entry(event.source).or_default();
                *known = event.sequence.max(*known);
            }
            let sources: Vec<EntityId> = newest.keys().cloned().collect();
            let recorded = self.store.recorded(group, topic, &sources).await?;
            behind += newest
                .values()
                .zip(recorded)
                .filter(|(sent, recorded)| *sent > recorded)
                .count();
        }
        Ok(behind)
    }

    /// Events that lie in their topics more than once.
    ///
    /// # Errors
    /// The brokers do not answer.
    pub async fn repeats(&self) -> Result<usize> {
        let mut repeats = 0;
        for topic in TOPICS {
            let events = self.events(topic).await?;
            let once: BTreeSet<String> = events.iter().map(Event::id).collect();
            repeats += events.len() - once.len();
        }
        Ok(repeats)
    }

    /// Events that lie behind a newer one of their entity without having been before it.
    ///
    /// # Errors
    /// The brokers do not answer.
    pub async fn out_of_order(&self) -> Result<Vec<String>> {
        let mut late = vec![];
        for topic in TOPICS {
            let (mut seen, mut newest) = (BTreeSet::new(), BTreeMap::<EntityId, u64>::new());
            for event in self.events(topic).await? {
                let newest = newest.entry(event.source.clone()).or_default();
                if seen.insert(event.id()) && event.sequence < *newest {
                    late.push(format!("{topic}: {} behind {newest}", event.id()));
                }
                *newest = event.sequence.max(*newest);
            }
        }
        Ok(late)
    }

    /// What the topics tell of.
    ///
    /// # Errors
    /// The brokers do not answer, or an event is none.
    pub async fn told(&self) -> Result<Told> {
        let mut told = Told::default();
        for event in self.events(INVITES).await? {
            if let Invites::Created { invite, .. } = Invites::read(&event.payload)? {
                told.invites.insert(invite.to_string());
            }
        }
        for event in self.events(NOTICES).await? {
            if let Notices::RoomStarted { room, .. } = Notices::read(&event.payload)? {
                told.rooms.insert(room.to_string());
            }
        }
        for event in self.events(AUDIT).await? {
            let audit = Audit::read(&event.payload)?;
            told.audited.extend(
                audit
                    .room
                    .filter(|_| audit.action == ROOM_OPENED)
                    .map(|room| room.to_string()),
            );
        }
        Ok(told)
    }

    /// Appends an event that nobody can read.
    ///
    /// # Errors
    /// The brokers do not take it.
    pub async fn poison(&self, topic: &str, sequence: u64) -> Result<()> {
        let event = Event {
            source: EntityId::new("user", "poison"),
            sequence,
            at: Timestamp(0),
            payload: vec![0xc1],
            trace: Trace::default(),
        };
        Ok(self.kafka.append(topic, &event).await?)
    }

    async fn events(&self, topic: &str) -> Result<Vec<Event>> {
        let batch = self.kafka.browse(topic, &[], ALL_EVENTS).await?;
        Ok(batch.into_iter().map(|delivered| delivered.event).collect())
    }
}
