//! All forwarders of a node: finding or starting the one of a room, their supervision, and the way of media events to them.
//!
//! **Restart policy.** A forwarder that fails is started again at once, with its people and sockets from the ledger; the
//! media engine's sessions are not touched. More than [`FAILURES`] failures of one room within [`WITHIN`] mean that
//! restarting does not help: the room's sessions here are closed, their accounts and live sockets told, and people come back
//! by joining. A forwarder that stopped by itself is forgotten. The supervisor itself does nothing that can fail; should
//! it die all the same, its forwarders die with it: the node takes no more joins and is not ready any more
//! ([`Forwarders::are_supervised`]), so that it is restarted.

use super::actor::{Envelope, Forwarder, Message, Start};
use super::claims;
use super::gate::{Gate, Permit};
use super::ledger::Ledger;
use super::link::Links;
use super::metrics::Metrics;
use super::protocol::Refusal;
use super::token::Tokens;
use crate::id::{DeviceId, RoomId, SocketId, UserId};
use crate::limits;
use crate::live::{LiveMessage, LiveSink, Sockets};
use crate::ports::Reads;
use crate::room::Version;
use crate::rooms::LeftWhy;
use crate::supervise::lives;
use mitalk_cluster::Cluster;
use mitalk_media::{RoomKey, SessionEvent, SessionKey};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Failures of one forwarder within [`WITHIN`] after which it is given up.
const FAILURES: usize = 5;
/// See [`FAILURES`].
const WITHIN: Duration = Duration::from_secs(60);
/// Rooms that one node may have people of.
const ROOMS: usize = 50_000;

/// What forwarders need of their node.
pub(crate) struct Parts {
    pub(crate) media: mitalk_media::Handle,
    pub(crate) reads: Arc<dyn Reads>,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) secrets: crate::Secrets,
    pub(crate) limits: limits::Rooms,
    pub(crate) metrics: Metrics,
}

/// What all forwarders of a node share.
pub(super) struct Shared {
    pub(super) media: mitalk_media::Handle,
    pub(super) reads: Arc<dyn Reads>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) tokens: Tokens,
    pub(super) links: Links,
    pub(super) limits: limits::Rooms,
    pub(super) metrics: Metrics,
    pub(super) ledger: Ledger,
    cluster: OnceLock<Cluster>,
    /// Names rooms and sessions to the media engine; never used twice in a process.
    next_key: AtomicU64,
    running: Mutex<HashMap<RoomId, Running>>,
    supervisor: OnceLock<ActorRef<Order>>,
}

#[derive(Clone)]
struct Running {
    actor: ActorRef<Envelope>,
    gate: Gate,
}

/// See the [module](self). Cheap to clone.
#[derive(Clone)]
pub(crate) struct Forwarders(Arc<Shared>);

impl Shared {
    /// The cluster. Forwarders run only once the node has started.
    pub(super) fn cluster(&self) -> &Cluster {
        self.cluster
            .get()
            .expect("forwarders are started after the cluster")
    }

    pub(super) fn new_session_key(&self) -> SessionKey {
        SessionKey(self.next_key.fetch_add(1, Ordering::Relaxed))
    }

    /// The device's sockets learn that it is out of the room, whether they watch it or not.
    pub(super) fn tell_left(&self, room: RoomId, user: UserId, device: DeviceId, why: LeftWhy) {
        let sockets = self.sockets.of(user).into_iter();
        for sink in sockets.filter(|sink| sink.device() == device) {
            // A socket that is too slow closes, and asks when it is back.
            let _ = sink.send(LiveMessage::LeftRoom { room, why });
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<RoomId, Running>> {
        // One map operation at a time: a panic elsewhere leaves the map whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forwarders {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            media: parts.media,
            reads: parts.reads,
            sockets: parts.sockets,
            tokens: Tokens::new(&parts.secrets),
            links: Links::new(&parts.secrets),
            limits: parts.limits,
            metrics: parts.metrics,
            ledger: Ledger::default(),
            cluster: OnceLock::new(),
            next_key: AtomicU64::new(1),
            running: Mutex::default(),
            supervisor: OnceLock::new(),
        }))
    }

    /// Starts the supervisor. Once.
    ///
    /// # Errors
    /// It did not start.
    pub(crate) async fn start(&self, cluster: Cluster) -> Result<(), ractor::SpawnErr> {
        // Nobody else sets either of them.
        let _ = self.0.cluster.set(cluster);
        let (supervisor, _) = Actor::spawn(None, Supervisor, self.0.clone()).await?;
        let _ = self.0.supervisor.set(supervisor);
        Ok(())
    }

    /// Brings the engine's events to the forwarders of their rooms, until the engine stops.
    pub(crate) async fn run_events(self, events: Arc<tokio::sync::Mutex<mitalk_media::Events>>) {
        let mut events = events.lock().await;
        while let Some(event) = events.next().await {
            self.media(event);
        }
        // A supervised job that returns is started again: there is nothing more to come.
        std::future::pending::<()>().await;
    }

    /// Hands a message to the room's forwarder, which is started if there is none.
    pub(super) async fn deliver(&self, room: RoomId, message: Message) -> Result<(), Refusal> {
        let mut message = message;
        // A forwarder may stop between being found and being sent to: then a new one is started, once.
        for _ in 0..2 {
            let running = match self.find(room) {
                Some(running) => running,
                None => self.begin(room).await?,
            };
            match cast(&self.0, &running, running.gate.enter(), message) {
                Ok(()) => return Ok(()),
                Err(Some(back)) => {
                    self.forget(room, running.actor.get_id());
                    message = back;
                }
                Err(None) => return Err(Refusal::Overloaded),
            }
        }
        Err(Refusal::Unavailable("the forwarder stops".into()))
    }

    /// Hands what its home or an account says to the room's forwarder, if there is one.
    pub(super) fn deliver_if_running(&self, room: RoomId, message: Message) {
        if let Some(running) = self.find(room)
            && cast(&self.0, &running, running.gate.enter_reserved(), message).is_err()
        {
            tracing::debug!(%room, "a letter to a forwarder was lost");
        }
    }

    /// Whether the supervisor lives.
    pub(crate) fn are_supervised(&self) -> bool {
        self.0.supervisor.get().is_some_and(lives)
    }

    /// Makes the supervisor die, as nothing is known to.
    #[cfg(test)]
    pub(crate) fn fail_all(&self) {
        self.0.supervisor.get().unwrap().kill();
    }

    /// Whether this node has people of the room.
    pub(crate) fn has(&self, room: RoomId) -> bool {
        self.find(room).is_some()
    }

    /// Sends a room's changes to a live socket of this node from now on.
    pub(crate) async fn watch(
        &self,
        room: RoomId,
        sink: LiveSink,
        after: Option<u64>,
    ) -> Result<(), Refusal> {
        if !self.has(room) {
            return Err(Refusal::NotInRoom);
        }
        let (reply, answer) = oneshot::channel();
        let after = after.map(Version::from_u64);
        self.deliver(room, Message::Watch { sink, after, reply }).await?;
        answer.await.unwrap_or(Err(Refusal::NotInRoom))
    }

    /// No more changes of the room for that socket.
    pub(crate) fn unwatch(&self, room: RoomId, socket: SocketId) {
        self.deliver_if_running(room, Message::Unwatch(socket));
    }

    fn media(&self, event: SessionEvent) {
        let (SessionEvent::Up { session }
        | SessionEvent::Silent { session }
        | SessionEvent::Back { session }
        | SessionEvent::Gone { session, .. }) = event;
        let Some(room) = self.0.ledger.room_of(session) else {
            return;
        };
        let Some(running) = self.find(room) else { return };
        // At most a few per session, so the number of sessions bounds them; losing one would leave a ghost.
        drop(running.actor.cast(Envelope {
            message: Message::Media(event),
            permit: None,
        }));
    }

    fn find(&self, room: RoomId) -> Option<Running> {
        self.0.running().get(&room).cloned()
    }

    fn forget(&self, room: RoomId, actor: ActorId) {
        let mut running = self.0.running();
        if running
            .get(&room)
            .is_some_and(|running| running.actor.get_id() == actor)
        {
            running.remove(&room);
        }
    }

    async fn begin(&self, room: RoomId) -> Result<Running, Refusal> {
        let (reply, answer) = oneshot::channel();
        let supervisor = self
            .0
            .supervisor
            .get()
            .ok_or_else(|| Refusal::Unavailable("starting".into()))?;
        let stopped = || Refusal::Unavailable("the node is stopping".into());
        supervisor.cast(Order { room, reply }).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Makes the room's forwarder fail.
    #[cfg(test)]
    pub(crate) fn fail(&self, room: RoomId) {
        self.deliver_if_running(room, Message::Fail);
    }
}

/// Casts if the mailbox has room. The message comes back if the actor is gone.
fn cast(
    shared: &Shared,
    running: &Running,
    permit: Option<Permit>,
    message: Message,
) -> Result<(), Option<Message>> {
    let Some(permit) = permit else {
        shared.metrics.refused.inc();
        return Err(None);
    };
    running
        .actor
        .cast(Envelope {
            message,
            permit: Some(permit),
        })
        .map_err(|error| match error {
            ractor::MessagingErr::SendErr(envelope) => Some(envelope.message),
            _ => None,
        })
}

/// Start the forwarder of a room, unless it runs.
struct Order {
    room: RoomId,
    reply: oneshot::Sender<Result<Running, Refusal>>,
}

struct Supervisor;

struct Watch {
    shared: Arc<Shared>,
    children: HashMap<ActorId, RoomId>,
    /// When a room's forwarder failed lately.
    failures: HashMap<RoomId, VecDeque<Instant>>,
    /// The engine's names of rooms, which outlive a forwarder that fails.
    keys: HashMap<RoomId, RoomKey>,
}

impl Actor for Supervisor {
    type Msg = Order;
    type State = Watch;
    type Arguments = Arc<Shared>;

    async fn pre_start(&self, _: ActorRef<Order>, shared: Arc<Shared>) -> Result<Watch, ActorProcessingErr> {
        Ok(Watch {
            shared,
            children: HashMap::new(),
            failures: HashMap::new(),
            keys: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        me: ActorRef<Order>,
        order: Order,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        let running = watch.shared.running().get(&order.room).cloned();
        let result = match running {
            Some(running) => Ok(running),
            None if watch.children.len() >= ROOMS => Err(Refusal::Full),
            None => watch.start(&me, order.room).await,
        };
        drop(order.reply.send(result));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<Order>,
        event: SupervisionEvent,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(child, error) => watch.failed(&me, &child, &error).await,
            SupervisionEvent::ActorTerminated(child, ..) => watch.stopped(&child),
            _ => {}
        }
        Ok(())
    }
}

impl Watch {
    /// With the people and sockets that an earlier forwarder of the room left in the ledger.
    async fn start(&mut self, me: &ActorRef<Order>, room: RoomId) -> Result<Running, Refusal> {
        let page = self.shared.ledger.page(room);
        let key = *self
            .keys
            .entry(room)
            .or_insert_with(|| RoomKey(self.shared.new_session_key().0));
        let start = Start {
            shared: self.shared.clone(),
            room,
            key,
            page,
        };
        let spawned = Actor::spawn_linked(None, Forwarder, start, me.get_cell()).await;
        let (actor, _) = spawned.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let running = Running {
            actor,
            gate: Gate::default(),
        };
        self.children.insert(running.actor.get_id(), room);
        self.shared.running().insert(room, running.clone());
        self.shared.metrics.forwarders.set(gauge(self.children.len()));
        Ok(running)
    }

    fn stopped(&mut self, child: &ActorCell) {
        if let Some(room) = self.remove(child) {
            self.close(room);
        }
    }

    async fn failed(&mut self, me: &ActorRef<Order>, child: &ActorCell, error: &ActorProcessingErr) {
        self.shared.metrics.restarts.inc();
        tracing::error!(%error, "a forwarder failed");
        let Some(room) = self.remove(child) else { return };
        if self.may_restart(room) && self.start(me, room).await.is_ok() {
            return;
        }
        tracing::error!(%room, "a forwarder keeps failing: its sessions are closed");
        if let Some(key) = self.keys.get(&room) {
            self.shared.media.close_room(*key);
        }
        let people = self.shared.ledger.page(room).people;
        self.shared.metrics.people.sub(gauge(people.len()));
        self.close(room);
        let mut sessions = Vec::with_capacity(people.len());
        for (user, person) in people {
            self.shared
                .tell_left(room, user, person.device, LeftWhy::LostConnection);
            sessions.push((user, person.session));
        }
        claims::release(&self.shared, sessions);
    }

    fn close(&mut self, room: RoomId) {
        self.keys.remove(&room);
        self.failures.remove(&room);
        self.shared.ledger.close(room);
    }

    fn may_restart(&mut self, room: RoomId) -> bool {
        let now = Instant::now();
        let failures = self.failures.entry(room).or_default();
        failures.retain(|at| now.duration_since(*at) < WITHIN);
        failures.push_back(now);
        failures.len() <= FAILURES
    }

    /// Strikes a forwarder that is gone off. Gives its room, unless that has a new one already: whoever asked for it was
    /// faster than the news of the old one's end.
    fn remove(&mut self, child: &ActorCell) -> Option<RoomId> {
        let room = self.children.remove(&child.get_id())?;
        self.shared.metrics.forwarders.set(gauge(self.children.len()));
        if self.children.values().any(|other| *other == room) {
            return None;
        }
        self.shared.running().remove(&room);
        Some(room)
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
