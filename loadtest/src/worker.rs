//! A thread that carries the media of many peers. It owns them and their sockets; orders come in by a bounded queue.

use crate::ear::Counts;
use crate::peer::{Peer, Role, Shared};
use crate::report::Times;
use crate::socket::{Poll, Waker};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Orders that wait; more than joins that can be under way at a time.
const QUEUE: usize = 4096;
/// Checks and handshakes are looked at so often; their own timers are 50 ms and longer.
const TICK: Duration = Duration::from_millis(10);

/// What a worker is told.
enum Order {
    Add(Box<Peer>),
    Remove {
        token: Token,
        reply: oneshot::Sender<()>,
    },
    Hush(oneshot::Sender<Vec<(u32, Option<u32>)>>),
    Look(oneshot::Sender<Look>),
    Finish {
        sent: Vec<Option<u32>>,
        reply: oneshot::Sender<Tally>,
    },
}

/// Names a peer of a worker: its socket's local port, which no two peers of a process share.
pub type Token = u16;

/// A glance at a worker under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// All listeners' packets so far, judged.
    pub heard: Counts,
    /// Sessions that the server has ended so far.
    pub dropped: u32,
}

/// What a worker's listeners heard.
#[derive(Debug, Default)]
pub struct Tally {
    /// All listeners' packets, judged.
    pub heard: Counts,
    /// From a frame's due time to its decryption.
    pub latency: Times,
    /// Sessions that the server ended.
    pub dropped: u32,
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue is full: this machine is too slow for the load. Use a lower rate or more threads.
    #[error("the media threads are overloaded; lower --rate or raise --threads")]
    Overloaded,
    /// The thread has ended.
    #[error("a media thread has ended")]
    Ended,
}

/// Gives orders to a worker. The thread ends when this is dropped.
#[derive(Debug)]
pub struct Worker {
    orders: Option<SyncSender<Order>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread. Frames tell their time from `epoch`.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn start(epoch: Instant) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = poll.waker()?;
        let (orders, inbox) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("media".to_owned())
            .spawn(move || Loop::new(poll, epoch).run(&inbox))?;
        Ok(Self {
            orders: Some(orders),
            waker,
            thread: Some(thread),
        })
    }

    /// Hands a peer over.
    ///
    /// # Errors
    /// [`Error`]; the peer is gone then.
    pub fn add(&self, peer: Peer) -> Result<(), Error> {
        self.order(Order::Add(Box::new(peer)))
    }

    /// Says goodbye for one peer and forgets it. Returns when it is gone; one that is unknown is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove(&self, token: Token) -> Result<(), Error> {
        self.ask(|reply| Order::Remove { token, reply }).await
    }

    /// Silences its speakers. Returns the last frame of each: `(index in the run, counter)`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn hush(&self) -> Result<Vec<(u32, Option<u32>)>, Error> {
        self.ask(Order::Hush).await
    }

    /// How things stand.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn look(&self) -> Result<Look, Error> {
        self.ask(Order::Look).await
    }

    /// Says goodbye for all peers and judges what they heard, against the last frame of each speaker by index.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn finish(&self, sent: Vec<Option<u32>>) -> Result<Tally, Error> {
        self.ask(|reply| Order::Finish { sent, reply }).await
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.order(order(reply))?;
        answer.await.map_err(|_| Error::Ended)
    }

    fn order(&self, order: Order) -> Result<(), Error> {
        let orders = self.orders.as_ref().ok_or(Error::Ended)?;
        orders.try_send(order).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Disconnected(_) => Error::Ended,
        })?;
        self.waker.wake();
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.orders = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by it.
            let _ = thread.join();
        }
    }
}

/// The thread's own state.
struct Loop {
    poll: Poll,
    epoch: Instant,
    /// By slot; a slot is the token that epoll reports.
    peers: Vec<Option<Box<Peer>>>,
    /// Slots of speakers.
    speakers: Vec<usize>,
    shared: Shared,
    tick_at: Instant,
}

impl Loop {
    fn new(poll: Poll, epoch: Instant) -> Self {
        Self {
            poll,
            epoch,
            peers: Vec::new(),
            speakers: Vec::new(),
            shared: Shared::default(),
            tick_at: epoch,
        }
    }

    fn run(mut self, inbox: &Receiver<Order>) {
        let mut readable = Vec::new();
        loop {
            readable.clear();
            if let Err(error) = self.poll.wait(self.idle_for(), &mut readable) {
                tracing::error!(%error, "waiting for sockets failed");
                return;
            }
            for slot in &readable {
                if let Some(peer) = &mut self.peers[*slot] {
                    peer.read(&mut self.shared, self.epoch);
                }
            }
            self.send_due();
            loop {
                match inbox.try_recv() {
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
        }
    }

    fn idle_for(&self) -> Duration {
        let speech = self
            .speakers
            .iter()
            .filter_map(|slot| self.peers[*slot].as_ref()?.speaks_at())
            .min();
        speech
            .map_or(self.tick_at, |at| at.min(self.tick_at))
            .saturating_duration_since(Instant::now())
    }

    /// Speakers whenever one is due; everybody's timers once a tick.
    fn send_due(&mut self) {
        let now = Instant::now();
        if now >= self.tick_at {
            self.tick_at = now + TICK;
            self.peers
                .iter_mut()
                .flatten()
                .for_each(|peer| peer.tick(&mut self.shared, now));
            return;
        }
        for slot in &self.speakers {
            if let Some(peer) = &mut self.peers[*slot]
                && peer.speaks_at().is_some_and(|at| at <= now)
            {
                peer.tick(&mut self.shared, now);
            }
        }
    }

    fn obey(&mut self, order: Order) {
        // Who asked may have given up meanwhile; that is no concern of ours.
        match order {
            Order::Add(peer) => self.add(peer),
            Order::Remove { token, reply } => {
                self.remove(token);
                let _ = reply.send(());
            }
            Order::Hush(reply) => {
                let _ = reply.send(self.hush());
            }
            Order::Look(reply) => {
                let _ = reply.send(self.look());
            }
            Order::Finish { sent, reply } => {
                let _ = reply.send(self.finish(&sent));
            }
        }
    }

    fn add(&mut self, peer: Box<Peer>) {
        let slot = self.peers.len();
        if let Err(error) = self.poll.add(&peer.socket, slot) {
            // Its join fails by its own time-out.
            tracing::error!(%error, "a socket can not be waited for");
            return;
        }
        if matches!(peer.role, Role::Speaker(_)) {
            self.speakers.push(slot);
        }
        self.peers.push(Some(peer));
        self.tick_at = Instant::now();
    }

    fn remove(&mut self, token: Token) {
        let of = |peer: &Peer| {
            peer.socket
                .local_addr()
                .is_ok_and(|address| address.port() == token)
        };
        let found = self.peers.iter_mut().find(|slot| slot.as_deref().is_some_and(of));
        if let Some(peer) = found.and_then(Option::take) {
            let _ = peer.finish(&mut self.shared, &[]);
        }
    }

    fn hush(&mut self) -> Vec<(u32, Option<u32>)> {
        let voices = self
            .peers
            .iter_mut()
            .flatten()
            .filter_map(|peer| match &mut peer.role {
                Role::Speaker(voice) => Some(voice.hush()),
                Role::Listener { .. } => None,
            });
        voices.collect()
    }

    fn look(&self) -> Look {
        let mut look = Look::default();
        for peer in self.peers.iter().flatten() {
            look.dropped += u32::from(peer.is_dropped());
            look.heard += peer.heard();
        }
        look
    }

    fn finish(&mut self, sent: &[Option<u32>]) -> Tally {
        let Look { dropped, .. } = self.look();
        let mut heard = Counts::default();
        for peer in std::mem::take(&mut self.peers).into_iter().flatten() {
            heard += peer.finish(&mut self.shared, sent);
        }
        self.speakers.clear();
        Tally {
            heard,
            latency: std::mem::take(&mut self.shared.latency),
            dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::{Ear, Speaker};
    use crate::peer::Voice;
    use crate::socket;
    use mitalk_media::light::{Client, Identity, candidates};
    use mitalk_media::{Config, Engine, Handle, Join, Metrics, Rights, RoomKey, SessionKey, StageNumber};
    use std::sync::Arc;

    const RUN: u32 = 9;
    const LISTENERS: u64 = 20;
    const SPEAKERS: u32 = 3;

    struct Room {
        media: Handle,
        worker: Worker,
        identity: Arc<Identity>,
        epoch: Instant,
    }

    impl Room {
        async fn join(&self, session: u64, rights: Rights, role: Role) -> anyhow::Result<()> {
            let mut client = Client::new(&self.identity, 3, &mut rand::rng(), Instant::now());
            let (room, session, grace) = (RoomKey(1), SessionKey(session), Duration::from_secs(30));
            let join = Join {
                room,
                session,
                rights,
                offer: client.offer(),
                grace,
            };
            let answer = self.media.join(join).await?;
            let server = candidates(&answer.sdp)[0];
            client.accept(&answer.sdp, Instant::now())?;
            self.worker.add(Peer {
                client,
                socket: socket::connect(server)?,
                server,
                role,
            })?;
            Ok(())
        }

        async fn speaker(&self, speaker: u32) -> anyhow::Result<()> {
            let (connected, up) = oneshot::channel();
            let voice = Voice::new(RUN, speaker, self.epoch, connected);
            let rights = Rights::Speak(StageNumber(100 + speaker));
            self.join(1000 + u64::from(speaker), rights, Role::Speaker(voice))
                .await?;
            up.await?;
            Ok(())
        }
    }

    /// Three who talk and twenty who listen, all of them connected.
    async fn room(engine: &Engine) -> anyhow::Result<Room> {
        let (epoch, identity) = (Instant::now(), Identity::new()?);
        let room = Room {
            media: engine.handle(),
            worker: Worker::start(epoch)?,
            identity,
            epoch,
        };
        for speaker in 0..SPEAKERS {
            room.speaker(speaker).await?;
        }
        let speakers: Vec<_> = (0..SPEAKERS)
            .map(|index| Speaker {
                index,
                number: 100 + index,
            })
            .collect();
        for listener in 0..LISTENERS {
            let (first_audio, heard) = oneshot::channel();
            let ear = Ear::new(RUN, 3, speakers.clone());
            room.join(
                listener,
                Rights::Listen,
                Role::Listener {
                    ear,
                    first_audio: Some(first_audio),
                },
            )
            .await?;
            heard.await?;
        }
        Ok(room)
    }

    impl Room {
        /// Waits until the listeners have heard so many more packets.
        async fn listen(&self, packets: u64) -> anyhow::Result<()> {
            let goal = self.worker.look().await?.heard.packets + packets;
            while self.worker.look().await?.heard.packets < goal {
                tokio::time::sleep(TICK).await;
            }
            Ok(())
        }

        /// Silences the speakers, waits until no listener hears anything any more, and judges.
        async fn end(&self) -> anyhow::Result<Tally> {
            let mut sent = vec![None; SPEAKERS as usize];
            for (speaker, last) in self.worker.hush().await? {
                sent[speaker as usize] = last;
            }
            let mut before = None;
            loop {
                let look = self.worker.look().await?;
                if before.replace(look) == Some(look) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let tally = self.worker.finish(sent).await?;
            println!("{:?}, {:?}", tally.heard, tally.latency.spread());
            Ok(tally)
        }
    }

    fn engine() -> anyhow::Result<Engine> {
        let config = Config {
            bind: vec!["127.0.0.1:0".parse()?],
            ..Config::default()
        };
        let (engine, mut events) = Engine::start(config, Metrics::register(&prometheus::Registry::new())?)?;
        tokio::spawn(async move { while events.next().await.is_some() {} });
        Ok(engine)
    }

    #[tokio::test]
    async fn listeners_hear_every_frame_of_every_speaker() -> anyhow::Result<()> {
        let engine = engine()?;
        let room = room(&engine).await?;
        room.listen(LISTENERS * 100).await?;
        let tally = room.end().await?;
        assert!(tally.heard.clean() && tally.dropped == 0, "{tally:?}");
        Ok(())
    }

    #[tokio::test]
    async fn a_listener_who_is_cut_off_is_noticed() -> anyhow::Result<()> {
        let engine = engine()?;
        let room = room(&engine).await?;
        room.media.leave(SessionKey(0))?;
        room.listen(LISTENERS * 100).await?;
        let tally = room.end().await?;
        assert_eq!(tally.dropped, 1);
        assert!(tally.heard.lost > 0, "{tally:?}");
        Ok(())
    }
}
