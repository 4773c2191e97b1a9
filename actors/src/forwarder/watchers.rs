//! The live sockets that watch a room on this node: those of devices with a session in it.

use crate::id::{DeviceId, SocketId, UserId};
use crate::live::{LiveMessage, LiveSink};
use crate::room::Version;
use std::collections::HashMap;

/// A socket and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub(super) sink: LiveSink,
    /// The newest version that was sent.
    pub(super) seen: Version,
}

/// All of a room's. Sending never waits: a socket that is too slow is closed and forgotten, its client heals by asking.
#[derive(Debug, Default)]
pub(super) struct Watchers(HashMap<SocketId, Watcher>);

impl Watchers {
    pub(super) fn add(&mut self, watcher: Watcher) {
        self.0.insert(watcher.sink.id(), watcher);
    }

    pub(super) fn remove(&mut self, socket: SocketId) {
        self.0.remove(&socket);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings everybody who is behind `version` forward: `what` makes a person's messages and says how far they reach.
    pub(super) fn send(
        &mut self,
        version: Version,
        mut what: impl FnMut(UserId) -> (Version, Vec<LiveMessage>),
    ) {
        self.0.retain(|_, watcher| {
            if watcher.seen >= version {
                return true;
            }
            let (reached, messages) = what(watcher.sink.user());
            watcher.seen = reached;
            let mut messages = messages.into_iter();
            watcher.sink.closed().is_none() && messages.all(|message| watcher.sink.send(message).is_ok())
        });
    }

    /// Forgets the sockets of a person's device and gives their ids.
    pub(super) fn take(&mut self, user: UserId, device: DeviceId) -> Vec<SocketId> {
        let of = |watcher: &Watcher| watcher.sink.user() == user && watcher.sink.device() == device;
        let ids: Vec<_> = self
            .0
            .iter()
            .filter(|(_, watcher)| of(watcher))
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.0.remove(id);
        }
        ids
    }

    /// Forgets all sockets and gives their ids.
    pub(super) fn clear(&mut self) -> Vec<SocketId> {
        self.0.drain().map(|(id, _)| id).collect()
    }

    /// Forgets sockets that were closed and gives their ids.
    pub(super) fn prune(&mut self) -> Vec<SocketId> {
        let closed = |watcher: &&Watcher| watcher.sink.closed().is_some();
        let ids: Vec<_> = self
            .0
            .values()
            .filter(closed)
            .map(|watcher| watcher.sink.id())
            .collect();
        for id in &ids {
            self.0.remove(id);
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::super::replica::tests::user;
    use super::*;
    use crate::id::Home;
    use crate::live::CloseReason;

    fn at(sequence: u32) -> Version {
        Version {
            activation: 1,
            sequence,
        }
    }

    fn watcher(n: u128, capacity: usize) -> (LiveSink, crate::live::LiveStream) {
        let home = Home::default();
        LiveSink::new(SocketId::new(home, n), user(n), DeviceId::new(home, n), capacity)
    }

    #[tokio::test]
    async fn a_slow_socket_is_closed_and_the_others_go_on() {
        let mut watchers = Watchers::default();
        let (slow, mut behind) = watcher(1, 1);
        let (fast, mut ahead) = watcher(2, 8);
        for sink in [&slow, &fast] {
            watchers.add(Watcher {
                sink: sink.clone(),
                seen: at(0),
            });
        }
        for n in 1..=3 {
            watchers.send(at(n), |_| (at(n), vec![LiveMessage::Hallway]));
        }
        assert_eq!(behind.next().await, Err(CloseReason::TooSlow));
        for _ in 1..=3 {
            assert_eq!(ahead.next().await, Ok(LiveMessage::Hallway));
        }
        assert_eq!(watchers.take(user(1), slow.device()), [], "forgotten");
        assert_eq!(watchers.take(user(2), fast.device()), [fast.id()]);
    }

    #[tokio::test]
    async fn nobody_gets_what_a_snapshot_told_them_already() {
        let mut watchers = Watchers::default();
        let (sink, mut stream) = watcher(1, 8);
        watchers.add(Watcher {
            sink: sink.clone(),
            seen: at(0),
        });
        watchers.send(at(1), |_| (at(3), vec![LiveMessage::Hallway]));
        for n in 2..=3 {
            watchers.send(at(n), |_| panic!("{n} was in the snapshot"));
        }
        watchers.send(at(4), |_| (at(4), vec![]));
        assert_eq!(stream.next().await, Ok(LiveMessage::Hallway));
    }
}
