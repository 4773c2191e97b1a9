//! What a room looks like, and every way in which it can change.
//!
//! A forwarder's replica folds the same [`Change`]s over the same [`Scene`] as the home does, by the same function, so
//! the two cannot disagree about who is muted. A [`View`] is what the home gives a forwarder that asks for all of it.
//!
//! Invariants (kept by `decide`, checked by the properties): a person is at most once on stage, in the queue of hands or
//! among the invited, and in one of them only; stage numbers grow; whoever is banned is nowhere else.
//! It lacks the audience's names: forwarders know those, the home knows a count.

use super::settings::Settings;
use crate::id::{RoomId, UserId};
use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A person's role in a room. On stage it is one of the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// On stage, and runs the room.
    Moderator,
    /// On stage.
    Speaker,
    /// In the audience.
    Listener,
}

/// A place on stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Whose.
    pub user: UserId,
    /// `Moderator` or `Speaker`.
    pub role: Role,
    /// The CSRC of their audio; never used for anybody else in this room, nor again for them.
    pub number: u32,
    /// The microphone is off, whoever switched it off.
    pub muted: bool,
}

/// A raised hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedHand {
    /// Whose.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
}

/// Somebody was asked on stage and has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Who was asked.
    pub user: UserId,
    /// By whom.
    pub by: UserId,
}

/// Somebody was asked into the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Who was asked.
    pub user: UserId,
    /// By whom.
    pub by: UserId,
}

/// How a hand went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandDown {
    /// By its owner, or its owner is gone.
    Lowered,
    /// It became an invitation.
    Accepted,
    /// By a moderator.
    Declined,
}

/// Why somebody was put out of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Out {
    /// May come back.
    Removed,
    /// May not.
    Banned,
}

/// The committed part of a room that forwarders replicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Which room.
    pub room: RoomId,
    /// Who opened it.
    pub creator: UserId,
    /// When it was opened.
    pub started: Timestamp,
    /// The room is over: stage, hands, invitations and bans are empty.
    pub ended: bool,
    /// Title and so on.
    pub settings: Settings,
    /// In order of coming on stage.
    pub stage: Vec<Seat>,
    /// In order of raising.
    pub hands: Vec<RaisedHand>,
    /// In order of asking.
    pub invitations: Vec<Invitation>,
    /// Who may not enter.
    pub banned: BTreeSet<UserId>,
    /// Who was asked in, oldest first, for closed rooms.
    pub pinged: Vec<Ping>,
    /// How often the share link was renewed; the keys of earlier ones open nothing.
    #[serde(default)]
    pub link: u32,
}

/// The part that lives only as long as an activation of the home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    /// People on stage whose network is gone; they have some seconds to come back.
    pub away: BTreeSet<UserId>,
    /// People in the audience, over all forwarders.
    pub audience: u32,
    /// Who was removed lately, and by which change, oldest first: a forwarder that missed the change learns it from a view.
    #[serde(default)]
    pub removed: Vec<(UserId, Version)>,
}

/// Orders everything that the home of a room tells: activations of the home first, then the changes of one activation.
///
/// The activation is committed before its first change is told, so a former owner's changes are always older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Which activation of the home.
    pub activation: u32,
    /// Counts the changes of the activation.
    pub sequence: u32,
}

impl Version {
    /// The version after the next change.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            sequence: self.sequence + 1,
            ..self
        }
    }

    /// As clients see it. Below 2^53 (a JavaScript number) for the first two million activations of a room.
    pub fn as_u64(self) -> u64 {
        u64::from(self.activation) << 32 | u64::from(self.sequence)
    }

    /// What [`as_u64`](Self::as_u64) gave.
    pub fn from_u64(value: u64) -> Self {
        Self {
            activation: u32::try_from(value >> 32).unwrap_or(u32::MAX),
            sequence: value as u32,
        }
    }
}

/// The whole room, as of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The last change that is in it.
    pub version: Version,
    /// What is committed.
    pub scene: Scene,
    /// What is not.
    pub passing: Passing,
}

/// One change of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// New settings.
    Settings(Settings),
    /// The share link was renewed, for so many times now.
    LinkRenewed(u32),
    /// Somebody came on stage, or changed there: replaces the seat of the same person.
    Seated(Seat),
    /// Somebody is not on stage any more.
    Unseated(UserId),
    /// A hand went up.
    HandUp(RaisedHand),
    /// A hand went down.
    HandDown(UserId, HandDown),
    /// Somebody is asked on stage.
    Invited(Invitation),
    /// Somebody is not asked any more: answered, cancelled or gone.
    Uninvited(UserId),
    /// Somebody was asked into the room.
    Pinged(Ping),
    /// Somebody has to leave.
    Out(UserId, Out),
    /// Somebody on stage lost their network (true), or is back.
    Away(UserId, bool),
    /// So many people are in the audience.
    Audience(u32),
    /// The room is over.
    Ended,
}

impl Change {
    /// False for what lives only as long as the activation.
    pub fn durable(&self) -> bool {
        !matches!(self, Self::Away(..) | Self::Audience(_))
    }
}

impl Scene {
    /// The seat of somebody on stage.
    pub fn seat(&self, user: UserId) -> Option<&Seat> {
        self.stage.iter().find(|seat| seat.user == user)
    }

    /// The role of somebody who is in the room.
    pub fn role(&self, user: UserId) -> Role {
        self.seat(user).map_or(Role::Listener, |seat| seat.role)
    }

    /// Whether they run the room.
    pub fn moderates(&self, user: UserId) -> bool {
        self.role(user) == Role::Moderator
    }

    /// The people who run the room.
    pub fn moderators(&self) -> impl Iterator<Item = UserId> {
        self.stage
            .iter()
            .filter(|seat| seat.role == Role::Moderator)
            .map(|seat| seat.user)
    }

    /// The place in the queue of hands, from 1.
    pub fn hand(&self, user: UserId) -> Option<u32> {
        let place = self.hands.iter().position(|hand| hand.user == user)?;
        u32::try_from(place + 1).ok()
    }

    /// The stage invitation that waits for their answer.
    pub fn invitation(&self, user: UserId) -> Option<&Invitation> {
        self.invitations.iter().find(|invitation| invitation.user == user)
    }

    /// On stage, in the queue or invited: the home has to know when they go.
    pub fn holds(&self, user: UserId) -> bool {
        self.seat(user).is_some() || self.hand(user).is_some() || self.invitation(user).is_some()
    }

    /// Everybody who [`holds`](Self::holds) something.
    pub fn holders(&self) -> impl Iterator<Item = UserId> {
        let stage = self.stage.iter().map(|seat| seat.user);
        let hands = self.hands.iter().map(|hand| hand.user);
        stage
            .chain(hands)
            .chain(self.invitations.iter().map(|invitation| invitation.user))
    }

    /// Whether they were asked into the room.
    pub fn was_pinged(&self, user: UserId) -> bool {
        self.pinged.iter().any(|ping| ping.user == user)
    }
}

/// Applies the change of that version; the only code that does.
pub(crate) fn apply(scene: &mut Scene, passing: &mut Passing, version: Version, change: &Change) {
    match change {
        Change::Settings(settings) => scene.settings = settings.clone(),
        Change::LinkRenewed(times) => scene.link = *times,
        Change::Seated(seat) => match scene.stage.iter_mut().find(|old| old.user == seat.user) {
            Some(old) => *old = *seat,
            None => scene.stage.push(*seat),
        },
        Change::Unseated(user) => {
            scene.stage.retain(|seat| seat.user != *user);
            passing.away.remove(user);
        }
        Change::HandUp(hand) => scene.hands.push(*hand),
        Change::HandDown(user, _) => scene.hands.retain(|hand| hand.user != *user),
        Change::Invited(invitation) => scene.invitations.push(*invitation),
        Change::Uninvited(user) => scene.invitations.retain(|invitation| invitation.user != *user),
        Change::Pinged(ping) => scene.pinged.push(*ping),
        Change::Out(user, Out::Banned) => {
            scene.banned.insert(*user);
            scene.pinged.retain(|ping| ping.user != *user);
        }
        // Who may come back may do so to a closed room, too.
        Change::Out(user, Out::Removed) => {
            if passing.removed.len() >= super::limits::REMOVALS_REMEMBERED {
                passing.removed.remove(0);
            }
            passing.removed.push((*user, version));
        }
        Change::Away(user, true) => {
            passing.away.insert(*user);
        }
        Change::Away(user, false) => {
            passing.away.remove(user);
        }
        Change::Audience(count) => passing.audience = *count,
        Change::Ended => {
            scene.ended = true;
            // Somebody's words, which nobody needs any more: with their account they would have to go.
            scene.settings.title.clear();
            scene.settings.topics.clear();
            scene.stage.clear();
            scene.hands.clear();
            scene.invitations.clear();
            scene.banned.clear();
            scene.pinged.clear();
            *passing = Passing::default();
        }
    }
}
