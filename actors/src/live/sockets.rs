//! The live sockets of this node, and who was shut out lately.

use super::{CloseReason, LiveSink};
use crate::id::{DeviceId, SocketId, UserId};
use crate::tables::ShutOut;
use mitalk_cluster::BootInstant;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shut-out devices and people remembered; more and the oldest is forgotten, whose access token soon ends anyway.
pub(crate) const REMEMBERED: usize = 100_000;

/// Why a valid access token counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The device was signed out.
    Device,
    /// An operator stopped the account.
    Suspended,
}

impl From<Revoked> for CloseReason {
    fn from(revoked: Revoked) -> Self {
        match revoked {
            Revoked::Device => Self::Revoked,
            Revoked::Suspended => Self::Suspended,
        }
    }
}

/// All live sockets of one node.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    sinks: HashMap<SocketId, LiveSink>,
    by_user: HashMap<UserId, Vec<SocketId>>,
    revoked: HashMap<(UserId, Option<DeviceId>), BootInstant>,
    revoked_in_order: BTreeMap<BootInstant, (UserId, Option<DeviceId>)>,
}

impl Sockets {
    /// Adds a socket. False if the node holds `most` already.
    #[must_use]
    pub fn add(&self, sink: LiveSink, most: usize) -> bool {
        let mut table = self.lock();
        if table.sinks.len() >= most {
            return false;
        }
        table.by_user.entry(sink.user()).or_default().push(sink.id());
        table.sinks.insert(sink.id(), sink);
        true
    }

    /// Forgets a socket.
    pub fn remove(&self, id: SocketId) {
        let mut table = self.lock();
        let Some(sink) = table.sinks.remove(&id) else {
            return;
        };
        if let Some(ids) = table.by_user.get_mut(&sink.user()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                table.by_user.remove(&sink.user());
            }
        }
    }

    /// The socket of that id, if it is of this person and this node holds it.
    pub fn sink(&self, user: UserId, id: SocketId) -> Option<LiveSink> {
        self.lock()
            .sinks
            .get(&id)
            .filter(|sink| sink.user() == user)
            .cloned()
    }

    /// All sockets of a person on this node.
    pub fn of(&self, user: UserId) -> Vec<LiveSink> {
        let table = self.lock();
        let ids = table.by_user.get(&user).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| table.sinks.get(id)).cloned().collect()
    }

    /// All sockets of this node.
    pub fn all(&self) -> Vec<LiveSink> {
        self.lock().sinks.values().cloned().collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.lock().sinks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shuts a device out, or all of a person's (`device` absent: suspended): closes sockets, and remembers it while access
    /// tokens of before may still be valid.
    pub fn revoke(&self, user: UserId, device: Option<DeviceId>, now: BootInstant) {
        self.lock().remember((user, device), now);
        let reason = if device.is_some() {
            CloseReason::Revoked
        } else {
            CloseReason::Suspended
        };
        for sink in self
            .of(user)
            .into_iter()
            .filter(|sink| device.is_none_or(|device| sink.device() == device))
        {
            sink.close(reason);
        }
    }

    /// Lets a person in again; devices that were shut out by themselves stay so.
    pub fn restore(&self, user: UserId) {
        self.let_in((user, None));
    }

    fn let_in(&self, who: (UserId, Option<DeviceId>)) {
        let mut table = self.lock();
        if let Some(at) = table.revoked.remove(&who) {
            table.revoked_in_order.remove(&at);
        }
    }

    /// Takes over what the read table says of shut-out devices and people: what was said before this node started, or did
    /// not reach it.
    pub fn learn(&self, row: &ShutOut, now: BootInstant) {
        let who = (row.user, row.device);
        if !row.shut_out {
            self.let_in(who);
        } else if !self.lock().revoked.contains_key(&who) {
            self.revoke(row.user, row.device, now);
        }
    }

    /// Whether the access tokens of this device count no more.
    pub fn revoked(&self, user: UserId, device: DeviceId) -> Option<Revoked> {
        let table = self.lock();
        if table.revoked.contains_key(&(user, None)) {
            Some(Revoked::Suspended)
        } else if table.revoked.contains_key(&(user, Some(device))) {
            Some(Revoked::Device)
        } else {
            None
        }
    }

    /// Forgets who was shut out longer than `lifetime` ago.
    pub fn forget_revoked(&self, now: BootInstant, lifetime: Duration) {
        let mut table = self.lock();
        while let Some((at, who)) = table
            .revoked_in_order
            .first_key_value()
            .map(|(at, who)| (*at, *who))
        {
            if now.since(at) <= lifetime {
                break;
            }
            table.revoked_in_order.remove(&at);
            table.revoked.remove(&who);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change below leaves the table whole, so a panic elsewhere while it was held does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remember(&mut self, who: (UserId, Option<DeviceId>), now: BootInstant) {
        if let Some(before) = self.revoked.remove(&who) {
            self.revoked_in_order.remove(&before);
        }
        if self.revoked.len() >= REMEMBERED
            && let Some((_, oldest)) = self.revoked_in_order.pop_first()
        {
            self.revoked.remove(&oldest);
        }
        let mut at = now;
        while self.revoked_in_order.contains_key(&at) {
            at = at + Duration::from_nanos(1);
        }
        self.revoked_in_order.insert(at, who);
        self.revoked.insert(who, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;

    fn sink(socket: u128, user: u128, device: u128) -> LiveSink {
        let home = Home::default();
        LiveSink::new(
            SocketId::new(home, socket),
            UserId::new(home, user),
            DeviceId::new(home, device),
            4,
        )
        .0
    }

    #[test]
    fn finds_sockets_by_person() {
        let sockets = Sockets::default();
        let (a, b) = (sink(1, 1, 1), sink(2, 1, 2));
        assert!(sockets.add(a.clone(), 10) && sockets.add(b, 10));
        assert!(!sockets.add(sink(3, 2, 3), 2), "the node is full");
        assert_eq!(sockets.of(a.user()).len(), 2);
        sockets.remove(a.id());
        assert!(sockets.sink(a.user(), a.id()).is_none());
        assert_eq!(sockets.of(a.user()).len(), 1);
    }

    #[test]
    fn revoking_closes_and_is_forgotten_in_time() {
        let sockets = Sockets::default();
        let (a, b) = (sink(1, 1, 1), sink(2, 1, 2));
        assert!(sockets.add(a.clone(), 10) && sockets.add(b.clone(), 10));
        sockets.revoke(a.user(), Some(a.device()), BootInstant(5));
        assert_eq!((a.closed(), b.closed()), (Some(CloseReason::Revoked), None));
        assert_eq!(sockets.revoked(a.user(), a.device()), Some(Revoked::Device));
        assert_eq!(sockets.revoked(b.user(), b.device()), None);
        sockets.revoke(a.user(), None, BootInstant(5));
        assert_eq!(sockets.revoked(b.user(), b.device()), Some(Revoked::Suspended));
        sockets.restore(a.user());
        assert_eq!(sockets.revoked(b.user(), b.device()), None);
        assert_eq!(
            sockets.revoked(a.user(), a.device()),
            Some(Revoked::Device),
            "a device that was signed out by itself stays so"
        );
        sockets.forget_revoked(BootInstant(100), Duration::from_nanos(10));
        assert_eq!(sockets.revoked(a.user(), a.device()), None);
    }
}
