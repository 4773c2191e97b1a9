//! What survives a forwarder that fails: the people and sockets of each room of this node, and which room a session is in.
//!
//! Forwarders write each change through. Media events find their room here, and a restarted forwarder its people, so that
//! audio goes on while it comes back. A lock is held for a map access only, never over an await.

use super::roster::Person;
use super::watchers::Watcher;
use crate::id::{RoomId, SocketId, UserId};
use mitalk_media::SessionKey;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    sessions: HashMap<SessionKey, RoomId>,
    rooms: HashMap<RoomId, Page>,
}

/// One room's page.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) people: HashMap<UserId, Person>,
    pub(super) watchers: HashMap<SocketId, Watcher>,
}

impl Ledger {
    pub(super) fn room_of(&self, session: SessionKey) -> Option<RoomId> {
        self.lock().sessions.get(&session).copied()
    }

    /// A session of the room is about to be made.
    pub(super) fn expect(&self, room: RoomId, session: SessionKey) {
        self.lock().sessions.insert(session, room);
    }

    /// A session is gone, or was not made.
    pub(super) fn forget(&self, session: SessionKey) {
        self.lock().sessions.remove(&session);
    }

    pub(super) fn enter(&self, room: RoomId, person: &Person) {
        let mut pages = self.lock();
        pages
            .rooms
            .entry(room)
            .or_default()
            .people
            .insert(person.brief.id, person.clone());
    }

    pub(super) fn leave(&self, room: RoomId, user: UserId) {
        if let Some(page) = self.lock().rooms.get_mut(&room) {
            page.people.remove(&user);
        }
    }

    pub(super) fn watch(&self, room: RoomId, watcher: &Watcher) {
        let mut pages = self.lock();
        pages
            .rooms
            .entry(room)
            .or_default()
            .watchers
            .insert(watcher.sink.id(), watcher.clone());
    }

    pub(super) fn unwatch(&self, room: RoomId, socket: SocketId) {
        if let Some(page) = self.lock().rooms.get_mut(&room) {
            page.watchers.remove(&socket);
        }
    }

    /// What a restarted forwarder goes on with.
    pub(super) fn page(&self, room: RoomId) -> Page {
        self.lock().rooms.get(&room).cloned().unwrap_or_default()
    }

    /// The room is nobody's here any more.
    pub(super) fn close(&self, room: RoomId) {
        let mut pages = self.lock();
        pages.rooms.remove(&room);
        pages.sessions.retain(|_, of| *of != room);
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // Every change above is one map operation, so a panic elsewhere leaves the maps whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
