//! The restart policy of a shard's thread, on real threads and sockets.

use super::*;
use crate::engine::MAX_FAILURES;
use crate::light::{Client, Crowd, Identity, State};
use crate::{Gone, StageNumber};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room `n` lives on shard `n`.
const SHARDS: usize = 2;

struct World {
    engine: Engine,
    handle: Handle,
    events: Events,
    crowd: Crowd,
    identity: Arc<Identity>,
    rng: StdRng,
}

impl World {
    fn new() -> Self {
        let config = Config {
            bind: vec![SocketAddr::new(LOOPBACK, 0)],
            threads: SHARDS,
            ..Config::default()
        };
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let (engine, events) = Engine::start(config, metrics).unwrap();
        Self {
            handle: engine.handle(),
            engine,
            events,
            crowd: Crowd::new(Instant::now()).unwrap(),
            identity: Identity::new().unwrap(),
            rng: StdRng::seed_from_u64(1),
        }
    }

    async fn join(&mut self, room: u64, session: u64) -> Result<usize, Error> {
        let mut client = Client::new(&self.identity, 3, &mut self.rng, Instant::now());
        let join = Join {
            room: RoomKey(room),
            session: SessionKey(session),
            rights: Rights::Speak(StageNumber(1)),
            offer: client.offer(),
            grace: Duration::from_secs(30),
        };
        let answer = self.handle.join(join).await?;
        client.accept(&answer.sdp, Instant::now()).unwrap();
        Ok(self.crowd.add(client, LOOPBACK).unwrap())
    }

    fn until_up(&mut self, person: usize) {
        let end = Instant::now() + PATIENCE;
        while self.crowd.people()[person].client.state() != State::Up {
            assert!(self.crowd.turn(Duration::from_millis(5), |_, _, _| {}) < end);
        }
    }

    fn panic(&self, shard: usize) {
        self.handle.shards[shard].send(Command::Panic).unwrap();
    }

    async fn event(&mut self) -> SessionEvent {
        let event = tokio::time::timeout(PATIENCE, self.events.next());
        event.await.expect("no event").expect("the engine has stopped")
    }
}

#[tokio::test]
async fn a_panic_ends_the_sessions_of_its_shard_and_a_fresh_one_goes_on() {
    let mut world = World::new();
    let (first, second) = (SessionKey(0), SessionKey(1));
    for n in 0..2 {
        let person = world.join(n, n).await.unwrap();
        world.until_up(person);
        let session = SessionKey(n);
        assert_eq!(world.event().await, SessionEvent::Up { session });
    }
    world.panic(0);
    let why = Gone::Failed;
    assert_eq!(world.event().await, SessionEvent::Gone { session: first, why });

    // Over the same port, under the same key.
    let again = world.join(0, 0).await.unwrap();
    world.until_up(again);
    assert_eq!(world.event().await, SessionEvent::Up { session: first });
    let stats = world.handle.stats().await;
    let mut living: Vec<SessionKey> = stats.sessions.iter().map(|s| s.session).collect();
    living.sort_unstable();
    assert_eq!((living, stats.stopped_shards), (vec![first, second], 0));
}

#[tokio::test]
async fn a_shard_that_keeps_failing_is_given_up_and_says_so() {
    let mut world = World::new();
    let person = world.join(1, 1).await.unwrap();
    world.until_up(person);
    assert_eq!(
        world.event().await,
        SessionEvent::Up {
            session: SessionKey(1)
        }
    );
    for failure in 0..=MAX_FAILURES {
        assert_eq!(world.handle.stats().await.stopped_shards, 0, "failure {failure}");
        world.join(0, 0).await.unwrap();
        world.panic(0);
        let (session, why) = (SessionKey(0), Gone::Failed);
        assert_eq!(world.event().await, SessionEvent::Gone { session, why });
    }
    for _ in 0..2 {
        assert_eq!(
            world.join(0, 0).await,
            Err(Error::Stopped),
            "and the key is free again"
        );
    }
    let stats = world.handle.stats().await;
    assert_eq!(
        (stats.sessions.len(), stats.stopped_shards),
        (1, 1),
        "the other one goes on"
    );
    let World {
        engine, mut events, ..
    } = world;
    engine.shutdown();
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    let (session, why) = (SessionKey(1), Gone::Removed);
    assert_eq!(last, Some(SessionEvent::Gone { session, why }));
}
