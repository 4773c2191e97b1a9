//! Which sessions there are, for those who hold a handle: in which room, on which shard, with which rights.
//!
//! A session is in it from the join's first moment until its end was told, so that keys are never ambiguous and the
//! number of sessions is bounded. It is behind a lock, and no packet ever asks it.

use crate::{Error, RoomKey, SessionKey, rights};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All sessions of the node.
#[derive(Debug)]
pub(crate) struct Directory {
    sessions: Mutex<HashMap<SessionKey, Entry>>,
    max: usize,
}

/// One session as its callers' handles know it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) room: RoomKey,
    pub(crate) shard: usize,
    pub(crate) rights: Arc<rights::Cell>,
}

impl Directory {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            sessions: Mutex::default(),
            max,
        }
    }

    pub(crate) fn enter(&self, session: SessionKey, entry: Entry) -> Result<(), Error> {
        let mut sessions = self.lock();
        if sessions.contains_key(&session) {
            return Err(Error::SessionExists);
        }
        if sessions.len() >= self.max {
            return Err(Error::Full);
        }
        sessions.insert(session, entry);
        Ok(())
    }

    pub(crate) fn with<T>(&self, session: SessionKey, look: impl FnOnce(&Entry) -> T) -> Result<T, Error> {
        self.lock().get(&session).map(look).ok_or(Error::NoSuchSession)
    }

    /// Closes the rights of everybody in a room. Returns those for whom this was the first time, and their shards.
    pub(crate) fn close_room(&self, room: RoomKey) -> Vec<(SessionKey, usize)> {
        let sessions = self.lock();
        let inside = sessions
            .iter()
            .filter(|(_, entry)| entry.room == room && entry.rights.close());
        inside.map(|(session, entry)| (*session, entry.shard)).collect()
    }

    pub(crate) fn forget(&self, session: SessionKey) {
        self.lock().remove(&session);
    }

    /// Nothing can be half-done in there when a panic comes.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
