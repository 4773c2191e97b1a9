//! A light client on a socket, driven by a task: whatever a test wants it to send, it sends, and what it hears is kept.

use anyhow::Context;
use mitalk::wire::rooms::{JoinRequest, Joined};
use mitalk_load::pattern::{self, FRAME_MS, Frame, Heard as Payload};
use mitalk_load::people::Person;
use mitalk_media::light::{Client, Identity, MAX_DATAGRAM_BYTES, State, Wire, candidates};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};

/// Slots that everybody has here.
pub const SLOTS: usize = 3;
/// Generous: tests wait for conditions.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often timers and conditions are looked at.
const TICK: Duration = Duration::from_millis(10);
/// A clear voice, in -dBov.
const VOICE_LEVEL: u8 = 20;
const ORDERS: usize = 1024;

/// An intact frame that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whose, and the how-manieth.
    pub frame: Frame,
    /// The stage number that the server gave it.
    pub csrc: Option<u32>,
}

/// What has reached a session.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    /// In order of arrival.
    pub frames: Vec<Heard>,
    /// Payloads that no frame of the tests is, silence not counted, with the stage number that the server gave them.
    pub foreign: Vec<(Option<u32>, Vec<u8>)>,
    /// Packets of RTP in all.
    pub packets: usize,
}

type Act = Box<dyn FnOnce(&mut Client, &mut Outgoing) + Send>;

/// A session in a room. Its task ends when this is dropped, without a goodbye.
pub struct Session {
    /// The server's answer to the join.
    pub joined: Joined,
    orders: mpsc::Sender<Act>,
    ear: Arc<Mutex<Ear>>,
    state: watch::Receiver<State>,
}

/// Datagrams on their way out.
pub struct Outgoing {
    buffer: [u8; MAX_DATAGRAM_BYTES],
    datagrams: Vec<(Vec<u8>, SocketAddr)>,
}

impl Wire for Outgoing {
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        &mut self.buffer
    }

    fn send(&mut self, len: usize, to: SocketAddr) {
        self.datagrams.push((self.buffer[..len].to_vec(), to));
    }
}

impl Session {
    /// Joins, and waits until audio can flow.
    ///
    /// # Errors
    /// A refusal of the API, or no connection.
    pub async fn join(person: &Person, room: &str, resume_token: Option<&str>) -> anyhow::Result<Self> {
        let mut client = Client::new(&Identity::new()?, SLOTS, &mut rand::rng(), Instant::now());
        let resume_token = resume_token.map(str::to_owned);
        let joined = person
            .client
            .join(
                room,
                &JoinRequest {
                    sdp: client.offer(),
                    resume_token,
                    ..JoinRequest::default()
                },
            )
            .await?;
        anyhow::ensure!(!candidates(&joined.sdp).is_empty(), "the answer has no candidate");
        client.accept(&joined.sdp, Instant::now())?;
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (tell, state) = watch::channel(client.state());
        let ear = Arc::new(Mutex::new(Ear::default()));
        let driver = Driver {
            client,
            socket,
            ear: ear.clone(),
            state: tell,
        };
        tokio::spawn(driver.run(inbox));
        let mut session = Self {
            joined,
            orders,
            ear,
            state,
        };
        session.reaches(State::Up).await?;
        Ok(session)
    }

    /// Waits for a state of the connection.
    ///
    /// # Errors
    /// It was not reached in time.
    pub async fn reaches(&mut self, state: State) -> anyhow::Result<()> {
        let reached = tokio::time::timeout(PATIENCE, self.state.wait_for(|s| *s == state)).await;
        reached.with_context(|| format!("waited {PATIENCE:?} to be {state:?}"))??;
        Ok(())
    }

    /// Has the client do something, whatever it is.
    pub async fn act(&self, act: impl FnOnce(&mut Client, &mut Outgoing) + Send + 'static) {
        assert!(
            self.orders.send(Box::new(act)).await.is_ok(),
            "the session's task has ended"
        );
    }

    /// New ICE credentials for the same session, agreed with the server, as after a change of network.
    ///
    /// # Errors
    /// A refusal of the API, or an answer that can not be used.
    pub async fn restart_ice(&self, person: &Person, room: &str) -> anyhow::Result<()> {
        let (tell, offer) = oneshot::channel();
        self.act(move |client, _| {
            client.restart(&mut rand::rng());
            let _ = tell.send(client.offer());
        })
        .await;
        let offer = offer.await?;
        let answer = person
            .client
            .restart_ice(room, &self.joined.session, &offer)
            .await?
            .sdp;
        let (tell, accepted) = oneshot::channel();
        self.act(move |client, wire| {
            let accepted = client.accept(&answer, Instant::now());
            client.check(Instant::now(), wire);
            let _ = tell.send(accepted);
        })
        .await;
        Ok(accepted.await??)
    }

    /// The SSRC of its microphone.
    ///
    /// # Errors
    /// Its task has ended.
    pub async fn ssrc(&self) -> anyhow::Result<u32> {
        let (tell, ssrc) = oneshot::channel();
        self.act(move |client, _| {
            let _ = tell.send(client.ssrc());
        })
        .await;
        Ok(ssrc.await?)
    }

    /// What was heard so far.
    pub fn ear(&self) -> MutexGuard<'_, Ear> {
        self.ear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the session has heard something.
    ///
    /// # Errors
    /// It did not, in time.
    pub async fn hears(&self, what: &str, mut condition: impl FnMut(&Ear) -> bool) -> anyhow::Result<()> {
        let search = async {
            while !condition(&self.ear()) {
                tokio::time::sleep(TICK).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.with_context(|| {
            format!(
                "waited {PATIENCE:?} to hear {what}; last {:?}",
                self.ear().frames.last()
            )
        })
    }

    /// Says frames of a speaker in real time, from this one on, until the task is aborted. `said` is the next frame.
    pub fn talk(&self, speaker: u32, from: u32) -> Talk {
        let (orders, (said, next)) = (self.orders.clone(), watch::channel(from));
        let task = tokio::spawn(async move {
            let mut clock = clock();
            for counter in from.. {
                clock.tick().await;
                let payload = frame(speaker, counter);
                // One at a time: frames that pile up behind a driver that has no time would leave all at once.
                let (tell, sent) = oneshot::channel();
                let speak: Act = Box::new(move |client, wire| {
                    client.speak(VOICE_LEVEL, &payload, wire);
                    let _ = tell.send(());
                });
                if orders.send(speak).await.is_err() || sent.await.is_err() {
                    return;
                }
                said.send_replace(counter + 1);
            }
        });
        Talk { next, task }
    }
}

/// Somebody talking. Ends when dropped.
pub struct Talk {
    next: watch::Receiver<u32>,
    task: tokio::task::JoinHandle<()>,
}

impl Talk {
    /// The next frame that will be said.
    pub fn next(&self) -> u32 {
        *self.next.borrow()
    }

    /// Waits until so many more frames were said. Returns the next one.
    ///
    /// # Errors
    /// The talk has ended.
    pub async fn goes_on(&mut self, frames: u32) -> anyhow::Result<u32> {
        let goal = self.next() + frames;
        Ok(*self.next.wait_for(|next| *next >= goal).await?)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ticks once per frame. A machine that was busy makes a pause, and no burst: of more than 60 packets at once the server
/// drops what is over, as it must, and a listener would miss what was the test's own fault.
pub fn clock() -> tokio::time::Interval {
    let mut clock = tokio::time::interval(Duration::from_millis(FRAME_MS));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    clock
}

/// The payload of a speaker's frame in these tests.
pub fn frame(speaker: u32, counter: u32) -> [u8; pattern::FRAME_BYTES] {
    Frame {
        run: RUN,
        speaker,
        counter,
        due_us: 0,
    }
    .write()
}

/// Names these tests in their frames.
pub const RUN: u32 = 0x7e57;

struct Driver {
    client: Client,
    socket: UdpSocket,
    ear: Arc<Mutex<Ear>>,
    state: watch::Sender<State>,
}

impl Driver {
    async fn run(mut self, mut orders: mpsc::Receiver<Act>) {
        let mut out = Outgoing {
            buffer: [0; MAX_DATAGRAM_BYTES],
            datagrams: Vec::new(),
        };
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        let mut clock = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(act) => act(&mut self.client, &mut out),
                    None => return,
                },
                _ = clock.tick() => self.client.tick(Instant::now(), &mut out),
                received = self.socket.recv_from(&mut datagram) => {
                    // An ICMP error of a server that closed its port is no datagram.
                    if let Ok((len, from)) = received {
                        self.take(from, &mut datagram[..len], &mut out);
                    }
                }
            }
            for (bytes, to) in out.datagrams.drain(..) {
                let _ = self.socket.send_to(&bytes, to).await;
            }
            let state = self.client.state();
            self.state
                .send_if_modified(|known| std::mem::replace(known, state) != state);
        }
    }

    fn take(&mut self, from: SocketAddr, datagram: &mut [u8], out: &mut Outgoing) {
        let Some(received) = self.client.handle(from, datagram, Instant::now(), out) else {
            return;
        };
        let mut ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        ear.packets += 1;
        let payload = &datagram[received.payload];
        match pattern::read(payload) {
            Payload::Frame(frame) if frame.run == RUN => ear.frames.push(Heard {
                frame,
                csrc: received.header.csrc,
            }),
            Payload::Quiet => {}
            Payload::Frame(_) | Payload::Foreign => {
                ear.foreign.push((received.header.csrc, payload.to_vec()))
            }
        }
    }
}
