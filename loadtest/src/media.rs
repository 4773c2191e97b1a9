//! Joins people to rooms: the request, and then a peer on one of the threads.

use crate::peer::{Peer, Role, Said};
use crate::people::Person;
use crate::socket;
use crate::worker::{Look, Tally, Token, Worker};
use anyhow::Context;
use mitalk::wire::rooms::{JoinRequest, Joined};
use mitalk_media::light::{Client, Identity, candidates};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Slots that everybody has.
pub const SLOTS: usize = 3;

/// The media side of a run.
#[derive(Debug)]
pub struct Media {
    identity: Arc<Identity>,
    workers: Vec<Worker>,
    turn: AtomicUsize,
    /// The server is on this machine, so its loopback candidate is the one to take.
    loopback: bool,
    /// Frames tell their time from here.
    pub epoch: Instant,
}

/// A peer on its thread.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    worker: usize,
    token: Token,
}

impl Media {
    /// Starts the threads.
    ///
    /// # Errors
    /// Those of the operating system, or of the cryptography library.
    pub fn start(threads: usize, loopback: bool) -> anyhow::Result<Self> {
        let epoch = Instant::now();
        let workers = (0..threads)
            .map(|_| Worker::start(epoch))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            identity: Identity::new()?,
            workers,
            turn: AtomicUsize::new(0),
            loopback,
            epoch,
        })
    }

    /// Asks for a session, and begins it. Returns when the peer is on its thread, before it is connected. `socket` is the
    /// person's live socket, if they have one.
    ///
    /// # Errors
    /// A refusal of the API, an answer that can not be used, or no socket.
    pub async fn join(
        &self,
        person: &Person,
        room: &str,
        role: Role,
        socket: Option<String>,
    ) -> anyhow::Result<(Placed, Joined)> {
        let mut client = Client::new(&self.identity, SLOTS, &mut rand::rng(), Instant::now());
        let request = JoinRequest {
            sdp: client.offer(),
            socket,
            ..JoinRequest::default()
        };
        let joined = person.client.join(room, &request).await?;
        let server =
            choose(&candidates(&joined.sdp), self.loopback).context("the answer has no candidate")?;
        client.accept(&joined.sdp, Instant::now())?;
        let socket = socket::connect(server).context("no UDP socket")?;
        let token = socket.local_addr()?.port();
        let worker = self.turn.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        self.workers[worker].add(Peer {
            client,
            socket,
            server,
            role,
        })?;
        Ok((Placed { worker, token }, joined))
    }

    /// Takes a peer away.
    ///
    /// # Errors
    /// The thread has ended or is overloaded.
    pub async fn remove(&self, peer: Placed) -> anyhow::Result<()> {
        Ok(self.workers[peer.worker].remove(peer.token).await?)
    }

    /// How things stand on all threads; `sent` as for [`finish`](Self::finish), empty while speakers still talk.
    ///
    /// # Errors
    /// A thread has ended or is overloaded.
    pub async fn look(&self, sent: &[Option<u32>]) -> anyhow::Result<Look> {
        let mut all = Look::default();
        for worker in &self.workers {
            let look = worker.look(sent.to_vec()).await?;
            all.heard += look.heard;
            all.dropped += look.dropped;
            all.behind += look.behind;
        }
        Ok(all)
    }

    /// Silences all speakers, and says what became of each.
    ///
    /// # Errors
    /// A thread has ended or is overloaded.
    pub async fn hush(&self) -> anyhow::Result<Vec<Said>> {
        let mut all = Vec::new();
        for worker in &self.workers {
            all.extend(worker.hush().await?);
        }
        Ok(all)
    }

    /// Says goodbye for everybody and judges what was heard against the last frame of each speaker, by index in the run.
    ///
    /// # Errors
    /// A thread has ended or is overloaded.
    pub async fn finish(&self, sent: Vec<Option<u32>>) -> anyhow::Result<Tally> {
        let mut all = Tally::default();
        for worker in &self.workers {
            let tally = worker.finish(sent.clone()).await?;
            all.heard += tally.heard;
            all.latency.merge(&tally.latency);
            all.dropped += tally.dropped;
        }
        Ok(all)
    }
}

/// The candidate to use: one of loopback if the server is on this machine and has one, else the first.
fn choose(candidates: &[SocketAddr], loopback: bool) -> Option<SocketAddr> {
    let near = candidates
        .iter()
        .find(|candidate| loopback && candidate.ip().is_loopback());
    near.or_else(|| candidates.iter().find(|candidate| !candidate.ip().is_loopback()))
        .or(candidates.first())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_candidate_is_for_servers_of_this_machine() {
        let of = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let both = [of("127.0.0.1:1"), of("192.0.2.1:1")];
        assert_eq!(choose(&both, true), Some(both[0]));
        assert_eq!(choose(&both, false), Some(both[1]));
        assert_eq!(choose(&both[..1], false), Some(both[0]));
        assert_eq!(choose(&[], true), None);
    }
}
