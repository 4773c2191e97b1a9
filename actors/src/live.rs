//! Live sockets: what is sent to them, and which of them this node holds.
//!
//! A [`LiveSink`] is the sending half of one socket, a bounded queue that never makes its sender wait: a client too slow
//! to empty it is closed and heals by asking again. [`LiveMessage`] mirrors the service's wire messages one to one.
//! [`Sockets`] knows the sockets of this node only; the account knows on which nodes it has some, and tells those nodes what
//! concerns them; the pump makes messages of it.

mod pump;
mod sink;
mod sockets;

pub(crate) use pump::{Cast, Pump, Words};
pub use sink::{CloseReason, LiveSink, LiveStream, TooSlow};
pub(crate) use sockets::REMEMBERED;
pub use sockets::{Revoked, Sockets};

use crate::id::{RoomId, SocketId};
use crate::person::{Brief, Me, Notice, Ticket};
use crate::rooms::{Change, LeftWhy, Snapshot};
use std::time::Duration;

/// From the service to one live socket.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveMessage {
    /// The first one; missing notices follow.
    Welcome {
        /// This socket, for joining a room.
        socket: SocketId,
        /// The account now.
        me: Box<Me>,
    },
    /// The account changed (admitted, profile, quota, room).
    Me {
        /// The account now.
        me: Box<Me>,
    },
    /// The waitlist moved.
    Ticket {
        /// The new place.
        ticket: Ticket,
    },
    /// A notice.
    Notice {
        /// It.
        notice: Notice<Brief>,
    },
    /// The whole room, at the start or after a gap too long to heal.
    RoomSnapshot(Box<Snapshot>),
    /// A change of a room.
    Room {
        /// The room.
        room: RoomId,
        /// One more than the delta before.
        seq: u64,
        /// What changed.
        change: Change,
    },
    /// This device is no longer in the room.
    LeftRoom {
        /// The room.
        room: RoomId,
        /// Why.
        why: LeftWhy,
    },
    /// The hallway changed; ask again if it is on screen.
    Hallway,
    /// The node will restart or move: reconnect after so long, sound goes on.
    Moving {
        /// With jitter.
        after: Duration,
    },
}
