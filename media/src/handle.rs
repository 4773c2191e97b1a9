//! The asynchronous edge: what callers hold.

use crate::{
    Answer, Config, Error, Join, Metrics, Rights, RoomKey, SessionEvent, SessionKey, StartError, Stats,
};
use std::net::SocketAddr;

/// The running engine. Dropping it stops it, too.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
}

/// Talks to the engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    _private: (),
}

/// What happens to sessions, in order per session.
#[derive(Debug)]
pub struct Events {
    queue: tokio::sync::mpsc::Receiver<SessionEvent>,
}

impl Engine {
    /// Opens the sockets and starts the threads.
    ///
    /// # Errors
    /// A wrong configuration, a busy port, or a refusal of the system; each says what to do.
    pub fn start(_config: Config, _metrics: Metrics) -> Result<(Self, Events), StartError> {
        unimplemented!()
    }

    /// A handle for callers.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where clients are told to send, one list over all shards: for a banner and for `doctor`.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        unimplemented!()
    }

    /// Closes every session (they get a goodbye), stops the threads and waits for them.
    pub fn shutdown(self) {}
}

impl Handle {
    /// Answers an offer and makes the session. Takes 0.5 ms of the shard's time.
    ///
    /// # Errors
    /// `Overloaded`, `Full`, `SessionExists`, `BadOffer`, `Stopped`; `NoSuchSession` if it was told to leave meanwhile.
    pub async fn join(&self, _join: Join) -> Result<Answer, Error> {
        unimplemented!()
    }

    /// Answers an offer with new ICE credentials for a session: same DTLS association, same SSRCs. The old
    /// credentials stop working.
    ///
    /// # Errors
    /// `Overloaded`, `NoSuchSession`, `BadOffer`, `Stopped`.
    pub async fn restart(&self, _session: SessionKey, _offer: String) -> Result<Answer, Error> {
        unimplemented!()
    }

    /// Changes what a session may do. When this returns, every packet that is taken in later is judged by
    /// the new rights. Never blocks and is never refused for load.
    ///
    /// # Errors
    /// `NoSuchSession`, `Stopped`.
    pub fn set_rights(&self, _session: SessionKey, _rights: Rights) -> Result<(), Error> {
        unimplemented!()
    }

    /// Ends a session: goodbye by DTLS, then not one packet in or out. `Gone(Removed)` follows. Its packets are refused
    /// from the moment this returns. Never refused for load.
    ///
    /// # Errors
    /// `NoSuchSession`, `Stopped`.
    pub fn leave(&self, _session: SessionKey) -> Result<(), Error> {
        unimplemented!()
    }

    /// Ends all sessions of a room, joins under way included. Never refused for load; a room without sessions is no error.
    ///
    /// # Errors
    /// `Stopped`.
    pub fn close_room(&self, _room: RoomKey) -> Result<(), Error> {
        unimplemented!()
    }

    /// A snapshot; all zero once the engine has stopped.
    pub async fn stats(&self) -> Stats {
        unimplemented!()
    }
}

impl Events {
    /// The next event; `None` once the engine has stopped. An engine whose events are not read keeps forwarding,
    /// and refuses joins as full in the end.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        self.queue.recv().await
    }
}
