//! What can be asked of a room, and what it answers.

use super::limits::Limits;
use super::scene::{Version, View};
use super::settings::{Invalid, Patch, Settings};
use crate::id::{RoomId, UserId};
use mitalk_cluster::{NodeId, RequestId};
use serde::{Deserialize, Serialize};

/// A person's session on a node. It tells the end of an old session from the beginning of a newer one: the numbers of a
/// node only grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Where.
    pub node: NodeId,
    /// Which.
    pub session: u64,
}

/// An intent. `by` is who wants it, `user` whom it is about; one of them alone is both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Opens the room; its creator is the first moderator. A repeat by the same person gets the room as it is.
    Open {
        /// The entity's key, as an id.
        room: RoomId,
        /// The creator.
        by: UserId,
        /// Title and so on.
        settings: Settings,
        /// Kept for the room's life.
        limits: Limits,
    },
    /// Changes settings.
    Amend {
        /// A moderator.
        by: UserId,
        /// What changes.
        patch: Patch,
    },
    /// Makes the share link worthless that was given out so far, and a new one.
    RenewLink {
        /// A moderator.
        by: UserId,
        /// [`Scene::link`](super::Scene::link) as it was: what somebody renewed meanwhile stays.
        old: u32,
    },
    /// Raises a hand.
    RaiseHand {
        /// Somebody in the audience.
        user: UserId,
        /// Somebody on stage follows them.
        followed: bool,
    },
    /// Lowers it.
    LowerHand {
        /// Whose.
        user: UserId,
    },
    /// Accepts a hand, which becomes an invitation, or declines it.
    AnswerHand {
        /// A moderator.
        by: UserId,
        /// Whose hand.
        user: UserId,
        /// Or decline.
        accept: bool,
    },
    /// Asks somebody of the audience on stage.
    InviteToStage {
        /// A moderator.
        by: UserId,
        /// Somebody in the audience: the caller has made sure.
        user: UserId,
    },
    /// Takes that back.
    CancelInvitation {
        /// A moderator.
        by: UserId,
        /// Who was asked.
        user: UserId,
    },
    /// Comes on stage, muted, or does not want to.
    AnswerInvitation {
        /// Who was asked.
        user: UserId,
        /// Or decline.
        accept: bool,
    },
    /// Switches a microphone off.
    Mute {
        /// A moderator, or the person.
        by: UserId,
        /// On stage.
        user: UserId,
    },
    /// Switches one's own microphone on.
    Unmute {
        /// On stage.
        user: UserId,
    },
    /// From the stage to the audience.
    MoveBack {
        /// A moderator, or the person.
        by: UserId,
        /// On stage.
        user: UserId,
    },
    /// Makes a speaker a moderator.
    MakeModerator {
        /// A moderator.
        by: UserId,
        /// On stage.
        user: UserId,
    },
    /// Out of the room; may come back.
    Remove {
        /// A moderator.
        by: UserId,
        /// Somebody else.
        user: UserId,
        /// Whose repeat does nothing: the person may have come back meanwhile.
        request: Option<RequestId>,
    },
    /// Out of the room for good.
    Ban {
        /// A moderator.
        by: UserId,
        /// Somebody else.
        user: UserId,
    },
    /// Asks somebody into the room.
    Ping {
        /// Somebody in the room: the caller has made sure.
        by: UserId,
        /// Whom.
        user: UserId,
    },
    /// Ends the room.
    End {
        /// A moderator; absent for an operator.
        by: Option<UserId>,
    },
    /// The timer of an empty stage.
    EndEmpty,
    /// The whole room, for somebody who is not in it.
    Look,
    /// A forwarder wants everything, and to be told what changes.
    Register {
        /// Its node.
        node: NodeId,
    },
    /// A forwarder's heartbeat.
    Report {
        /// Its node.
        node: NodeId,
        /// Its people who are not on stage.
        audience: u32,
        /// Its people who are on stage, in the queue or invited, with their sessions ([`Presence::session`]).
        holders: Vec<(UserId, u64)>,
    },
    /// A forwarder has nobody left.
    Part {
        /// Its node.
        node: NodeId,
    },
    /// Somebody is gone. Only worth telling of people who hold something. It may be told late: whoever has been reported
    /// by a newer session is back.
    Leave {
        /// Who.
        user: UserId,
        /// The session that ended.
        presence: Presence,
    },
    /// The network of somebody on stage is gone, or there again.
    Away {
        /// Who.
        user: UserId,
        /// Gone.
        away: bool,
    },
    /// The home's own heartbeat, every [`tick_ms`](crate::limits::Rooms::tick_ms).
    Tick,
}

/// What a room answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is so now, by this command or already before.
    Done {
        /// The place in the queue, for who raised a hand.
        hand: Option<u32>,
    },
    /// It acts already and will be stored when the store is back.
    Pending,
    /// The whole room, for its creator, for forwarders and for those who look.
    View(Box<View>),
    /// To a report.
    Reported {
        /// False: register first.
        known: bool,
        /// The newest version: a forwarder that stays behind it has missed something.
        version: Version,
    },
}

/// The room's no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Never opened.
    #[error("there is no such room")]
    NotFound,
    /// The room is over.
    #[error("the room has ended")]
    Ended,
    /// A setting is not acceptable.
    #[error(transparent)]
    Settings(Invalid),
    /// The one who asks does not run the room.
    #[error("only moderators of the room may do this")]
    ModeratorsOnly,
    /// The person was banned from the room.
    #[error("the person is banned from the room")]
    Banned,
    /// The person is not on stage.
    #[error("the person is not on stage")]
    NotOnStage,
    /// The person is on stage.
    #[error("the person is on stage already")]
    AlreadyOnStage,
    /// Nobody may raise a hand.
    #[error("raising hands is off in this room")]
    HandsOff,
    /// Only people followed by somebody on stage may raise a hand.
    #[error("only people followed by somebody on stage may raise a hand")]
    HandsFollowedOnly,
    /// The queue of hands is full.
    #[error("the queue of hands is full")]
    HandsFull,
    /// The hand is not up.
    #[error("the hand is not up any more")]
    HandNotUp,
    /// Nobody asked the person on stage.
    #[error("there is no stage invitation for this person")]
    NotInvited,
    /// The stage is full.
    #[error("the stage is full")]
    StageFull,
    /// Too many invitations wait for an answer.
    #[error("too many stage invitations wait for an answer; cancel one")]
    InvitationsFull,
    /// The list of bans is full.
    #[error("the list of bans is full; remove the person instead")]
    BansFull,
    /// The person, or all together, have asked enough people in.
    #[error("no more people can be asked into this room; share its link instead")]
    PingsFull,
    /// Nobody removes or bans themselves.
    #[error("leave the room instead")]
    NotYourself,
}

impl Refusal {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "room_not_found",
            Self::Ended => "room_ended",
            Self::Settings(_) => "unprocessable",
            Self::ModeratorsOnly => "moderators_only",
            Self::Banned => "room_banned",
            Self::NotOnStage => "not_on_stage",
            Self::AlreadyOnStage => "already_on_stage",
            Self::HandsOff => "hands_off",
            Self::HandsFollowedOnly => "hands_followed_only",
            Self::HandsFull => "hands_full",
            Self::HandNotUp => "hand_not_up",
            Self::NotInvited => "not_invited",
            Self::StageFull => "stage_full",
            Self::InvitationsFull => "invitations_full",
            Self::BansFull => "bans_full",
            Self::PingsFull => "pings_full",
            Self::NotYourself => "not_yourself",
        }
    }
}
