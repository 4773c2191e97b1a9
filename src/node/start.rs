//! Starting a node: see [`super`].

use super::events::Log;
use super::stores::Stores;
use super::{Addresses, Node, Served};
use crate::api::{Api, Metrics as ApiMetrics, Tokens};
use crate::config::Config;
use crate::events::kafka;
use crate::failpoints::Pointed;
use crate::ops::{self, Operations};
use crate::push;
use crate::push::vapid::Keys;
use crate::secrets::{self, Secrets};
use crate::server::{Connections, Server};
use crate::sms;
use crate::store::{scylla, sqlite};
use crate::telemetry;
use mitalk_actors::id::Home;
use mitalk_actors::ports::Push;
use mitalk_actors::{Mitalk, rooms};
use mitalk_cluster::{Builder, LocalMembership, LocalTransport, NodeId, Ports, SystemClock};
use mitalk_media::{Engine, Events};
use prometheus::Registry;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An embedded store gives all shards within a second, even on a busy machine.
const READY_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
const READY_LOOK: Duration = Duration::from_millis(5);

/// Why a node did not start. Every text says what to do; nothing is left half started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's port is busy, or its address is not of this machine.
    #[error("cannot listen on {address} ({key}): {source}{}", listen_advice(source, key))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The key that sets it.
        key: &'static str,
        /// The system's words.
        source: io::Error,
    },
    /// The data directory cannot be made.
    #[error("cannot make the data directory {}: {source}; set storage.data_dir to one that can be written", path.display())]
    DataDirectory {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] sqlite::OpenError),
    /// The CQL cluster cannot be used.
    #[error(transparent)]
    Cql(#[from] scylla::OpenError),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    StoreSilent(#[from] mitalk_cluster::StoreError),
    /// The state is being copied, or was.
    #[error(transparent)]
    Copied(#[from] crate::copy::Taken),
    /// The secrets cannot be read or made.
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    /// The keys in them cannot be used.
    #[error(transparent)]
    Keys(#[from] mitalk_actors::secrets::Error),
    /// The event log cannot be reached as configured.
    #[error("event log: {0}")]
    Events(#[from] kafka::ConfigError),
    /// The state is many nodes', and the event log one node's.
    #[error("storage.events must be `kafka` where storage.store is `scylla`")]
    EventsOfOneNode,
    /// Text messages cannot be sent.
    #[error("text messages: {0}")]
    Sms(#[from] sms::Error),
    /// Web Push cannot be set up.
    #[error(transparent)]
    Push(#[from] push::StartError),
    /// The media engine did not start.
    #[error("audio: {0}")]
    Media(#[from] mitalk_media::StartError),
    /// The domain or the cluster did not start.
    #[error(transparent)]
    Domain(#[from] mitalk_actors::mitalk::StartError),
    /// Two parts claim one metric, which is a bug.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A thread of the runtime broke, which is a bug.
    #[error("starting was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

fn listen_advice(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "; another program uses that port: stop it, or choose another one with --set {key}=ADDRESS:PORT"
            )
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address: 0.0.0.0 means all".to_owned(),
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege".to_owned(),
        _ => String::new(),
    }
}

impl Node {
    /// Starts everything that the configuration says.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let clients = Connections {
            most: config.http.max_connections,
            most_per_address: config.http.max_connections_per_address,
            proxies: config.http.trusted_proxies.clone(),
        };
        // Operators' machines may share one address.
        let operators = Connections {
            most_per_address: config.http.max_connections,
            ..clients.clone()
        };
        let app = listen("app", "http.listen", config.http.listen, clients).await?;
        let operations = listen(
            "operations",
            "operations.listen",
            config.operations.listen,
            operators,
        )
        .await?;
        let registry = Registry::new();
        telemetry::register(&registry)?;
        // CPU, memory, descriptors and threads of the process, under the names that every dashboard knows.
        #[cfg(target_os = "linux")]
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let stores = Stores::open(config, &registry).await?;
        let (secrets, admin_token) = stores.secrets(config).await?;

        let media_metrics = mitalk_media::Metrics::register(&registry)?;
        let (engine, events) = Engine::start(config.media.clone(), media_metrics)?;
        let log = Log::open(config, &registry, &stores)?;
        let kafka = log.kafka.clone();
        let site = sms::Site::new(&config.http.public_url);
        let (sms, receipts) = sms::open(&config.sms, site, &sms::Metrics::new(&registry)?)?;
        let outside = (&stores, log, sms);
        let domain = start_domain(config, &registry, outside, &secrets, &engine, events);
        let mitalk = domain.await?;

        wait_until_ready(&mitalk).await;

        let metrics = ApiMetrics::new(&registry)?;
        let lifetime = Duration::from_secs(config.auth.access_token_s);
        let tokens = Tokens::new(&secrets, lifetime, Arc::new(SystemClock));
        let inside = (mitalk.clone(), tokens, receipts);
        let api = Api::new(config, app.address, inside, metrics.clone());
        let parts = ops::Parts {
            mitalk: mitalk.clone(),
            media: engine.handle(),
            kafka: kafka.clone(),
            api: api.clone(),
            registry,
            metrics,
            admin_token,
        };
        let addresses = Addresses {
            app: config.http.url(app.address),
            operations: format!("http://{}", operations.address),
            media: engine.candidates(),
            data: config.storage.data_dir.clone(),
        };
        let listen = app.address;
        let operator = Operations::new(config, parts);
        let operations = Served::start(operations.server, operator.router());
        let app = Served::start(app.server, api.router());
        tracing::info!(
            app = addresses.app,
            listen = %listen,
            operations = addresses.operations,
            media = ?addresses.media,
            version = env!("CARGO_PKG_VERSION"),
            "ready"
        );
        Ok(Self {
            addresses,
            api,
            mitalk,
            engine,
            app,
            operator,
            operations,
            state: stores.state,
            kafka,
            drain: Duration::from_millis(config.operations.drain_timeout_ms),
            hand_over: config.cluster.shutdown_limit(),
        })
    }
}

struct Listening {
    server: Server,
    address: SocketAddr,
}

async fn listen(
    name: &'static str,
    key: &'static str,
    address: SocketAddr,
    connections: Connections,
) -> Result<Listening, StartError> {
    let failed = |source| StartError::Listen { address, key, source };
    let server = Server::bind(name, address, connections).await.map_err(failed)?;
    let address = server.address().map_err(failed)?;
    Ok(Listening { server, address })
}

async fn start_domain(
    config: &Config,
    registry: &Registry,
    (stores, log, sms): (&Stores, Log, sms::Counted),
    secrets: &Secrets,
    engine: &Engine,
    events: Events,
) -> Result<Mitalk, StartError> {
    let clock = Arc::new(SystemClock);
    let ports = Ports {
        lease: stores.lease.clone(),
        entity: stores.entity.clone(),
        timer: stores.timer.clone(),
        events: log.log,
        tables: stores.tables.clone(),
    };
    let cluster = Builder::new(
        config.cluster.clone(),
        ports,
        clock.clone(),
        mitalk_cluster::Metrics::new(registry)?,
    );
    let here = LocalMembership::new(NodeId::new(&config.cluster.node), &config.cluster.region);
    let cluster = cluster.network(Arc::new(Pointed(LocalTransport::default())), Arc::new(here));
    let room_metrics = rooms::Metrics::default();
    room_metrics.register(registry)?;
    let push = open_push(config, clock.clone()).await?;
    let parts = mitalk_actors::mitalk::Parts {
        cluster,
        clock,
        reads: stores.reads.clone(),
        allow_list: stores.allow_list.clone(),
        sms: Arc::new(Pointed(sms)),
        push,
        source: log.source,
        letters: log.letters,
        limits: config.limits.clone(),
        secrets: secrets.domain()?,
        home: Home::default(),
        homes: vec![Home::default()],
        media: (engine.handle(), events),
        metrics: room_metrics,
    };
    let mitalk = Mitalk::start(parts).await?;
    mitalk.metrics().register(registry)?;
    Ok(mitalk)
}

/// Push services, with the keys that they know this service by.
async fn open_push(config: &Config, clock: Arc<SystemClock>) -> Result<Arc<dyn Push>, StartError> {
    if !config.push.enabled {
        return Ok(Arc::new(push::Off));
    }
    let data_dir = config.storage.data_dir.clone();
    let keys = tokio::task::spawn_blocking(move || Keys::load_or_create(&data_dir)).await??;
    let push = push::WebPush::new(&config.push, &config.http.public_url, keys, clock)?;
    Ok(Arc::new(Pointed(push)))
}

/// Waits until the node owns its shards, so that the first client is not turned away; a node of many whose shards others
/// still hold goes on meanwhile, and says so in `/readyz`.
async fn wait_until_ready(mitalk: &Mitalk) {
    let ready = async {
        while !mitalk.cluster().status().ready {
            tokio::time::sleep(READY_LOOK).await;
        }
    };
    if tokio::time::timeout(READY_WAIT, ready).await.is_err() {
        let reason = mitalk.cluster().status().reason.unwrap_or_default();
        tracing::warn!(reason, "not ready yet; see /readyz");
    }
}
