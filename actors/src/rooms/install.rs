//! Putting rooms into a node: first what the cluster must know before it starts, then what needs the running cluster.

use super::home::{Homes, Shards, keep};
use super::{Inner, Rooms};
use crate::budgets::{Budget, HOUR};
use crate::forwarder::{self, Forwarders, Links, Metrics};
use crate::hallway::{self, Hallway};
use crate::id::Home;
use crate::live::Sockets;
use crate::ports::Reads;
use crate::room::{Limits, Room, Unkept, check_times};
use crate::supervise::{Job, Jobs};
use crate::{Secrets, limits};
use mitalk_cluster::{Builder, Clock, Cluster};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// What rooms need from the outside.
pub struct Parts {
    /// The media engine of this node.
    pub media: mitalk_media::Handle,
    /// What happens to its sessions; rooms are the only reader.
    pub events: mitalk_media::Events,
    /// The read tables.
    pub reads: Arc<dyn Reads>,
    /// The live sockets of this node.
    pub sockets: Arc<Sockets>,
    /// For resume tokens and ids of rooms.
    pub secrets: Secrets,
    /// The bounds of rooms.
    pub limits: limits::Rooms,
    /// Where new rooms live.
    pub home: Home,
    /// For budgets.
    pub clock: Arc<dyn Clock>,
    /// For operators.
    pub metrics: Metrics,
}

/// Rooms that wait for the cluster to start.
pub struct Pending {
    forwarders: Forwarders,
    homes: Arc<Homes>,
    hallway: Arc<Hallway>,
    news: Arc<hallway::Service>,
    events: Arc<Mutex<mitalk_media::Events>>,
    sockets: Arc<Sockets>,
    reads: Arc<dyn Reads>,
    secrets: Secrets,
    limits: limits::Rooms,
    home: Home,
    clock: Arc<dyn Clock>,
}

/// Checks the configured limits of rooms.
///
/// # Errors
/// The first one that cannot be kept.
pub fn check(limits: &limits::Rooms) -> Result<(), Unkept> {
    Limits::from(limits).validate()?;
    check_times(limits)
}

impl Rooms {
    /// Registers the room entity, the forwarders and the hallway with the node that is being put together.
    ///
    /// # Errors
    /// A configured limit that a room's state can not keep.
    pub fn install(builder: Builder, parts: Parts) -> Result<(Builder, Pending), Unkept> {
        check(&parts.limits)?;
        let forwarders = Forwarders::new(forwarder::Parts {
            media: parts.media,
            reads: parts.reads.clone(),
            sockets: parts.sockets.clone(),
            secrets: parts.secrets.clone(),
            limits: parts.limits.clone(),
            metrics: parts.metrics,
        });
        let homes = Arc::<Homes>::default();
        let hallway = Arc::<Hallway>::default();
        let news = Arc::new(hallway::Service::new(hallway.clone()));
        let builder = builder
            .entity::<Room>(homes.clone())
            .on_shard(Arc::new(Shards(homes.clone())))
            .service(
                forwarder::SERVICE,
                Arc::new(forwarder::Service(forwarders.clone())),
            )
            .service(hallway::SERVICE, news.clone());
        let pending = Pending {
            forwarders,
            homes,
            hallway,
            news,
            events: Arc::new(Mutex::new(parts.events)),
            sockets: parts.sockets,
            reads: parts.reads,
            secrets: parts.secrets,
            limits: parts.limits,
            home: parts.home,
            clock: parts.clock,
        };
        Ok((builder, pending))
    }
}

impl Pending {
    /// Starts what runs on the started cluster.
    ///
    /// # Errors
    /// An actor did not start.
    pub async fn start(self, cluster: Cluster) -> Result<Rooms, ractor::SpawnErr> {
        self.homes.join(cluster.clone());
        self.forwarders.start(cluster.clone()).await?;
        let jobs = Jobs::start(self.jobs(&cluster)).await?;
        Ok(Rooms(Arc::new(Inner {
            cluster,
            forwarders: self.forwarders,
            hallway: self.hallway,
            reads: self.reads,
            links: Links::new(&self.secrets),
            secrets: self.secrets,
            limits: self.limits,
            home: self.home,
            clock: self.clock,
            opened: Budget::new(HOUR),
            jobs,
        })))
    }

    /// What runs for ever, started again if it fails ([`supervise`](crate::supervise)).
    fn jobs(&self, cluster: &Cluster) -> Vec<Job> {
        let (homes, reads, news) = (self.homes.clone(), self.reads.clone(), self.news.clone());
        let (cluster, every) = (cluster.clone(), Duration::from_millis(self.limits.tick_ms));
        let keep = move || keep(homes.clone(), reads.clone(), news.clone(), cluster.clone(), every);
        let (news, sockets) = (self.news.clone(), self.sockets.clone());
        let (forwarders, events) = (self.forwarders.clone(), self.events.clone());
        vec![
            Job::new("room keeper", keep),
            Job::new("hallway news", move || news.teller(sockets.clone())),
            Job::new("media events", move || {
                forwarders.clone().run_events(events.clone())
            }),
        ]
    }
}
