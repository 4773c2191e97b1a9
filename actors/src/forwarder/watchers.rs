//! The live sockets that watch a room on this node.

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
