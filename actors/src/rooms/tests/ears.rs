//! Light clients on a thread of their own, for asynchronous tests.

use mitalk_media::light::{Client, Crowd, Identity, Person, State};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SLOTS: usize = 3;
/// RFC 6464: well above silence.
const LEVEL: u8 = 20;
const VOICE: &[u8] = &[
    0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
];

type Errand = Box<dyn FnOnce(&mut Hall) + Send>;

/// All clients of a test.
pub(super) struct Ears(Sender<Errand>);

/// On the thread.
pub(super) struct Hall {
    crowd: Crowd,
    identity: Arc<Identity>,
    rng: StdRng,
    /// Offered and not answered yet.
    fresh: HashMap<u64, Client>,
    next: u64,
    /// Who speaks, and how many packets they have sent.
    speaking: HashMap<usize, u64>,
    started: Instant,
}

impl Ears {
    pub(super) fn new() -> Self {
        let (sender, errands) = channel();
        std::thread::spawn(move || run(&errands));
        Self(sender)
    }

    /// Does something with the clients.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hall) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let errand = move |hall: &mut Hall| drop(reply.send(work(hall)));
        self.0
            .send(Box::new(errand))
            .expect("the thread lives as long as the test");
        answer.await.expect("errands do not panic")
    }

    /// A new client's offer, and its ticket.
    pub(super) async fn offer(&self) -> (u64, String) {
        self.with(|hall| {
            let client = Client::new(&hall.identity, SLOTS, &mut hall.rng, Instant::now());
            let offer = client.offer();
            hall.next += 1;
            hall.fresh.insert(hall.next, client);
            (hall.next, offer)
        })
        .await
    }

    /// Takes the answer; gives the client's number.
    pub(super) async fn accept(&self, ticket: u64, answer: String) -> usize {
        self.with(move |hall| {
            let mut client = hall.fresh.remove(&ticket).expect("an offer is answered once");
            client
                .accept(&answer, Instant::now())
                .expect("the engine's answers are good");
            hall.crowd.add(client, LOOPBACK).expect("there are sockets left")
        })
        .await
    }

    pub(super) async fn speak(&self, ear: usize) {
        self.with(move |hall| {
            let now = hall.ticks();
            hall.speaking.insert(ear, now);
        })
        .await;
    }

    pub(super) async fn is_up(&self, ear: usize) -> bool {
        self.with(move |hall| hall.person(ear).client.state() == State::Up)
            .await
    }

    pub(super) async fn is_closed(&self, ear: usize) -> bool {
        self.with(move |hall| hall.person(ear).client.state() == State::Closed)
            .await
    }

    /// Packets that a client heard from a speaker lately: those whose slot has this speaker now.
    pub(super) async fn heard(&self, ear: usize, number: u32) -> u64 {
        self.with(move |hall| {
            let slots = hall.person(ear).client.slots().iter();
            slots
                .filter(|slot| slot.speaker == Some(number))
                .map(|slot| slot.packets - slot.silent)
                .sum()
        })
        .await
    }

    /// Says goodbye, as a page that reloads does.
    pub(super) async fn close(&self, ear: usize) {
        self.with(move |hall| {
            hall.speaking.remove(&ear);
            let Person { client, wire } = hall.person(ear);
            client.close(Instant::now(), wire);
        })
        .await;
    }

    /// New ICE credentials, and the offer with them.
    pub(super) async fn restart(&self, ear: usize) -> String {
        self.with(move |hall| {
            let mut rng = StdRng::seed_from_u64(hall.next + 1_000);
            let person = hall.person(ear);
            person.client.restart(&mut rng);
            person.client.offer()
        })
        .await
    }

    pub(super) async fn restarted(&self, ear: usize, answer: String) {
        self.with(move |hall| {
            hall.crowd
                .move_away(ear, LOOPBACK)
                .expect("there are sockets left");
            let now = Instant::now();
            hall.person(ear)
                .client
                .accept(&answer, now)
                .expect("the engine's answers are good");
        })
        .await;
    }
}

impl Hall {
    fn person(&mut self, ear: usize) -> &mut Person {
        &mut self.crowd.people()[ear]
    }

    /// Packets that somebody who has spoken from the start would have sent.
    fn ticks(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 / 20
    }
}

fn run(errands: &Receiver<Errand>) {
    let now = Instant::now();
    let mut hall = Hall {
        crowd: Crowd::new(now).expect("there are descriptors left"),
        identity: Identity::new().expect("cryptography works"),
        rng: StdRng::seed_from_u64(7),
        fresh: HashMap::new(),
        next: 0,
        speaking: HashMap::new(),
        started: now,
    };
    loop {
        loop {
            match errands.try_recv() {
                Ok(errand) => errand(&mut hall),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        hall.crowd.turn(Duration::from_millis(2), |_, _, _| {});
        let ticks = hall.ticks();
        for (ear, sent) in &mut hall.speaking {
            let Person { client, wire } = &mut hall.crowd.people()[*ear];
            if *sent < ticks {
                client.speak(LEVEL, VOICE, wire);
                *sent = ticks;
            }
        }
    }
}
