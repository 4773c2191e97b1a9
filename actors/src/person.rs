//! People as they are shown: to others, to themselves, and in notices.
//!
//! These are values that the facade answers with, put together from the account and the read tables; nothing here is
//! stored but [`Standing`] and [`NoticeKind`] with ids in the place of people.

use crate::id::{RoomId, UserId};
use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In the waitlist: may reserve a handle and fill in a profile, and can not enter rooms.
    #[default]
    Waiting,
    /// May do everything.
    Active,
    /// Stopped by an operator.
    Suspended,
    /// There is nobody any more.
    Deleted,
}

/// Enough to show somebody in a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Brief {
    /// Who.
    pub id: UserId,
    /// Display name; empty until chosen.
    pub name: String,
    /// Unique handle.
    pub handle: Option<String>,
    /// One line: what they do.
    pub headline: String,
}

impl Brief {
    /// Of a person whose profile is not known (yet): only the id.
    pub fn unknown(id: UserId) -> Self {
        Self {
            id,
            name: String::new(),
            handle: None,
            headline: String::new(),
        }
    }
}

/// What people write about themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Display name; empty until chosen.
    pub name: String,
    /// One line: what they do.
    pub headline: String,
    /// Company.
    pub company: String,
    /// A few sentences.
    pub bio: String,
    /// Topics.
    pub topics: Vec<String>,
    /// BCP 47 tags.
    pub languages: Vec<String>,
    /// `https` links.
    pub links: Vec<String>,
    /// What they offer.
    pub offering: String,
    /// What they look for.
    pub looking_for: String,
}

/// Changes what somebody writes about themselves; absent fields stay. The facade checks it, the account puts it over what is
/// there by then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Display name.
    pub name: Option<String>,
    /// One line: what they do.
    pub headline: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// A few sentences.
    pub bio: Option<String>,
    /// Topics.
    pub topics: Option<Vec<String>>,
    /// BCP 47 tags.
    pub languages: Option<Vec<String>>,
    /// `https` links.
    pub links: Option<Vec<String>>,
    /// What they offer.
    pub offering: Option<String>,
    /// What they look for.
    pub looking_for: Option<String>,
    /// Whether people one invited see by whom.
    pub shown_as_inviter: Option<bool>,
}

impl Patch {
    /// What is written then.
    pub fn over(self, about: &About) -> About {
        let Self {
            name,
            headline,
            company,
            bio,
            topics,
            languages,
            links,
            offering,
            looking_for,
            shown_as_inviter: _,
        } = self;
        let text = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
        let list = |new: Option<Vec<String>>, old: &Vec<String>| new.unwrap_or_else(|| old.clone());
        About {
            name: text(name, &about.name),
            headline: text(headline, &about.headline),
            company: text(company, &about.company),
            bio: text(bio, &about.bio),
            topics: list(topics, &about.topics),
            languages: list(languages, &about.languages),
            links: list(links, &about.links),
            offering: text(offering, &about.offering),
            looking_for: text(looking_for, &about.looking_for),
        }
    }
}

/// A person, as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub id: UserId,
    /// Unique handle; absent until chosen.
    pub handle: Option<String>,
    /// What they write.
    pub about: About,
    /// Who invited them, unless switched off.
    pub invited_by: Option<Brief>,
}

/// A profile together with how it relates to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The person.
    pub profile: Profile,
    /// The caller follows them.
    pub followed: bool,
    /// They follow the caller.
    pub follows_you: bool,
    /// How many follow them.
    pub followers: u64,
    /// How many they follow.
    pub following: u64,
}

/// A place in the waitlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// In order of arrival, from 1.
    pub number: u64,
    /// People ahead.
    pub ahead: u64,
}

/// The caller's own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Waiting, active or suspended.
    pub standing: Standing,
    /// The ticket, while waiting; absent for the moment between sign-up and getting it.
    pub ticket: Option<Ticket>,
    /// The profile as others see it.
    pub profile: Profile,
    /// Invites left to give.
    pub invites_left: u32,
    /// Whether people one invited see by whom.
    pub shown_as_inviter: bool,
    /// The account is deleted then, unless its owner changes their mind.
    pub leaving_at: Option<Timestamp>,
    /// The room that this account is in, on whatever device.
    pub room: Option<RoomId>,
    /// Sequence of the newest notice; 0 before the first.
    pub notice_seq: u64,
    /// Up to here notices were read.
    pub notices_read: u64,
    /// Changes whenever anything above does (for an ETag); no order.
    pub revision: u64,
}

/// Something a person is told, in-app. `P` is [`UserId`] where it is stored and [`Brief`] where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice<P> {
    /// Per person, counting up from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub what: NoticeKind<P>,
}

/// What a notice tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeKind<P> {
    /// The person left the waitlist.
    Admitted,
    /// Somebody accepted an invite of theirs.
    InviteAccepted {
        /// Who came.
        person: P,
    },
    /// A moderator asks them on stage.
    StageInvitation {
        /// The room.
        room: RoomId,
        /// Its title; empty once the room is over.
        title: String,
        /// Who asks.
        by: P,
    },
    /// Somebody asks them into a room.
    Pinged {
        /// The room.
        room: RoomId,
        /// Its title; empty once the room is over.
        title: String,
        /// Who asks.
        by: P,
    },
    /// Somebody they follow started a room.
    RoomStarted {
        /// The room.
        room: RoomId,
        /// Its title; empty once the room is over.
        title: String,
        /// Who started it.
        by: P,
    },
    /// Somebody follows them now.
    NewFollower {
        /// Who.
        person: P,
    },
}

impl<P> NoticeKind<P> {
    /// The person it is about, if any.
    pub fn person(&self) -> Option<&P> {
        match self {
            Self::Admitted => None,
            Self::InviteAccepted { person } | Self::NewFollower { person } => Some(person),
            Self::StageInvitation { by, .. } | Self::Pinged { by, .. } | Self::RoomStarted { by, .. } => {
                Some(by)
            }
        }
    }

    /// The room it is about, and the place for its title.
    pub(crate) fn room_mut(&mut self) -> Option<(RoomId, &mut String)> {
        match self {
            Self::StageInvitation { room, title, .. }
            | Self::Pinged { room, title, .. }
            | Self::RoomStarted { room, title, .. } => Some((*room, title)),
            Self::Admitted | Self::InviteAccepted { .. } | Self::NewFollower { .. } => None,
        }
    }

    /// As it is stored: a title is somebody's words.
    pub(crate) fn without_title(mut self) -> Self {
        if let Some((_, title)) = self.room_mut() {
            title.clear();
        }
        self
    }

    /// The same with another form of the person.
    pub fn map<Q>(self, form: impl FnOnce(P) -> Q) -> NoticeKind<Q> {
        match self {
            Self::Admitted => NoticeKind::Admitted,
            Self::InviteAccepted { person } => NoticeKind::InviteAccepted { person: form(person) },
            Self::NewFollower { person } => NoticeKind::NewFollower { person: form(person) },
            Self::StageInvitation { room, title, by } => NoticeKind::StageInvitation {
                room,
                title,
                by: form(by),
            },
            Self::Pinged { room, title, by } => NoticeKind::Pinged {
                room,
                title,
                by: form(by),
            },
            Self::RoomStarted { room, title, by } => NoticeKind::RoomStarted {
                room,
                title,
                by: form(by),
            },
        }
    }
}
