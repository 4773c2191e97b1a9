//! The shell around a shard: a thread that moves datagrams, commands and news between it and the world.
//!
//! A turn: wait, read the clock once, take commands, take datagrams, do what is due, send, tell. Joins are taken a few
//! at a time (each costs 0.5 ms), and so are goodbyes, so that neither a storm of joins nor the end of a big room delays
//! a packet by more than a couple of milliseconds.
//!
//! Restart policy: a panic that is not contained to a session or a room ends all sessions of the shard as failed, and a
//! fresh shard goes on over the same sockets in the same thread. After more than [`MAX_FAILURES`] within
//! [`FAILURES_WITHIN`] the shard is given up: it refuses what it is asked (`Stopped`) until the process is restarted, and
//! says so by [`crate::Stats::stopped_shards`], for which `/readyz` answers 503. Other shards' rooms go on meanwhile.
//!
//! Lacks: pinning to cores, and receiving several shards' traffic on one port.

mod batch;
pub(crate) mod mailbox;
pub(crate) mod udp;

use crate::directory::Directory;
use crate::metrics::{Counts, Metrics, SocketCounts};
use crate::session::{Purpose, Setup};
use crate::shard::Shard;
use crate::{Error, SessionEvent};
use batch::{BATCH, Batch};
use mailbox::{Command, Inbox};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use udp::Sockets;

/// Joins and restarts taken per turn.
const COMMANDS_PER_TURN: usize = 4;
/// Goodbyes said per turn. Nothing is gained by haste: who leaves is not heard from the moment of being told to.
const GOODBYES_PER_TURN: usize = 64;
/// How often the shard may fail ...
pub(crate) const MAX_FAILURES: usize = 3;
/// ... in this time, before it is given up.
const FAILURES_WITHIN: Duration = Duration::from_secs(600);
/// Batches of 64 datagrams taken from a socket per turn.
const BATCHES_PER_TURN: usize = 8;
/// How often counters are published.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// The longest wait without anything due.
const IDLE: Duration = Duration::from_secs(1);

/// One shard with its thread's belongings.
pub(crate) struct Worker {
    shard: Shard,
    sockets: Sockets,
    incoming: Batch,
    inbox: Inbox,
    directory: Arc<Directory>,
    events: mpsc::Sender<SessionEvent>,
    metrics: Metrics,
    published: (Counts, SocketCounts, usize),
    publish_at: Instant,
    /// News that the events' reader was too slow for.
    untold: bool,
}

impl Worker {
    pub(crate) fn new(
        setup: Setup,
        sockets: Sockets,
        inbox: Inbox,
        directory: Arc<Directory>,
        events: mpsc::Sender<SessionEvent>,
        metrics: Metrics,
    ) -> Self {
        Self {
            shard: Shard::new(setup),
            sockets,
            incoming: Batch::default(),
            inbox,
            directory,
            events,
            metrics,
            published: Default::default(),
            publish_at: Instant::now(),
            untold: false,
        }
    }

    /// The thread's whole life.
    pub(crate) fn run(mut self) {
        let mut failures: Vec<Instant> = Vec::new();
        while catch_unwind(AssertUnwindSafe(|| self.serve())).is_err() {
            let now = Instant::now();
            failures.retain(|at| now.saturating_duration_since(*at) < FAILURES_WITHIN);
            failures.push(now);
            tracing::error!("a media shard panicked: its sessions are closed");
            self.shard.start_afresh();
            if failures.len() > MAX_FAILURES {
                return self.refuse();
            }
        }
    }

    /// Turns until the engine stops, then goodbyes.
    fn serve(&mut self) {
        let mut now = Instant::now();
        while !self.inbox.is_stopped() {
            // Counted from the last turn's time, so at most one turn late: not worth a second look at the clock.
            let due = self
                .shard
                .due()
                .map_or(IDLE, |due| due.saturating_duration_since(now));
            let wait = if self.inbox.has_work() {
                Duration::ZERO
            } else {
                due.min(self.patience())
            };
            let ready = self.sockets.wait(self.inbox.waker(), wait);
            now = Instant::now();
            if ready.woken {
                self.inbox.quiet();
            }
            self.commands(now);
            for socket in ready.readable {
                self.receive(socket, now);
            }
            self.shard.tick(now, &mut self.sockets.outgoing);
            self.sockets.flush();
            self.tell();
            self.publish(now);
        }
        self.shard.close(now, &mut self.sockets.outgoing);
        self.sockets.flush();
        self.tell();
        self.publish(self.publish_at);
    }

    /// The rest of the thread's life once the shard is given up: nothing is served, nobody waits for an answer, and who
    /// was in it is told.
    fn refuse(mut self) {
        tracing::error!("a media shard keeps failing and is given up: restart this node");
        self.sockets.close();
        while !self.inbox.is_stopped() {
            let ready = self.sockets.wait(self.inbox.waker(), self.patience());
            if ready.woken {
                self.inbox.quiet();
            }
            // They are gone already.
            self.inbox.take_leaving(usize::MAX);
            while let Some(command) = self.inbox.next_command() {
                // Whoever waits for another answer learns by its end that the shard has stopped.
                if let Command::Join { purpose, reply, .. } = command {
                    self.directory.forget(purpose.key);
                    let _ = reply.send(Err(Error::Stopped));
                }
            }
            self.tell();
            self.publish(Instant::now());
        }
    }

    /// How long to wait at most: until counters are due, or until a slow reader may have read.
    fn patience(&self) -> Duration {
        if self.untold {
            Duration::from_millis(20)
        } else {
            IDLE
        }
    }

    fn commands(&mut self, now: Instant) {
        // Those who leave come first: taking rights away never waits behind joins.
        for session in self.inbox.take_leaving(GOODBYES_PER_TURN) {
            self.shard.leave(session, now, &mut self.sockets.outgoing);
        }
        if self.inbox.take_rights_changed() {
            self.shard.rights_changed(now);
        }
        for _ in 0..COMMANDS_PER_TURN {
            match self.inbox.next_command() {
                Some(command) => self.command(command, now),
                None => break,
            }
        }
    }

    fn command(&mut self, command: Command, now: Instant) {
        let wire = &mut self.sockets.outgoing;
        // A caller that waits no longer gets no answer, which is no fault.
        match command {
            Command::Join {
                purpose,
                offer,
                reply,
            } => {
                let key = purpose.key;
                let wanted = !purpose.rights.is_closed() && !reply.is_closed();
                let answer = if wanted {
                    self.shard.join(*purpose, *offer, now, wire)
                } else {
                    Err(Error::NoSuchSession)
                };
                let joined = answer.is_ok();
                if !joined {
                    self.directory.forget(key);
                }
                // Who gave up meanwhile will never come.
                if reply.send(answer).is_err() && joined {
                    self.shard.leave(key, now, wire);
                }
            }
            Command::Restart {
                session,
                offer,
                reply,
            } => {
                let _ = reply.send(self.shard.restart(session, *offer, now, wire));
            }
            Command::Stats { reply } => {
                let _ = reply.send(self.shard.stats(now));
            }
            #[cfg(test)]
            Command::Panic => panic!("a test asked for it"),
        }
    }

    fn receive(&mut self, socket: usize, now: Instant) {
        for _ in 0..BATCHES_PER_TURN {
            let count = self.sockets.receive(socket, &mut self.incoming);
            for (from, datagram) in self.incoming.received(count) {
                self.shard
                    .receive(from, datagram, now, &mut self.sockets.outgoing);
            }
            if count < BATCH {
                break;
            }
        }
    }

    fn tell(&mut self) {
        self.untold = false;
        self.shard.notices.flush(|event| {
            let Ok(permit) = self.events.try_reserve() else {
                self.untold = !self.events.is_closed();
                return false;
            };
            if let SessionEvent::Gone { session, .. } = event {
                // Before anybody hears of it: who does may use the key again.
                self.directory.forget(session);
            }
            permit.send(event);
            true
        });
    }

    fn publish(&mut self, now: Instant) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + PUBLISH_EVERY;
        let (counts, socket_counts) = (self.shard.counts.clone(), self.sockets.counts());
        self.metrics.publish(&self.published.0, &counts);
        self.metrics.publish_socket(&self.published.1, &socket_counts);
        self.metrics
            .sessions
            .add(self.shard.len() as i64 - self.published.2 as i64);
        self.published = (counts, socket_counts, self.shard.len());
    }
}

impl Command {
    pub(crate) fn join(
        purpose: Purpose,
        offer: crate::offer::Offer,
        reply: tokio::sync::oneshot::Sender<Result<crate::Answer, Error>>,
    ) -> Self {
        Self::Join {
            purpose: Box::new(purpose),
            offer: Box::new(offer),
            reply,
        }
    }
}
