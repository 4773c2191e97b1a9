//! The controlling side of ICE against a server that can always be reached.
//!
//! With one candidate it nominates in the first check, as Chromium does against a full agent; with several it first
//! sees which one answers.

use crate::stun::{self, Class, Message, TransactionId, write};
use crate::wire::Wire;
use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const UFRAG_CHARS: usize = 8;
const PASSWORD_CHARS: usize = 24;
/// Of a host candidate of ours (RFC 8445, 5.1.2).
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;
/// Until an answer comes, checks are repeated after this, then twice that, and so on ...
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// ... up to this; and as often while all is well, which is consent (RFC 7675).
const LONGEST_WAIT: Duration = Duration::from_millis(2500);

/// One side's user name fragment and password.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) ufrag: String,
    pub(super) password: String,
}

#[derive(Debug)]
pub(super) struct Ice {
    local: Credentials,
    local_key: stun::Key,
    username: String,
    remote_key: stun::Key,
    candidates: Vec<SocketAddr>,
    /// The candidate that answered.
    remote: Option<SocketAddr>,
    /// It answered a check with the newest credentials.
    confirmed: bool,
    tie_breaker: u64,
    transaction: TransactionId,
    wait: Duration,
    due: Option<Instant>,
}

impl Ice {
    pub(super) fn new(rng: &mut impl Rng) -> Self {
        let local = credentials(rng);
        Self {
            local_key: stun::key(&local.password),
            local,
            username: String::new(),
            remote_key: stun::key(""),
            candidates: Vec::new(),
            remote: None,
            confirmed: false,
            tie_breaker: rng.random(),
            transaction: rng.random(),
            wait: FIRST_WAIT,
            due: None,
        }
    }

    pub(super) fn restart(&mut self, rng: &mut impl Rng) {
        self.local = credentials(rng);
        self.local_key = stun::key(&self.local.password);
    }

    pub(super) fn local(&self) -> &Credentials {
        &self.local
    }

    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn accept(
        &mut self,
        ufrag: String,
        password: &str,
        candidates: Vec<SocketAddr>,
        now: Instant,
    ) {
        self.username = format!("{ufrag}:{}", self.local.ufrag);
        self.remote_key = stun::key(password);
        self.candidates = candidates;
        self.confirmed = false;
        self.wait = FIRST_WAIT;
        self.due = Some(now);
    }

    pub(super) fn tick(&mut self, now: Instant, wire: &mut impl Wire) {
        if self.due.is_some_and(|due| due <= now) {
            self.check(now, wire);
        }
    }

    /// Sends a check to the candidate that answered, or to all.
    pub(super) fn check(&mut self, now: Instant, wire: &mut impl Wire) {
        // A counter does for ids: who could guess them has to make the integrity, too.
        let next = u64::from_be_bytes(*self.transaction.last_chunk().expect("12 bytes")).wrapping_add(1);
        self.transaction[4..].copy_from_slice(&next.to_be_bytes());
        let nominate = self.candidates.len() == 1 || self.remote.is_some();
        let (name, key) = (&self.username, &self.remote_key);
        let check = write::request(self.transaction, name, key, PRIORITY, self.tie_breaker, nominate);
        match self.remote {
            Some(remote) => wire.send_copy(&check, remote),
            None => self
                .candidates
                .iter()
                .for_each(|candidate| wire.send_copy(&check, *candidate)),
        }
        self.due = Some(now + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    /// Answers the server's checks and takes its answers.
    pub(super) fn handle(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, wire: &mut impl Wire) {
        let Some(message) = Message::parse(datagram) else {
            return;
        };
        match message.class() {
            Class::Request if message.is_authentic(&self.local_key) => {
                wire.send_copy(
                    &write::response(message.transaction(), from, &self.local_key),
                    from,
                );
            }
            Class::Success
                if message.transaction() == self.transaction && message.is_authentic(&self.remote_key) =>
            {
                let chosen = self.remote.replace(from).is_some();
                if !std::mem::replace(&mut self.confirmed, true) && !chosen && self.candidates.len() > 1 {
                    // It answers: now nominate it.
                    self.check(now, wire);
                }
                self.due = Some(now + LONGEST_WAIT);
                self.wait = FIRST_WAIT;
            }
            _ => {}
        }
    }
}

fn credentials(rng: &mut impl Rng) -> Credentials {
    Credentials {
        ufrag: Alphanumeric.sample_string(rng, UFRAG_CHARS),
        password: Alphanumeric.sample_string(rng, PASSWORD_CHARS),
    }
}
