//! A thread that carries the media of many peers. It owns them and their sockets; orders come in by a bounded queue.

use crate::ear::Counts;
use crate::peer::{Peer, Role, Said, Shared};
use crate::report::Times;
use crate::socket::{Poll, Waker};
use std::collections::HashMap;
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
    Hush(oneshot::Sender<Vec<Said>>),
    Look {
        sent: Vec<Option<u32>>,
        reply: oneshot::Sender<Look>,
    },
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
    /// Frames that were sent and have not come yet, if it was told what was sent.
    pub behind: u64,
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

    /// Silences its speakers, and says what became of each.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn hush(&self) -> Result<Vec<Said>, Error> {
        self.ask(Order::Hush).await
    }

    /// How things stand; `sent` as for [`finish`](Self::finish), empty while speakers still talk.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn look(&self, sent: Vec<Option<u32>>) -> Result<Look, Error> {
        self.ask(|reply| Order::Look { sent, reply }).await
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
    /// Slots by token.
    tokens: HashMap<Token, usize>,
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
            tokens: HashMap::new(),
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
            Order::Look { sent, reply } => {
                let _ = reply.send(self.look(&sent));
            }
            Order::Finish { sent, reply } => {
                let _ = reply.send(self.finish(&sent));
            }
        }
    }

    fn add(&mut self, peer: Box<Peer>) {
        let slot = self.peers.len();
        let added = self.poll.add(&peer.socket, slot);
        let token = added.and_then(|()| Ok(peer.socket.local_addr()?.port()));
        let token = match token {
            Ok(token) => token,
            Err(error) => {
                // Its join fails by its own time-out.
                tracing::error!(%error, "a socket can not be waited for");
                return;
            }
        };
        if matches!(peer.role, Role::Speaker(_)) {
            self.speakers.push(slot);
        }
        self.tokens.insert(token, slot);
        self.peers.push(Some(peer));
        self.tick_at = Instant::now();
    }

    fn remove(&mut self, token: Token) {
        let slot = self.tokens.remove(&token);
        if let Some(peer) = slot.and_then(|slot| self.peers[slot].take()) {
            let _ = peer.finish(&mut self.shared, &[]);
        }
    }

    fn hush(&mut self) -> Vec<Said> {
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

    fn look(&self, sent: &[Option<u32>]) -> Look {
        let mut look = Look::default();
        for peer in self.peers.iter().flatten() {
            look.dropped += u32::from(peer.is_dropped());
            look.heard += peer.heard();
            look.behind += peer.behind(sent);
        }
        look
    }

    fn finish(&mut self, sent: &[Option<u32>]) -> Tally {
        let Look { dropped, .. } = self.look(sent);
        let mut heard = Counts::default();
        for peer in std::mem::take(&mut self.peers).into_iter().flatten() {
            heard += peer.finish(&mut self.shared, sent);
        }
        self.speakers.clear();
        self.tokens.clear();
        Tally {
            heard,
            latency: std::mem::take(&mut self.shared.latency),
            dropped,
        }
    }
}

#[cfg(test)]
mod tests;
