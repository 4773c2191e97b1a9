//! The asynchronous edge: what callers hold.

use crate::directory::{Directory, Entry};
use crate::engine::Worker;
use crate::engine::mailbox::{Command, Mailbox, mailbox};
use crate::engine::udp::{self, Sockets};
use crate::session::{Purpose, Setup};
use crate::{
    Answer, Config, Error, Join, Metrics, Rights, RoomKey, SessionEvent, SessionKey, StartError, Stats, dtls,
    offer, rights,
};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// News that may wait for [`Events::next`]; more is kept, once per session, by the shards.
const EVENTS: usize = 1024;

/// The longest [`Join::grace`] that is kept to.
const MAX_GRACE: Duration = Duration::from_secs(24 * 3600);

/// The running engine. Dropping it stops it, too.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
    candidates: Vec<SocketAddr>,
}

/// Talks to the engine. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shards: Arc<[Mailbox]>,
    directory: Arc<Directory>,
}

/// What happens to sessions, in order per session.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<SessionEvent>,
}

impl Engine {
    /// Opens the sockets and starts the threads.
    ///
    /// # Errors
    /// A wrong configuration, a busy port, or a refusal of the system; each says what to do.
    pub fn start(config: Config, metrics: Metrics) -> Result<(Self, Events), StartError> {
        config.validate()?;
        let factory = dtls::Factory::shared()?;
        let certificate = factory.certificate()?;
        let directory = Arc::new(Directory::new(config.max_sessions));
        let (events, queue) = mpsc::channel(EVENTS);
        let (mut mailboxes, mut workers, mut all_candidates) = (Vec::new(), Vec::new(), Vec::new());
        for shard in 0..config.threads {
            let sockets = bind(&config, shard)?;
            let candidates = candidates(&config, shard, &sockets)?;
            let local = [true, false].into_iter();
            let local = local
                .filter_map(|v4| candidates.iter().find(|c| c.is_ipv4() == v4))
                .copied()
                .collect();
            all_candidates.extend(&candidates);
            let setup = Setup {
                factory,
                certificate: certificate.clone(),
                local,
                candidates,
            };
            let (mailbox, inbox) = mailbox().map_err(|source| system("making a mailbox", source))?;
            mailboxes.push(mailbox);
            let (sockets, directory) = (Sockets::new(sockets), directory.clone());
            workers.push(Worker::new(
                setup,
                sockets,
                inbox,
                directory,
                events.clone(),
                metrics.clone(),
            ));
        }
        let handle = Handle {
            shards: mailboxes.into(),
            directory,
        };
        let mut engine = Self {
            handle,
            threads: Vec::new(),
            candidates: all_candidates,
        };
        for (shard, worker) in workers.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("media-{shard}"));
            let thread = thread.spawn(move || worker.run());
            engine
                .threads
                .push(thread.map_err(|source| system("starting a media thread", source))?);
        }
        Ok((engine, Events { queue }))
    }

    /// A handle for callers.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where clients are told to send, one list over all shards: for a banner and for `doctor`.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        self.candidates.clone()
    }

    /// Closes every session (they get a goodbye), stops the threads and waits for them: some milliseconds.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for shard in self.handle.shards.iter() {
            shard.stop();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
    }
}

/// Tries whether the engine could open a socket there; it is closed again.
///
/// # Errors
/// As [`Engine::start`].
pub fn probe(address: SocketAddr) -> Result<(), StartError> {
    udp::bind(address).map(drop)
}

/// What clients of a socket are told if nothing is announced: its own address or, if it is bound to all, the one by which
/// the machine's packets leave, and loopback.
pub fn reachable(bound: IpAddr) -> Vec<IpAddr> {
    udp::reachable(bound)
}

fn system(what: &'static str, source: std::io::Error) -> StartError {
    StartError::System { what, source }
}

/// The sockets of one shard, on the configured port plus its number.
fn bind(config: &Config, shard: usize) -> Result<Vec<UdpSocket>, StartError> {
    let address = |bind: &SocketAddr| {
        let port = if bind.port() == 0 {
            0
        } else {
            bind.port() + shard as u16
        };
        SocketAddr::new(bind.ip(), port)
    };
    config.bind.iter().map(|bind| udp::bind(address(bind))).collect()
}

/// What clients are told: the announced addresses, or those under which the sockets can be reached.
fn candidates(config: &Config, shard: usize, sockets: &[UdpSocket]) -> Result<Vec<SocketAddr>, StartError> {
    let mut candidates = Vec::new();
    for socket in sockets {
        let bound = socket
            .local_addr()
            .map_err(|source| system("reading a socket's address", source))?;
        if config.announce.is_empty() {
            let ips = udp::reachable(bound.ip()).into_iter();
            candidates.extend(ips.map(|ip| SocketAddr::new(ip, bound.port())));
        }
        let announced = config.announce.iter();
        let announced = announced.filter(|announced| announced.ip.is_ipv4() == bound.is_ipv4());
        candidates.extend(announced.map(|a| SocketAddr::new(a.ip, a.port(shard, bound.port()))));
    }
    Ok(candidates)
}

impl Handle {
    /// Answers an offer and makes the session. Reads the offer here and now, and takes 0.4 ms of the shard's time.
    ///
    /// # Errors
    /// `Overloaded`, `Full`, `SessionExists`, `BadOffer`, `Stopped`; `NoSuchSession` if it was told to leave meanwhile.
    pub async fn join(&self, join: Join) -> Result<Answer, Error> {
        let offer = offer::check(&join.offer)?;
        let shard = (join.room.0 % self.shards.len() as u64) as usize;
        let rights = Arc::new(rights::Cell::new(join.rights));
        let entry = Entry {
            room: join.room,
            shard,
            rights: rights.clone(),
        };
        self.directory.enter(join.session, entry)?;
        let purpose = Purpose {
            key: join.session,
            room: join.room,
            rights,
            grace: join.grace.min(MAX_GRACE),
        };
        let (reply, answer) = oneshot::channel();
        let sent = self.shards[shard].send(Command::join(purpose, offer, reply));
        sent.inspect_err(|_| self.directory.forget(join.session))?;
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// Answers an offer with new ICE credentials for a session: same DTLS association, same SSRCs. The old
    /// credentials stop working. The m-lines and SSRCs have to be those of the join.
    ///
    /// # Errors
    /// `Overloaded`, `NoSuchSession`, `BadOffer`, `Stopped`. With any of them the session goes on as it was; should it not
    /// be able to, it ends by `Gone(Failed)`.
    pub async fn restart(&self, session: SessionKey, offer: String) -> Result<Answer, Error> {
        let offer = Box::new(offer::check_restart(&offer)?);
        let shard = self.directory.with(session, |entry| entry.shard)?;
        let (reply, answer) = oneshot::channel();
        self.shards[shard].send(Command::Restart {
            session,
            offer,
            reply,
        })?;
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// Changes what a session may do. When this returns, every packet that is taken in later is judged by
    /// the new rights. Waits for nothing but a short lock ([`Handle::close_room`] holds it for the length of a walk over the
    /// node's sessions), and is never refused for load.
    ///
    /// # Errors
    /// `NoSuchSession`.
    pub fn set_rights(&self, session: SessionKey, rights: Rights) -> Result<(), Error> {
        let (shard, open) = self
            .directory
            .with(session, |entry| (entry.shard, entry.rights.set(rights)))?;
        if !open {
            return Err(Error::NoSuchSession);
        }
        self.shards[shard].rights_changed();
        Ok(())
    }

    /// Ends a session: goodbye by DTLS, then not one packet in or out. `Gone(Removed)` follows. Its packets are refused
    /// from the moment this returns. Never refused for load; saying it twice is no error.
    ///
    /// # Errors
    /// `NoSuchSession`.
    pub fn leave(&self, session: SessionKey) -> Result<(), Error> {
        let (shard, first) = self
            .directory
            .with(session, |entry| (entry.shard, entry.rights.close()))?;
        if first {
            self.shards[shard].leave(session);
        }
        Ok(())
    }

    /// Ends all sessions of a room, joins under way included. Never refused for load; a room without sessions is no error.
    pub fn close_room(&self, room: RoomKey) {
        for (session, shard) in self.directory.close_room(room) {
            self.shards[shard].leave(session);
        }
    }

    /// A snapshot, summed over the shards; one that is overloaded is left out.
    pub async fn stats(&self) -> Stats {
        let mut total = Stats::default();
        for shard in self.shards.iter() {
            let (reply, answer) = oneshot::channel();
            let sent = shard.send(Command::Stats { reply });
            if sent == Err(Error::Overloaded) {
                continue;
            }
            let Ok(stats) = answer.await else {
                total.stopped_shards += 1;
                continue;
            };
            total.sessions.extend(stats.sessions);
            total.packets_in += stats.packets_in;
            total.packets_out += stats.packets_out;
            total.packets_refused += stats.packets_refused;
            total.datagrams_dropped += stats.datagrams_dropped;
        }
        total
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

impl Events {
    /// The next event; `None` once the engine has stopped. An engine whose events are not read keeps forwarding,
    /// and refuses joins as full in the end. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        self.queue.recv().await
    }
}

#[cfg(test)]
mod tests;
