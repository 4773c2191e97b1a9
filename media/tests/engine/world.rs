//! An engine on loopback and its light clients.

use mitalk_media::light::{Client, Crowd, Identity, Person, State};
use mitalk_media::{
    Config, Engine, Events, Handle, Join, Metrics, Rights, RoomKey, SessionEvent, SessionKey, StageNumber,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const ROOM: RoomKey = RoomKey(1);
/// Generous: the machine may be busy with other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const VOICE: &[u8] = &[
    0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
];

pub(super) fn config() -> Config {
    Config {
        bind: vec![SocketAddr::new(LOOPBACK, 0)],
        ..Config::default()
    }
}

pub(super) fn metrics() -> (Metrics, prometheus::Registry) {
    let registry = prometheus::Registry::new();
    (Metrics::register(&registry).unwrap(), registry)
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) handle: Handle,
    pub(super) events: Events,
    pub(super) crowd: Crowd,
    pub(super) identity: Arc<Identity>,
    pub(super) rng: StdRng,
    pub(super) registry: prometheus::Registry,
    pub(super) started: Instant,
    /// Who speaks, and the packets that they have sent.
    pub(super) speaking: Vec<(usize, u64)>,
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        let (metrics, registry) = metrics();
        let (engine, events) = Engine::start(config, metrics).unwrap();
        Self {
            handle: engine.handle(),
            engine,
            events,
            crowd: Crowd::new(Instant::now()).unwrap(),
            identity: Identity::new().unwrap(),
            rng: StdRng::seed_from_u64(1),
            registry,
            started: Instant::now(),
            speaking: Vec::new(),
        }
    }

    pub(super) fn client(&mut self) -> Client {
        Client::new(&self.identity, 3, &mut self.rng, Instant::now())
    }

    pub(super) async fn join(&mut self, rights: Rights) -> usize {
        let mut client = self.client();
        let session = SessionKey(self.crowd.people().len() as u64);
        let join = Join {
            room: ROOM,
            session,
            rights,
            offer: client.offer(),
            grace: Duration::from_secs(30),
        };
        let answer = self.handle.join(join).await.unwrap();
        client.accept(&answer.sdp, Instant::now()).unwrap();
        self.crowd.add(client, LOOPBACK).unwrap()
    }

    pub(super) fn speak(&mut self, person: usize) {
        self.speaking.push((person, 0));
    }

    /// Runs the clients until something holds.
    pub(super) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut [Person]) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self.crowd.people()) {
            let now = self.crowd.turn(Duration::from_millis(5), |_, _, _| {});
            assert!(now < end, "not within {PATIENCE:?}: {what}; {:?}", self.crowd);
            let packets = now.duration_since(self.started).as_millis() as u64 / 20;
            for (person, sent) in &mut self.speaking {
                let Person { client, wire } = &mut self.crowd.people()[*person];
                if *sent < packets {
                    client.speak(20, VOICE, wire);
                    *sent = packets;
                }
            }
        }
    }

    pub(super) fn until_up(&mut self) {
        self.until("all are connected", |people| {
            people.iter().all(|p| p.client.state() == State::Up)
        });
    }

    pub(super) async fn event(&mut self) -> SessionEvent {
        tokio::time::timeout(PATIENCE, self.events.next())
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) fn metric(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let values = family.into_iter().flat_map(|family| family.get_metric());
        values
            .map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value())
            .sum()
    }
}

pub(super) fn packets(person: &Person) -> u64 {
    person.client.slots().iter().map(|slot| slot.packets).sum()
}

pub(super) fn speaks(number: u32) -> Rights {
    Rights::Speak(StageNumber(number))
}
