//! Putting the domain together: entities, their effects, services and background jobs.

use super::{Core, Mitalk, Positions, leaving, sockets, sunset, waiting::PhaseCache};
use crate::budgets::{Budget, DAY, HOUR};
use crate::effects::{Codes, LIVE, Late, Nothing, People};
use crate::fanout::Fanout;
use crate::handle::Handle;
use crate::id::Home;
use crate::invite::Invite;
use crate::limits::{self, Limits};
use crate::live::{Pump, Sockets};
use crate::metrics::Metrics;
use crate::notices::{self, Consumer, Pages, Witness};
use crate::phase::Phase;
use crate::phone::Phone;
use crate::ports::{AllowList, DeadLetters, EventSource, Push, Reads, Sms};
use crate::rooms::{self, Rooms};
use crate::secrets::Secrets;
use crate::sunset::Sunset;
use crate::supervise::{Job, Jobs};
use crate::user::User;
use crate::waitlist::{Waitlist, block::Block, ticket::Ticket};
use mitalk_cluster::{Builder, Clock};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, mpsc};

/// Everything that the domain is made of.
pub struct Parts {
    /// With its stores, without entities.
    pub cluster: Builder,
    /// The cluster's.
    pub clock: Arc<dyn Clock>,
    /// The reading side of the read tables.
    pub reads: Arc<dyn Reads>,
    /// The operator's allow-list.
    pub allow_list: Arc<dyn AllowList>,
    /// Text messages.
    pub sms: Arc<dyn Sms>,
    /// Web Push.
    pub push: Arc<dyn Push>,
    /// The consuming side of the event log.
    pub source: Arc<dyn EventSource>,
    /// What consumers could not deal with.
    pub letters: Arc<dyn DeadLetters>,
    /// The media engine of this node, and what happens to its sessions.
    pub media: (mitalk_media::Handle, mitalk_media::Events),
    /// Of rooms, for operators.
    pub metrics: rooms::Metrics,
    /// The limits.
    pub limits: Limits,
    /// The keys.
    pub secrets: Secrets,
    /// Where accounts that sign up here live.
    pub home: Home,
    /// All homes.
    pub homes: Vec<Home>,
}

/// Why the domain did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cluster did not.
    #[error(transparent)]
    Cluster(#[from] mitalk_cluster::StartError),
    /// The limits of people cannot be kept.
    #[error(transparent)]
    OutOfRange(#[from] limits::OutOfRange),
    /// The limits of rooms do not fit into what is stored of one.
    #[error(transparent)]
    Limits(#[from] rooms::Unkept),
    /// The store does not say who was shut out, and without that nobody may be let in.
    #[error("who was signed out or suspended cannot be read: {0}")]
    ShutOut(#[from] mitalk_cluster::StoreError),
    /// The background work did not.
    #[error("background work did not start: {0}")]
    Jobs(#[from] ractor::SpawnErr),
}

impl Mitalk {
    /// Starts a node with the whole domain on it.
    ///
    /// # Errors
    /// The cluster's, or the background work could not be spawned.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        parts.limits.check()?;
        let late: Late = Arc::new(OnceLock::new());
        let sockets = Arc::new(Sockets::default());
        let pump = Arc::new(Pump::new(sockets.clone(), parts.clock.clone()));
        let (metrics, moved) = (Metrics::default(), Arc::new(Notify::new()));
        let (pages, told) = mpsc::channel(notices::PAGES);
        let sms = Arc::new(Witness::new(parts.sms));
        let (wanted, asked) = mpsc::channel(leaving::PAGES);
        let (purge, purged) = mpsc::channel(sunset::PAGES);
        let (media, events) = parts.media;
        let rooms = rooms::Parts {
            media,
            events,
            reads: parts.reads.clone(),
            sockets: sockets.clone(),
            secrets: parts.secrets.clone(),
            limits: parts.limits.rooms.clone(),
            home: parts.home,
            clock: parts.clock.clone(),
            metrics: parts.metrics,
        };
        let (builder, pending) = Rooms::install(parts.cluster, rooms)?;
        let cluster = builder
            .entity::<User>(Arc::new(People {
                cluster: late.clone(),
                wanted,
            }))
            .entity::<Phone>(Arc::new(Codes::new(
                sms.clone(),
                parts.secrets.clone(),
                metrics.clone(),
            )))
            .entity::<Handle>(Arc::new(Nothing))
            .entity::<Invite>(Arc::new(Nothing))
            .entity::<Waitlist>(Arc::new(Nothing))
            .entity::<Block>(Arc::new(Nothing))
            .entity::<Ticket>(Arc::new(Nothing))
            .entity::<Phase>(Arc::new(Nothing))
            .entity::<Fanout>(Arc::new(Pages(pages)))
            .entity::<Sunset>(Arc::new(sunset::Pages(purge)))
            .service(LIVE, pump.clone())
            .on_shard(Arc::new(sockets::Moved(moved.clone())))
            .start()
            .await?;
        // Nobody else sets it.
        let _ = late.set(cluster.clone());
        let cache = Duration::from_millis(parts.limits.waitlist.position_cache_ms);
        let mitalk = Self(Arc::new(Core {
            rooms: pending.start(cluster.clone()).await?,
            cluster,
            positions: Positions::new(parts.reads.clone(), cache),
            clock: parts.clock,
            reads: parts.reads,
            limits: parts.limits,
            secrets: parts.secrets,
            metrics,
            sockets,
            pump,
            home: parts.home,
            homes: parts.homes,
            allow_list: parts.allow_list,
            addresses: Budget::new(HOUR),
            blocks: Budget::new(DAY),
            all_codes: Budget::new(DAY),
            exports: Budget::new(DAY),
            phase: PhaseCache::default(),
            push: parts.push.clone(),
            source: parts.source.clone(),
            letters: parts.letters.clone(),
            sunset: sunset::SunsetCache::default(),
            jobs: OnceLock::new(),
        }));
        mitalk.learn_shut_out().await?;
        let consumer = Consumer {
            mitalk: mitalk.clone(),
            source: parts.source,
            letters: parts.letters,
            sms,
            push: parts.push,
        };
        let jobs = Jobs::start(jobs(
            &mitalk,
            Arc::new(consumer),
            moved,
            Arc::new(Mutex::new(told)),
            Arc::new(Mutex::new(asked)),
            Arc::new(Mutex::new(purged)),
        ))
        .await?;
        let _ = mitalk.jobs.set(jobs);
        Ok(mitalk)
    }
}

fn jobs(
    mitalk: &Mitalk,
    consumer: Arc<Consumer>,
    moved: Arc<Notify>,
    pages: Arc<Mutex<mpsc::Receiver<crate::fanout::Walk>>>,
    wanted: Arc<Mutex<mpsc::Receiver<leaving::Wanted>>>,
    purge: Arc<Mutex<mpsc::Receiver<crate::sunset::Effect>>>,
) -> Vec<Job> {
    let (pump, places, reattach) = (mitalk.clone(), mitalk.clone(), mitalk.clone());
    let (shut_out, erasing, purging) = (mitalk.clone(), mitalk.clone(), mitalk.clone());
    let followers = consumer.clone();
    let topics = notices::CONSUMED.into_iter().map(|(group, topic)| {
        let consumer = consumer.clone();
        Job::new(topic, move || consumer.clone().run(group, topic))
    });
    topics
        .chain([
            Job::new("live pump", move || pump.clone().run_pump()),
            Job::new("places", move || places.clone().run_places()),
            Job::new("shut out", move || shut_out.clone().run_shut_out()),
            Job::new("reattach", move || reattach.clone().run_reattach(moved.clone())),
            Job::new("followers", move || followers.clone().run_pages(pages.clone())),
            Job::new("erasing", move || erasing.clone().run_erasing(wanted.clone())),
            Job::new("purge", move || purging.clone().run_purge(purge.clone())),
        ])
        .collect()
}
