//! From an account's word ("changed", "a notice") to messages for the sockets that this node holds.
//!
//! Words are collected per person and worked off by a background job, so any number of changes in a burst is one message,
//! and the memory is bounded by the people with sockets here. A person's place in the waitlist is remembered as the least
//! that was shown: it only ever falls within a session.

use super::{LiveMessage, LiveSink, Sockets};
use crate::id::{DeviceId, SocketId, UserId};
use crate::person::{Brief, Me, Notice, Ticket};
use crate::user::{KEPT_NOTICES, Tell};
use async_trait::async_trait;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use mitalk_cluster::{Call, Clock, NodeId, Service, ServiceError, wire};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What an account says to a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cast {
    /// For some of the node's sockets.
    Tell {
        user: UserId,
        sockets: Vec<SocketId>,
        tell: Tell,
    },
    /// A socket has to give way.
    Close { user: UserId, socket: SocketId },
    /// A device is refused from now on.
    ShutOut { user: UserId, device: DeviceId },
    /// The account is refused from now on, and these devices also when it is let in again. One word, because two may
    /// arrive in either order and sockets are told why they close.
    ShutOutAll { user: UserId, devices: Vec<DeviceId> },
    /// The account is let in again.
    LetIn { user: UserId },
}

/// Words of one person that wait to become messages.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) changed: bool,
    pub(crate) notices: Vec<Notice<UserId>>,
}

impl Words {
    /// More words of the same person. Of a burst of notices the client sees the gap in the sequence and asks.
    fn add(&mut self, more: Self) {
        self.changed |= more.changed;
        let room = KEPT_NOTICES.saturating_sub(self.notices.len());
        self.notices.extend(more.notices.into_iter().take(room));
    }
}

/// Collects words, and remembers places.
pub(crate) struct Pump {
    sockets: Arc<Sockets>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    words: HashMap<UserId, Words>,
    places: HashMap<UserId, Ticket>,
}

impl Pump {
    pub(crate) fn new(sockets: Arc<Sockets>, clock: Arc<dyn Clock>) -> Self {
        Self {
            sockets,
            clock,
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// The account changed: its sockets get it anew.
    pub(crate) fn changed(&self, user: UserId) {
        self.lock().words.entry(user).or_default().changed = true;
        self.wake.notify_one();
    }

    fn notice(&self, user: UserId, notice: Notice<UserId>) {
        let mut state = self.lock();
        let notices = &mut state.words.entry(user).or_default().notices;
        // More than that in one burst: the client sees the gap in the sequence and asks.
        if notices.len() < KEPT_NOTICES {
            notices.push(notice);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Has words told, for ever: of `at_once` people at a time, of each in order. A person whose telling takes long delays
    /// nobody else.
    pub(crate) async fn run<F: Future<Output = ()>>(
        &self,
        at_once: usize,
        tell: impl Fn(UserId, Words) -> F,
    ) {
        let mut under_way = FuturesUnordered::new();
        let mut told = HashSet::new();
        let mut waiting = HashMap::<UserId, Words>::new();
        loop {
            tokio::select! {
                words = self.next() => {
                    for (user, words) in words {
                        waiting.entry(user).or_default().add(words);
                    }
                }
                Some(user) = under_way.next(), if !under_way.is_empty() => {
                    told.remove(&user);
                }
            }
            let ready = waiting.keys().filter(|user| !told.contains(*user));
            let free = at_once.saturating_sub(told.len());
            for user in ready.take(free).copied().collect::<Vec<_>>() {
                told.insert(user);
                let words = waiting.remove(&user).unwrap_or_default();
                under_way.push(tell(user, words).map(move |()| user));
            }
        }
    }

    /// All words that wait; not before there are some.
    async fn next(&self) -> HashMap<UserId, Words> {
        loop {
            let words = std::mem::take(&mut self.lock().words);
            if !words.is_empty() {
                return words;
            }
            self.wake.notified().await;
        }
    }

    /// The account as this session may see it: its place never rises.
    pub(crate) fn falling(&self, mut me: Me) -> Me {
        let mut state = self.lock();
        match &mut me.ticket {
            Some(ticket) => {
                let least = state.places.entry(me.profile.id).or_insert(*ticket);
                least.ahead = least.ahead.min(ticket.ahead);
                *ticket = *least;
            }
            None => {
                state.places.remove(&me.profile.id);
            }
        }
        me
    }

    /// Everybody here who waits, with the least place they were shown. Those without a socket are forgotten.
    pub(crate) fn waiting(&self) -> Vec<(UserId, Ticket)> {
        let mut state = self.lock();
        state.places.retain(|user, _| !self.sockets.of(*user).is_empty());
        state
            .places
            .iter()
            .map(|(user, ticket)| (*user, *ticket))
            .collect()
    }

    /// Shows a place to all of a person's sockets if it is less than the last one.
    pub(crate) fn show_place(&self, user: UserId, ticket: Ticket) {
        match self.lock().places.get_mut(&user) {
            Some(least) if ticket.ahead < least.ahead => *least = ticket,
            _ => return,
        }
        self.send(user, |_| LiveMessage::Ticket { ticket });
    }

    /// Shows an account to all its sockets.
    pub(crate) fn show_me(&self, me: Me) {
        let me = Box::new(self.falling(me));
        self.send(me.profile.id, |_| LiveMessage::Me { me: me.clone() });
    }

    /// Shows a notice to all of a person's sockets.
    pub(crate) fn show_notice(&self, user: UserId, notice: &Notice<Brief>) {
        self.send(user, |_| LiveMessage::Notice {
            notice: notice.clone(),
        });
    }

    fn send(&self, user: UserId, message: impl Fn(&LiveSink) -> LiveMessage) {
        for sink in self.sockets.of(user) {
            // A full queue closes the socket by itself; its client comes back and asks.
            let _ = sink.send(message(&sink));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Service for Pump {
    async fn handle(&self, _from: NodeId, payload: Vec<u8>, _call: Call) -> Result<Vec<u8>, ServiceError> {
        match wire::decode(&payload).map_err(|_| ServiceError::Corrupt)? {
            Cast::Tell { user, sockets, tell } => {
                if sockets
                    .iter()
                    .any(|socket| self.sockets.sink(user, *socket).is_some())
                {
                    match tell {
                        Tell::Changed => self.changed(user),
                        Tell::Notice(notice) => self.notice(user, notice),
                    }
                }
            }
            Cast::Close { user, socket } => {
                if let Some(sink) = self.sockets.sink(user, socket) {
                    sink.close(super::CloseReason::OpenedElsewhere);
                }
            }
            Cast::ShutOut { user, device } => self.sockets.revoke(user, Some(device), self.clock.boot()),
            Cast::ShutOutAll { user, devices } => {
                let now = self.clock.boot();
                self.sockets.revoke(user, None, now);
                for device in devices {
                    self.sockets.revoke(user, Some(device), now);
                }
            }
            Cast::LetIn { user } => self.sockets.restore(user),
        }
        Ok(vec![])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use mitalk_cluster::SystemClock;
    use std::time::Duration;
    use tokio::sync::mpsc;

    fn user(n: u128) -> UserId {
        UserId::new(Home::default(), n)
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_does_not_answer_delays_nobody() {
        let pump = Pump::new(Arc::default(), Arc::new(SystemClock));
        let (said, mut heard) = mpsc::unbounded_channel();
        let tell = |who, _: Words| {
            let said = said.clone();
            async move {
                if who == user(1) {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
                said.send(who).unwrap();
            }
        };
        let say = async {
            pump.changed(user(1));
            for n in [2, 2, 3] {
                tokio::time::sleep(Duration::from_millis(10)).await;
                pump.changed(user(n));
                // Of the first nothing newer is told before the older.
                pump.changed(user(1));
                assert_eq!(heard.recv().await, Some(user(n)));
            }
            let last = [heard.recv().await, heard.recv().await];
            assert_eq!(last, [Some(user(1)); 2], "what came meanwhile is told once");
        };
        tokio::select! {
            () = pump.run(2, tell) => panic!("it runs for ever"),
            () = say => {}
        }
    }
}
