//! A node with rooms, people on it, and what they do.

use super::ears::Ears;
use super::store::{Library, Power, ports};
use crate::caller::Caller;
use crate::effects::People;
use crate::id::{DeviceId, Home, RoomId, SocketId, UserId};
use crate::limits;
use crate::live::{LiveMessage, LiveSink, LiveStream, Sockets};
use crate::person::Standing;
use crate::phone::Phone;
use crate::rooms::{Error, JoinRequest, Joined, LeftWhy, Metrics, Parts, Rooms, Settings, Snapshot};
use crate::secrets::{KEY_BYTES, Master};
use crate::sunset::Sunset;
use crate::user::{self, User};
use crate::{Secrets, number};
use mitalk_cluster::testing::Memory;
use mitalk_cluster::{
    Builder, Call, Cluster, Config, Effects, Entity, EntityId, RequestId, Stamp, SystemClock, Trace,
};
use mitalk_media::Engine;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Generous: the machine may be busy with other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often conditions are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Messages that wait for one live socket.
const SOCKET: usize = 256;

/// Waits for a condition; the test fails if it does not come true.
macro_rules! until {
    ($what:expr, $holds:expr) => {{
        let end = std::time::Instant::now() + $crate::rooms::tests::world::PATIENCE;
        loop {
            if $holds {
                break;
            }
            assert!(std::time::Instant::now() < end, "not in time: {}", $what);
            $crate::rooms::tests::world::look_again().await;
        }
    }};
}
pub(super) use until;

pub(super) async fn look_again() {
    tokio::time::sleep(LOOK).await;
}

/// No numbers are told to anybody here.
struct Deaf;

impl<E: Entity> Effects<E> for Deaf {
    fn run(&self, _: &EntityId, _: Stamp, _: Vec<E::Effect>) {}
}

/// One node and all its people.
pub(super) struct World {
    pub(super) memory: Memory,
    power: watch::Sender<Power>,
    pub(super) library: Arc<Library>,
    pub(super) ears: Ears,
    pub(super) rooms: Rooms,
    pub(super) sockets: Arc<Sockets>,
    pub(super) cluster: Cluster,
    pub(super) engine: Engine,
    pub(super) metrics: Metrics,
    limits: limits::Rooms,
}

/// Somebody in a room.
pub(super) struct Guest {
    pub(super) caller: Caller,
    pub(super) ear: usize,
    pub(super) joined: Joined,
    pub(super) live: LiveStream,
    pub(super) sink: LiveSink,
    /// Everything that came on the live socket so far.
    pub(super) seen: Vec<LiveMessage>,
}

pub(super) fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

/// Person `n` on their device `device`.
pub(super) fn caller(n: u128, device: u128) -> Caller {
    Caller {
        user: user(n),
        device: DeviceId::new(Home::default(), n * 100 + device),
        standing: Standing::Active,
        request: None,
        deadline: Duration::from_secs(20),
        trace: Trace::default(),
    }
}

pub(super) fn titled(title: &str) -> Settings {
    Settings {
        title: title.into(),
        ..Settings::default()
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::over(Memory::exclusive(), limits::Rooms::default()).await
    }

    pub(super) async fn with(limits: limits::Rooms) -> Self {
        Self::over(Memory::exclusive(), limits).await
    }

    /// A node over what an earlier one left behind.
    pub(super) async fn over(memory: Memory, limits: limits::Rooms) -> Self {
        let (ports, power) = ports(&memory);
        let library = Arc::new(Library::new(&memory));
        let sockets = Arc::<Sockets>::default();
        let media = mitalk_media::Config {
            bind: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)],
            ..mitalk_media::Config::default()
        };
        let metrics = mitalk_media::Metrics::register(&prometheus::Registry::new()).unwrap();
        let (engine, events) = Engine::start(media, metrics).unwrap();
        let room_metrics = Metrics::default();
        let parts = Parts {
            media: engine.handle(),
            events,
            reads: library.clone(),
            sockets: sockets.clone(),
            secrets: secrets(),
            limits: limits.clone(),
            home: Home::default(),
            clock: Arc::new(SystemClock),
            metrics: room_metrics.clone(),
        };
        let late = Arc::<OnceLock<Cluster>>::default();
        let metrics = mitalk_cluster::Metrics::new(&prometheus::Registry::new()).unwrap();
        let builder = Builder::new(Config::default(), ports, Arc::new(SystemClock), metrics)
            .entity::<User>(Arc::new(People {
                cluster: late.clone(),
                // Nobody's account is erased here.
                wanted: tokio::sync::mpsc::channel(1).0,
            }))
            .entity::<Sunset>(Arc::new(Deaf))
            .entity::<Phone>(Arc::new(Deaf));
        let (builder, pending) = Rooms::install(builder, parts).unwrap();
        let cluster = builder.start().await.unwrap();
        let _ = late.set(cluster.clone());
        assert!(cluster.ready().await);
        let rooms = pending.start(cluster.clone()).await.unwrap();
        Self {
            memory,
            power,
            library,
            ears: Ears::new(),
            rooms,
            sockets,
            cluster,
            engine,
            metrics: room_metrics,
            limits,
        }
    }

    /// The process ends and another one starts over the same store. Live clients hear nothing of it.
    pub(super) async fn restart(self) -> Self {
        let Self {
            memory,
            rooms,
            cluster,
            engine,
            limits,
            ..
        } = self;
        rooms.shutdown().await;
        cluster.shutdown().await;
        engine.shutdown();
        Self::over(memory, limits).await
    }

    pub(super) fn store_is_down(&self, down: bool) {
        self.power.send_replace(if down { Power::Off } else { Power::On });
    }

    pub(super) fn store_is_stuck(&self, stuck: bool) {
        self.power
            .send_replace(if stuck { Power::Stuck } else { Power::On });
    }

    /// Somebody with an active account.
    pub(super) async fn person(&self, n: u128) -> Caller {
        let secrets = secrets();
        let number = number::PhoneNumber::parse(&format!("+491511234{:04}", 5_000 + n)).unwrap();
        let sign_up = user::Command::SignUp {
            phone: secrets.phone_key(&number),
            sealed: secrets.seal_number(&number),
            hint: "678".into(),
            quota: 2,
            offered: vec![],
        };
        let key = user(n).to_string();
        let device = |device| user::Command::OpenDevice {
            device: caller(n, device).device,
            name: "phone".into(),
            hash: [0; 32],
            most: 2,
        };
        for command in [
            sign_up,
            user::Command::Admit {
                how: user::Admitted::Open,
            },
            device(1),
            device(2),
        ] {
            self.cluster
                .ask::<User>(&key, command, Call::within(PATIENCE))
                .await
                .unwrap();
        }
        caller(n, 1)
    }

    /// What the account of a guest is told by others.
    pub(super) async fn tell_account(&self, guest: &Guest, command: user::Command) {
        let key = guest.caller.user.to_string();
        let asked = self.cluster.ask::<User>(&key, command, Call::within(PATIENCE));
        asked.await.unwrap();
    }

    /// Person `n` opens a room and joins it.
    pub(super) async fn host(&self, n: u128, settings: Settings) -> (RoomId, Guest) {
        let caller = self.person(n).await;
        let request = Some(RequestId([n as u8; 16]));
        let creator = Caller {
            request,
            ..caller.clone()
        };
        let snapshot = self.rooms.create(&creator, settings).await.unwrap();
        (
            snapshot.room,
            self.join(&caller, snapshot.room, None).await.unwrap(),
        )
    }

    /// Person `n` joins.
    pub(super) async fn guest(&self, n: u128, room: RoomId) -> Guest {
        let caller = self.person(n).await;
        self.join(&caller, room, None).await.unwrap()
    }

    /// Joins with a client and a live socket.
    pub(super) async fn join(
        &self,
        caller: &Caller,
        room: RoomId,
        resume_token: Option<String>,
    ) -> Result<Guest, Error> {
        let socket = SocketId::new(Home::default(), u128::from_be_bytes(crate::secrets::random()));
        let (sink, live) = LiveSink::new(socket, caller.user, caller.device, SOCKET);
        assert!(self.sockets.add(sink.clone(), usize::MAX));
        let (ticket, sdp) = self.ears.offer().await;
        let request = JoinRequest {
            sdp,
            resume_token,
            link_key: None,
            socket: Some(socket),
        };
        let joined = self.rooms.join(caller, room, request).await?;
        let ear = self.ears.accept(ticket, joined.sdp.clone()).await;
        let ears = &self.ears;
        until!("the client is connected", ears.is_up(ear).await);
        Ok(Guest {
            caller: caller.clone(),
            ear,
            joined,
            live,
            sink,
            seen: vec![],
        })
    }

    /// Brings a guest on stage by a raised hand, and lets them speak.
    pub(super) async fn bring_on_stage(&self, host: &Guest, guest: &mut Guest, room: RoomId) -> u32 {
        self.rooms.raise_hand(&guest.caller, room).await.unwrap();
        self.rooms
            .answer_hand(&host.caller, room, guest.caller.user, true)
            .await
            .unwrap();
        self.rooms
            .answer_invitation(&guest.caller, room, true)
            .await
            .unwrap();
        self.rooms.mute(&guest.caller, room, false).await.unwrap();
        self.ears.speak(guest.ear).await;
        let user = guest.caller.user;
        // The answers come from the room's home; what the forwarder shows follows in a moment.
        until!(format!("person {} speaks", user.bits()), {
            self.snapshot(guest, room).await.muted(user) == Some(false)
        });
        self.snapshot(guest, room).await.number(user).unwrap()
    }

    pub(super) async fn snapshot(&self, guest: &Guest, room: RoomId) -> Snapshot {
        self.rooms.room(&guest.caller, room, None).await.unwrap()
    }

    /// Waits until new packets of a speaker arrive.
    pub(super) async fn hears(&self, guest: &Guest, number: u32) {
        let before = self.ears.heard(guest.ear, number).await;
        until!(
            format!("person {} hears number {number}", guest.caller.user.bits()),
            self.ears.heard(guest.ear, number).await > before + 10
        );
    }

    /// Waits until no packets of a speaker have arrived for a while: as long as 25 of them take.
    pub(super) async fn stops_hearing(&self, guest: &Guest, number: u32) {
        let mut heard = self.ears.heard(guest.ear, number).await;
        let mut quiet_since = Instant::now();
        until!(
            format!(
                "person {} hears number {number} no more",
                guest.caller.user.bits()
            ),
            {
                let now = self.ears.heard(guest.ear, number).await;
                if now != heard {
                    (heard, quiet_since) = (now, Instant::now());
                }
                quiet_since.elapsed() > Duration::from_millis(500)
            }
        );
    }
}

impl Guest {
    /// Waits for a live message; earlier ones are kept in `seen`.
    pub(super) async fn sees(&mut self, what: &str, wanted: impl Fn(&LiveMessage) -> bool) -> LiveMessage {
        let mut from = 0;
        loop {
            if let Some(found) = self.seen[from..].iter().find(|message| wanted(message)) {
                return found.clone();
            }
            from = self.seen.len();
            let next = tokio::time::timeout(PATIENCE, self.live.next()).await;
            let next = next.unwrap_or_else(|_| panic!("never seen: {what}; but {:?}", self.seen));
            self.seen
                .push(next.unwrap_or_else(|reason| panic!("closed ({reason:?}) before: {what}")));
        }
    }

    pub(super) async fn is_told_to_leave(&mut self, why: LeftWhy) {
        self.sees(
            &format!("{why:?}"),
            |message| matches!(message, LiveMessage::LeftRoom { why: told, .. } if *told == why),
        )
        .await;
    }

    /// The sequences of the room's changes that came so far.
    pub(super) fn sequences(&self) -> Vec<u64> {
        let of = |message: &LiveMessage| match message {
            LiveMessage::Room { seq, .. } => Some(*seq),
            _ => None,
        };
        self.seen.iter().filter_map(of).collect()
    }
}

/// Questions to a snapshot.
pub(super) trait Ask {
    fn number(&self, user: UserId) -> Option<u32>;
    fn muted(&self, user: UserId) -> Option<bool>;
    fn away(&self, user: UserId) -> Option<bool>;
}

impl Ask for Snapshot {
    fn number(&self, user: UserId) -> Option<u32> {
        self.stage
            .iter()
            .find(|member| member.person.id == user)
            .map(|member| member.number)
    }

    fn muted(&self, user: UserId) -> Option<bool> {
        self.stage
            .iter()
            .find(|member| member.person.id == user)
            .map(|member| member.muted)
    }

    fn away(&self, user: UserId) -> Option<bool> {
        self.stage
            .iter()
            .find(|member| member.person.id == user)
            .map(|member| member.away)
    }
}

pub(super) fn secrets() -> Secrets {
    Secrets::new(
        [1; KEY_BYTES],
        &[Master {
            kid: "test".into(),
            key: [2; KEY_BYTES],
        }],
    )
    .unwrap()
}
