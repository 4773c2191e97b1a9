//! The live socket `/v1/live`: one per device; a snapshot, then deltas with a sequence; gaps are healed by asking.
//!
//! Text frames of JSON, at most 16 KiB from the client. The first message must be `hello` with an access token, within
//! 5 seconds. `room` deltas of one room have consecutive `seq`; a client that sees a gap sends `watch` with the last one
//! it has and gets what is missing, or a snapshot. Close codes: 4401 sign in again (also: the device was signed out), 4403 suspended, 4408 no
//! hello in time, 4409 opened elsewhere, 4429 too many messages, 1001 nothing was heard for a minute, 1003 not text,
//! 1009 a message too large, 1012 the server restarts, 1013 too slow or not available now (come back with back-off).

use super::people::{Me, Notice, PersonBrief, Ticket};
use super::problem::Problem;
use super::rooms::{Hand, HandRaising, RoomSnapshot, StageMember, Visibility};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// From the client.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// Must come first.
    Hello {
        /// Access token.
        token: String,
        /// The newest notice this client has.
        #[serde(default)]
        notices_after: u64,
    },
    /// A fresh access token, before the old one ends; else the socket is closed with 4401.
    Token {
        /// Access token.
        token: String,
    },
    /// Send this room's deltas (only to people in it); heals a gap.
    Watch {
        /// The room.
        room: String,
        /// The last delta the client has; absent: a snapshot.
        #[serde(default)]
        after: Option<u64>,
    },
    /// No more deltas of this room.
    Unwatch {
        /// The room.
        room: String,
    },
    /// Answered by `pong`.
    Ping {},
}

/// From the server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The answer to `hello`; missing notices follow.
    Welcome {
        /// This socket, for `JoinRequest::socket`.
        socket: String,
        /// The account now.
        me: Me,
    },
    /// The account changed (admitted, profile, quota, room).
    Me {
        /// The account now.
        me: Me,
    },
    /// The waitlist moved.
    Ticket {
        /// The new place.
        ticket: Ticket,
    },
    /// A notice.
    Notice {
        /// It.
        notice: Notice,
    },
    /// The whole room, at the start or after a gap too long to heal.
    RoomSnapshot {
        /// The room as this person sees it.
        room: RoomSnapshot,
    },
    /// A change of a room.
    Room {
        /// The room.
        room: String,
        /// One more than the delta before.
        seq: u64,
        /// What changed.
        change: RoomChange,
    },
    /// This device is no longer in the room.
    LeftRoom {
        /// The room.
        room: String,
        /// Why.
        why: LeftWhy,
    },
    /// The hallway changed; ask again if it is on screen (at most one a second).
    Hallway {},
    /// The answer to `ping`.
    Pong {},
    /// What the client sent could not be done.
    Problem {
        /// Why.
        problem: Problem,
    },
    /// The server will restart or move: reconnect after so long, sound goes on.
    Moving {
        /// Milliseconds, with jitter.
        after_ms: u64,
    },
}

/// Why somebody is out of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftWhy {
    /// By themselves.
    Left,
    /// Joined on another device.
    MovedDevice,
    /// A moderator removed them.
    Removed,
    /// A moderator banned them.
    Banned,
    /// The room is over.
    Ended,
    /// Their network was gone for longer than 30 s.
    LostConnection,
}

/// One change of a room, addressed to one person: `my_*` fields and hands differ by who gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum RoomChange {
    /// Settings, or a closed room's link was renewed.
    Settings {
        /// Title.
        title: String,
        /// Topics.
        topics: Vec<String>,
        /// Who may enter.
        visibility: Visibility,
        /// Who may raise a hand.
        hand_raising: HandRaising,
        /// `RoomSnapshot::link_key` now; absent unless the room is closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link_key: Option<String>,
    },
    /// Somebody is on stage now, or changed there (role, muted, away); replaces the member with the same id.
    Stage {
        /// The member.
        member: StageMember,
    },
    /// Somebody left the stage (to the audience or out of the room).
    Unstaged {
        /// Who.
        person: PersonBrief,
    },
    /// A hand went up. Moderators get whose; others only the count.
    HandUp {
        /// Whose; absent for those who are not moderators, except one's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hand: Option<Hand>,
        /// Hands up now.
        hand_count: u32,
        /// The receiver's place in the queue now, from 1; absent without a hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        my_hand: Option<u32>,
    },
    /// A hand went down (lowered, accepted, declined or gone).
    HandDown {
        /// Whose; absent for those who are not moderators, except one's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<PersonBrief>,
        /// Hands up now.
        hand_count: u32,
        /// The receiver's place in the queue now, from 1; absent without a hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        my_hand: Option<u32>,
        /// A moderator declined it (only told to its owner).
        #[serde(default)]
        declined: bool,
    },
    /// The receiver is asked on stage, or is no longer.
    StageInvitation {
        /// Asked now.
        invited: bool,
        /// Who asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<PersonBrief>,
    },
    /// The audience changed; at most once a second.
    Audience {
        /// People in the audience.
        audience_count: u32,
    },
    /// The room is over.
    Ended {},
    /// Nothing for this person: keeps the sequence without a gap.
    Nothing {},
}
