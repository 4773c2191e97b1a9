//! A room as one person sees it: the values that the facade answers with and that live sockets carry.
//!
//! They mirror the service's wire types one to one. Nothing here is stored.

use crate::id::{RoomId, SessionId};
use crate::person::Brief;
use crate::room::{HandRaising, Role, Visibility};
use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};

/// A live room in the hallway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which room.
    pub room: RoomId,
    /// Title.
    pub title: String,
    /// Topics.
    pub topics: Vec<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Who may enter.
    pub visibility: Visibility,
    /// Up to [`LISTED_STAGE`](super::LISTED_STAGE) people on stage, moderators first.
    pub stage: Vec<Brief>,
    /// People on stage.
    pub stage_count: u32,
    /// People in the audience.
    pub audience_count: u32,
    /// The caller follows somebody on stage.
    pub followed: bool,
    /// When it was opened.
    pub started: Timestamp,
}

/// Somebody on stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageMember {
    /// Who.
    pub person: Brief,
    /// `Moderator` or `Speaker`.
    pub role: Role,
    /// The CSRC of their audio.
    pub number: u32,
    /// The microphone is off.
    pub muted: bool,
    /// Lost their network and may still come back.
    pub away: bool,
}

/// A raised hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// Whose.
    pub person: Brief,
    /// When.
    pub raised: Timestamp,
}

/// Somebody in the audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudienceMember {
    /// Who.
    pub person: Brief,
    /// The caller follows them.
    pub followed: bool,
    /// Somebody on stage follows them.
    pub followed_by_stage: bool,
    /// Their hand is up.
    pub hand: bool,
}

/// The whole room, as one person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which room.
    pub room: RoomId,
    /// Changes after this one follow on the live socket.
    pub seq: u64,
    /// Title.
    pub title: String,
    /// Topics.
    pub topics: Vec<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Who may enter.
    pub visibility: Visibility,
    /// What the share link of a closed room carries; for people inside.
    pub link_key: Option<String>,
    /// Who may raise a hand.
    pub hand_raising: HandRaising,
    /// Moderators first, then in order of coming on stage.
    pub stage: Vec<StageMember>,
    /// In order of raising: all for moderators, one's own for others.
    pub hands: Vec<Hand>,
    /// All hands that are up.
    pub hand_count: u32,
    /// The person's place in the queue, from 1.
    pub my_hand: Option<u32>,
    /// The person was asked on stage and has not answered.
    pub invited_to_stage: bool,
    /// The person's role; absent when not in the room.
    pub my_role: Option<Role>,
    /// People in the audience.
    pub audience_count: u32,
    /// When it was opened.
    pub started: Timestamp,
    /// The room is over.
    pub ended: bool,
}

/// One change of a room, as one person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Settings.
    Settings {
        /// Title.
        title: String,
        /// Topics.
        topics: Vec<String>,
        /// Who may enter.
        visibility: Visibility,
        /// Who may raise a hand.
        hand_raising: HandRaising,
        /// As in the snapshot; absent: not closed.
        link_key: Option<String>,
    },
    /// Somebody is on stage now, or changed there; replaces the member with the same id.
    Stage {
        /// The member.
        member: StageMember,
    },
    /// Somebody left the stage.
    Unstaged {
        /// Who.
        person: Brief,
    },
    /// A hand went up. Moderators and its owner get whose.
    HandUp {
        /// Whose.
        hand: Option<Hand>,
        /// Hands up now.
        hand_count: u32,
        /// The person's place in the queue now, from 1.
        my_hand: Option<u32>,
    },
    /// A hand went down. Moderators and its owner get whose.
    HandDown {
        /// Whose.
        person: Option<Brief>,
        /// Hands up now.
        hand_count: u32,
        /// The person's place in the queue now, from 1.
        my_hand: Option<u32>,
        /// A moderator declined it (only told to its owner).
        declined: bool,
    },
    /// The person is asked on stage, or is no longer.
    StageInvitation {
        /// Asked now.
        invited: bool,
        /// Who asks.
        by: Option<Brief>,
    },
    /// The audience changed.
    Audience {
        /// People in the audience.
        audience_count: u32,
    },
    /// The room is over.
    Ended,
    /// Nothing for this person: keeps the sequence without a gap.
    Nothing,
}

/// Why somebody is out of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftWhy {
    /// By themselves.
    Left,
    /// Joined on another device, or another room.
    MovedDevice,
    /// A moderator removed them.
    Removed,
    /// A moderator banned them.
    Banned,
    /// The room is over.
    Ended,
    /// Their network was gone for longer than the grace.
    LostConnection,
}

/// A join of a room.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// The SDP offer.
    pub sdp: String,
    /// From the last join of this device.
    pub resume_token: Option<String>,
    /// Of the room's share link.
    pub link_key: Option<String>,
    /// The device's live socket: changes go there from now on.
    pub socket: Option<crate::id::SocketId>,
}

/// The answer to a join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The media session.
    pub session: SessionId,
    /// The SDP answer.
    pub sdp: String,
    /// The room as of now.
    pub snapshot: Snapshot,
    /// Single use.
    pub resume_token: String,
    /// The caller came back to their place.
    pub resumed: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// It acts already and will be stored when the store is back.
    pub pending: bool,
    /// The place of the raised hand, from 1.
    pub hand: Option<u32>,
}
