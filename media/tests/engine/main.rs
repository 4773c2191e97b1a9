//! The real engine over loopback: threads, sockets, queues and events, with light clients.
//!
//! What goes through the shard's logic is proven on a simulated network (`src/shard/tests.rs`); here are the edges that a
//! simulation leaves out.

#![allow(
    clippy::unwrap_used,
    reason = "a test's helpers fail by panicking, like the test"
)]

mod world;

use mitalk_media::light::{Heard, State};
use mitalk_media::{
    Config, Engine, Error, Gone, Join, Rights, SessionEvent, SessionKey, StageNumber, StartError,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use world::*;

#[tokio::test]
async fn people_hear_each_other_until_one_is_muted_and_one_leaves() {
    let mut world = World::new(config());
    let (a, b) = (world.join(speaks(1)).await, world.join(speaks(2)).await);
    let listener = world.join(Rights::Listen).await;
    world.until_up();
    world.speak(a);
    world.speak(b);
    world.until("everybody hears the others", |people| {
        packets(&people[listener]) > 60 && packets(&people[a]) > 30 && packets(&people[b]) > 30
    });
    let heard = |heard: &Heard| (heard.lost, heard.late, heard.breaks);
    for person in world.crowd.people() {
        assert!(
            person.client.slots().iter().all(|slot| heard(slot) == (0, 0, 0)),
            "{person:?}"
        );
        assert_eq!(person.client.strays(), 0);
    }

    world
        .handle
        .set_rights(SessionKey(b as u64), Rights::Muted(StageNumber(2)))
        .unwrap();
    world.until("the muted one's slot is closed by silence", |people| {
        people[listener]
            .client
            .slots()
            .iter()
            .any(|slot| slot.speaker == Some(2) && slot.silent == 3)
    });
    world.handle.leave(SessionKey(a as u64)).unwrap();
    // Again does no harm, whether the session is still there or not.
    let again = world.handle.leave(SessionKey(a as u64));
    assert!(matches!(again, Ok(()) | Err(Error::NoSuchSession)), "{again:?}");
    world.until("the one who left is told", |people| {
        people[a].client.state() == State::Closed
    });
    let mut gone = Vec::new();
    while gone.is_empty() {
        if let SessionEvent::Gone { session, why } = world.event().await {
            gone.push((session, why));
        }
    }
    assert_eq!(gone, [(SessionKey(a as u64), Gone::Removed)]);
    assert_eq!(
        world.handle.set_rights(SessionKey(a as u64), speaks(1)),
        Err(Error::NoSuchSession)
    );
    assert_eq!(world.handle.stats().await.sessions.len(), 2);
}

#[tokio::test]
async fn a_restart_from_another_socket_goes_on() {
    let mut world = World::new(config());
    let (speaker, listener) = (world.join(speaks(1)).await, world.join(Rights::Listen).await);
    world.until_up();
    world.speak(speaker);
    world.until("audio", |people| packets(&people[listener]) > 10);
    world.crowd.move_away(listener, LOOPBACK).unwrap();
    let mut rng = StdRng::seed_from_u64(2);
    world.crowd.people()[listener].client.restart(&mut rng);
    let offer = world.crowd.people()[listener].client.offer();
    let answer = world
        .handle
        .restart(SessionKey(listener as u64), offer)
        .await
        .unwrap();
    world.crowd.people()[listener]
        .client
        .accept(&answer.sdp, Instant::now())
        .unwrap();
    let before = packets(&world.crowd.people()[listener]);
    world.until("audio again", |people| packets(&people[listener]) > before + 20);
    let slots = world.crowd.people()[listener].client.slots();
    assert!(slots.iter().all(|slot| slot.breaks == 0), "{slots:?}");
}

#[tokio::test]
async fn ipv6_works_beside_ipv4() {
    let ipv6: IpAddr = Ipv6Addr::LOCALHOST.into();
    if std::net::UdpSocket::bind((ipv6, 0)).is_err() {
        println!("no IPv6 here; nothing tried");
        return;
    }
    let mut world = World::new(Config {
        bind: vec![SocketAddr::new(LOOPBACK, 0), SocketAddr::new(ipv6, 0)],
        ..config()
    });
    let (speaker, listener) = (world.join(speaks(1)).await, world.join(Rights::Listen).await);
    world.crowd.move_away(listener, ipv6).unwrap();
    world.until_up();
    world.speak(speaker);
    world.until("audio by IPv6", |people| packets(&people[listener]) > 20);
}

#[tokio::test]
async fn a_closed_room_ends_for_all_and_the_keys_can_be_used_again() {
    let mut world = World::new(Config {
        threads: 2,
        ..config()
    });
    for _ in 0..3 {
        world.join(Rights::Listen).await;
    }
    world.until_up();
    world.handle.close_room(ROOM);
    world.until("all are told", |people| {
        people.iter().all(|p| p.client.state() == State::Closed)
    });
    let mut gone = 0;
    while gone < 3 {
        gone += usize::from(matches!(
            world.event().await,
            SessionEvent::Gone {
                why: Gone::Removed,
                ..
            }
        ));
    }
    let offer = world.client().offer();
    let join = Join {
        room: ROOM,
        session: SessionKey(0),
        rights: Rights::Listen,
        offer,
        grace: Duration::from_secs(30),
    };
    world.handle.join(join.clone()).await.unwrap();
    assert_eq!(world.handle.join(join).await, Err(Error::SessionExists));
}

#[tokio::test]
async fn a_full_node_a_bad_offer_and_a_stopped_engine_say_so() {
    let mut world = World::new(Config {
        max_sessions: 1,
        ..config()
    });
    let offer = world.client().offer();
    let join = |session, offer: &str| Join {
        room: ROOM,
        session: SessionKey(session),
        rights: Rights::Listen,
        offer: offer.to_owned(),
        grace: Duration::from_secs(30),
    };
    let bad = world
        .handle
        .join(join(1, &offer.replace("m=audio", "m=video")))
        .await;
    assert!(matches!(bad, Err(Error::BadOffer(_))), "{bad:?}");
    // Passes the first look and is refused by str0m; the place is free again afterwards.
    let broken = offer.replace("a=fingerprint:sha-256 ", "a=fingerprint:nonsense");
    let bad = world.handle.join(join(1, &broken)).await;
    assert!(matches!(bad, Err(Error::BadOffer(_))), "{bad:?}");
    world.handle.join(join(1, &offer)).await.unwrap();
    assert_eq!(world.handle.join(join(2, &offer)).await, Err(Error::Full));
    assert_eq!(
        world.handle.restart(SessionKey(2), offer.clone()).await,
        Err(Error::NoSuchSession)
    );
    world.engine.shutdown();
    assert_eq!(world.handle.join(join(3, &offer)).await, Err(Error::Stopped));
    let stats = world.handle.stats().await;
    assert_eq!((stats.sessions.len(), stats.stopped_shards), (0, 1));
}

#[tokio::test]
async fn shutdown_says_goodbye_and_ends_the_events() {
    let mut world = World::new(config());
    let person = world.join(Rights::Listen).await;
    world.until_up();
    let World {
        engine,
        mut events,
        mut crowd,
        ..
    } = world;
    engine.shutdown();
    let end = Instant::now() + PATIENCE;
    while crowd.people()[person].client.state() != State::Closed {
        assert!(
            crowd.turn(Duration::from_millis(5), |_, _, _| {}) < end,
            "no goodbye"
        );
    }
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(
        last,
        Some(SessionEvent::Gone {
            session: SessionKey(0),
            why: Gone::Removed
        })
    );
}

#[test]
fn a_busy_port_and_wrong_values_are_explained() {
    let (metrics, _registry) = metrics();
    let taken = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let on = |ip, port| Config {
        bind: vec![SocketAddr::new(ip, port)],
        ..Config::default()
    };
    let why = |config| Engine::start(config, metrics.clone()).map(drop).unwrap_err();
    let busy = why(on(LOOPBACK, port));
    assert!(
        matches!(busy, StartError::PortBusy(_)) && busy.to_string().contains(&port.to_string()),
        "{busy}"
    );
    let foreign = why(on(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77)), 0));
    assert!(matches!(foreign, StartError::NotOurAddress(_)), "{foreign}");
    for (wrong, field) in [
        (
            Config {
                bind: Vec::new(),
                ..config()
            },
            "media.bind",
        ),
        (
            Config {
                threads: 0,
                ..config()
            },
            "media.threads",
        ),
        (
            Config {
                max_sessions: 0,
                ..config()
            },
            "media.max_sessions",
        ),
        (
            Config {
                announce: vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()],
                ..config()
            },
            "media.announce",
        ),
        (
            Config {
                announce: vec!["::1".parse().unwrap()],
                ..config()
            },
            "media.announce",
        ),
    ] {
        let said = why(wrong).to_string();
        assert!(said.starts_with(field), "{said}");
    }
    let unknown = serde_json::from_str::<Config>(r#"{"bind": ["0.0.0.0:7400"], "thread": 2}"#);
    assert!(unknown.unwrap_err().to_string().contains("thread"));
}

#[test]
fn bound_to_all_addresses_it_can_be_reached_on_loopback() {
    let (metrics, _registry) = metrics();
    let config = Config {
        bind: vec!["0.0.0.0:0".parse().unwrap()],
        ..Config::default()
    };
    let (engine, _events) = Engine::start(config, metrics).unwrap();
    let candidates = engine.candidates();
    assert!(
        candidates.iter().any(|candidate| candidate.ip() == LOOPBACK),
        "{candidates:?}"
    );
    assert!(!candidates.iter().any(|candidate| candidate.ip().is_unspecified()));
}

#[test]
fn each_thread_announces_the_outside_port_that_leads_to_it() {
    let (metrics, _registry) = metrics();
    let config = Config {
        announce: vec!["203.0.113.7:30400".parse().unwrap(), LOOPBACK.into()],
        threads: 2,
        ..config()
    };
    let (engine, _events) = Engine::start(config, metrics).unwrap();
    let told = engine.candidates();
    let outside: Vec<_> = told
        .iter()
        .filter(|c| c.ip() != LOOPBACK)
        .map(ToString::to_string)
        .collect();
    assert_eq!(outside, ["203.0.113.7:30400", "203.0.113.7:30401"]);
    assert_eq!(told.len(), 4, "and the address without a port has the bound ones");
}

#[tokio::test]
async fn counters_are_published() {
    let mut world = World::new(config());
    let (speaker, listener) = (world.join(speaks(1)).await, world.join(Rights::Listen).await);
    world.until_up();
    world.speak(speaker);
    world.until("audio for more than a second", |people| {
        packets(&people[listener]) > 60
    });
    assert_eq!(world.metric("mitalk_media_sessions"), 2.0);
    assert_eq!(world.metric("mitalk_media_joins_total"), 2.0);
    assert!(world.metric("mitalk_media_packets_out_total") >= 1.0);
    assert_eq!(world.metric("mitalk_media_panics_total"), 0.0);
    world.engine.shutdown();
}
