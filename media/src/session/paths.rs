//! Which addresses a client was really seen at, and to which of them its audio goes.
//!
//! str0m runs ICE, and tells nobody which pair it nominated. So the same checks are read here, by the same rules
//! (RFC 8445, 7.3.1.5): our audio goes to the address whose authentic check last carried USE-CANDIDATE, once a check
//! of ours to that address was answered. A replayed check from a spoofed address gets no answer, so it moves nothing.
//!
//! Invariants
//! - Only authentic messages change anything here.
//! - Life is what was answered: a recorded check, replayed from anywhere, keeps no ghost alive.
//! - Addresses are bounded: a client with credentials cannot fill memory by checking from every port.

use crate::metrics::Dropped;
use crate::stun::{self, Class, Message, TransactionId};
use std::net::SocketAddr;

/// Addresses of one client per ICE generation. Four interfaces behind NATs that change their minds make fewer.
pub(crate) const MAX_PATHS: usize = 32;

/// Checks of ours that may be unanswered at a time, per address: 4 s of them.
const MAX_ASKED: usize = 4;

/// What an authentic STUN message says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The client lives: it answered us, or asks from an address where it did.
    Alive,
    /// The client made it; when, and who sent it now, is open.
    Authentic,
}

#[derive(Debug)]
struct Path {
    address: SocketAddr,
    /// The newest checks that were sent there, oldest first. Several, for an answer may take longer than our patience.
    asked: Vec<TransactionId>,
    /// One of our checks was answered from there.
    valid: bool,
    /// When it was nominated, in order; 0 for never.
    nominated: u64,
}

#[derive(Debug)]
pub(crate) struct Paths {
    /// Our password: requests are signed with it.
    local: stun::Key,
    /// The client's: its responses are signed with it.
    remote: stun::Key,
    known: Vec<Path>,
    nominations: u64,
    target: Option<SocketAddr>,
}

impl Paths {
    pub(crate) fn new(local_password: &str, remote_password: &str) -> Self {
        let (local, remote) = (stun::key(local_password), stun::key(remote_password));
        Self {
            local,
            remote,
            known: Vec::new(),
            nominations: 0,
            target: None,
        }
    }

    /// New credentials. Audio keeps flowing to the old address until a new one is nominated (RFC 8445, 9).
    pub(crate) fn restart(&mut self, local_password: &str, remote_password: &str) {
        *self = Self {
            target: self.target,
            nominations: self.nominations,
            ..Self::new(local_password, remote_password)
        };
    }

    /// Where audio goes, once ICE has agreed.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.target
    }

    /// Whether the client was seen there since the last restart, or audio still goes there.
    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        self.target == Some(address) || self.known.iter().any(|path| path.address == address)
    }

    /// A check was sent.
    pub(crate) fn asked(&mut self, to: SocketAddr, id: TransactionId) {
        if let Some(path) = self.known.iter_mut().find(|path| path.address == to) {
            if path.asked.len() == MAX_ASKED {
                path.asked.remove(0);
            }
            path.asked.push(id);
        }
    }

    /// A request or response came in.
    ///
    /// # Errors
    /// `Forged`: not made with the session's password, but old credentials or somebody else's. `TooManyAddresses`.
    pub(crate) fn check(&mut self, message: &Message<'_>, from: SocketAddr) -> Result<Check, Dropped> {
        let key = if message.class() == Class::Request {
            &self.local
        } else {
            &self.remote
        };
        if !message.is_authentic(key) {
            return Err(Dropped::Forged);
        }
        let known = self.known.iter().position(|path| path.address == from);
        let alive = match (message.class(), known) {
            (Class::Success, Some(at)) => {
                let path = &mut self.known[at];
                let asked = path.asked.contains(&message.transaction());
                path.valid |= asked;
                asked
            }
            // Checks only go to known addresses: an answer to none of them.
            (Class::Success, None) => return Err(Dropped::Forged),
            (Class::Request, None) if self.known.len() >= MAX_PATHS => return Err(Dropped::TooManyAddresses),
            (Class::Request, at) => {
                let at = at.unwrap_or_else(|| self.learn(from));
                if message.nominates() {
                    self.nominations += 1;
                    self.known[at].nominated = self.nominations;
                }
                self.known[at].valid
            }
        };
        let nominated = self.known.iter().filter(|path| path.valid && path.nominated > 0);
        if let Some(path) = nominated.max_by_key(|path| path.nominated) {
            self.target = Some(path.address);
        }
        Ok(if alive { Check::Alive } else { Check::Authentic })
    }

    fn learn(&mut self, address: SocketAddr) -> usize {
        self.known.push(Path {
            address,
            asked: Vec::new(),
            valid: false,
            nominated: 0,
        });
        self.known.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = *b"our check is";
    const CLIENT: &str = "192.0.2.1:1000";
    const MOVED: &str = "192.0.2.1:2000";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn request(paths: &mut Paths, from: &str, password: &str, nominate: bool) -> Result<Check, Dropped> {
        let bytes = stun::write::request(
            *b"their check.",
            "server:client",
            &stun::key(password),
            1,
            1,
            nominate,
        );
        paths.check(&Message::parse(&bytes).unwrap(), address(from))
    }

    fn response(paths: &mut Paths, from: &str, password: &str, id: TransactionId) -> Result<Check, Dropped> {
        let bytes = stun::write::response(id, address(from), &stun::key(password));
        paths.check(&Message::parse(&bytes).unwrap(), address(from))
    }

    #[test]
    fn a_path_is_used_once_it_is_nominated_and_answers() {
        let mut paths = Paths::new("ours", "theirs");
        assert_eq!(request(&mut paths, CLIENT, "ours", true), Ok(Check::Authentic));
        assert_eq!(
            paths.target(),
            None,
            "a nomination alone may be a replay from anywhere"
        );
        paths.asked(address(CLIENT), ID);
        assert_eq!(response(&mut paths, CLIENT, "wrong", ID), Err(Dropped::Forged));
        assert_eq!(
            response(&mut paths, CLIENT, "theirs", *b"another one."),
            Ok(Check::Authentic)
        );
        assert_eq!(paths.target(), None, "not the answer to our check");
        assert_eq!(response(&mut paths, CLIENT, "theirs", ID), Ok(Check::Alive));
        assert_eq!(paths.target(), Some(address(CLIENT)));
        assert_eq!(request(&mut paths, CLIENT, "ours", false), Ok(Check::Alive));
        let replayed = request(&mut paths, MOVED, "ours", true);
        assert_eq!(replayed, Ok(Check::Authentic), "from there nothing was answered");
    }

    #[test]
    fn the_newest_nomination_wins_and_a_restart_keeps_audio_flowing() {
        let mut paths = Paths::new("ours", "theirs");
        for (from, nominate) in [(CLIENT, true), (MOVED, false)] {
            request(&mut paths, from, "ours", nominate).unwrap();
            paths.asked(address(from), ID);
            response(&mut paths, from, "theirs", ID).unwrap();
        }
        assert_eq!(paths.target(), Some(address(CLIENT)));
        request(&mut paths, MOVED, "ours", true).unwrap();
        assert_eq!(paths.target(), Some(address(MOVED)));

        paths.restart("new", "newer");
        assert!(!paths.has(address(CLIENT)));
        assert_eq!(
            request(&mut paths, CLIENT, "ours", true),
            Err(Dropped::Forged),
            "the old password"
        );
        assert_eq!(paths.target(), Some(address(MOVED)));
        assert!(paths.has(address(MOVED)) && !paths.has(address(CLIENT)));
    }

    #[test]
    fn addresses_are_bounded() {
        let mut paths = Paths::new("ours", "theirs");
        for port in 1..=MAX_PATHS {
            assert_eq!(
                request(&mut paths, &format!("192.0.2.1:{port}"), "ours", false),
                Ok(Check::Authentic)
            );
        }
        assert_eq!(
            request(&mut paths, "192.0.2.1:9999", "ours", true),
            Err(Dropped::TooManyAddresses)
        );
        assert_eq!(
            request(&mut paths, "192.0.2.1:1", "ours", true),
            Ok(Check::Authentic)
        );
        assert_eq!(paths.known.len(), MAX_PATHS);
    }
}
