//! Accounts, the waitlist as a person sees it, profiles, follows and notices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In the waitlist: may reserve a handle and fill in a profile, and can not enter rooms.
    Waiting,
    /// May do everything.
    Active,
    /// Stopped by an operator.
    Suspended,
    /// Deleted: there is nobody any more.
    Deleted,
}

/// The caller's own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Opaque.
    pub id: String,
    /// Waiting, active or suspended.
    pub standing: Standing,
    /// The waitlist ticket, while waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// The profile as others see it.
    pub profile: Profile,
    /// Invites left to give.
    pub invites_left: u32,
    /// Whether "invited by" shows this person's name to those they invited.
    pub shown_as_inviter: bool,
    /// The account is deleted then, milliseconds since 1970, unless its owner takes that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_at_ms: Option<u64>,
    /// The room that this account is in, on whatever device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Sequence of the newest notice.
    pub notice_seq: u64,
    /// Up to here notices were read.
    pub notices_read: u64,
}

/// A place in the waitlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// In order of arrival.
    pub number: u64,
    /// People ahead; only ever falls within a session.
    pub ahead: u64,
}

/// A person, as others see them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// Opaque.
    pub id: String,
    /// Unique, lower case; absent until chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Display name.
    pub name: String,
    /// One line: what they do.
    pub headline: String,
    /// Company.
    pub company: String,
    /// A few sentences.
    pub bio: String,
    /// At most 10.
    pub topics: Vec<String>,
    /// BCP 47 tags, at most 8.
    pub languages: Vec<String>,
    /// `https` links, at most 5.
    pub links: Vec<String>,
    /// What they offer.
    pub offering: String,
    /// What they look for.
    pub looking_for: String,
    /// Name and handle of who invited them, unless switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<PersonBrief>,
}

/// A profile together with how it relates to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    /// The person.
    pub profile: Profile,
    /// The caller follows them.
    pub followed: bool,
    /// They follow the caller; with `followed`, a contact.
    pub follows_you: bool,
    /// How many follow them.
    pub followers: u64,
    /// How many they follow.
    pub following: u64,
}

/// Enough to show somebody in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct PersonBrief {
    /// Opaque.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Unique handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// One line: what they do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub headline: String,
}

/// Changes a profile; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    /// 1 to 50 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// At most 100 characters.
    #[serde(default)]
    pub headline: Option<String>,
    /// At most 60 characters.
    #[serde(default)]
    pub company: Option<String>,
    /// At most 1,000 characters.
    #[serde(default)]
    pub bio: Option<String>,
    /// At most 10, each at most 30 characters.
    #[serde(default)]
    pub topics: Option<Vec<String>>,
    /// BCP 47 tags, at most 8.
    #[serde(default)]
    pub languages: Option<Vec<String>>,
    /// `https` links, at most 5, each at most 200 characters.
    #[serde(default)]
    pub links: Option<Vec<String>>,
    /// At most 140 characters.
    #[serde(default)]
    pub offering: Option<String>,
    /// At most 140 characters.
    #[serde(default)]
    pub looking_for: Option<String>,
    /// Whether people one invited see by whom.
    #[serde(default)]
    pub shown_as_inviter: Option<bool>,
}

/// Chooses or changes the handle.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleRequest {
    /// 3 to 20 of `a-z 0-9 _`, starting with a letter; case is folded.
    pub handle: String,
}

/// Something the person is told, in-app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Per person, counting up; a socket says where it was and gets the rest.
    pub seq: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub what: NoticeKind,
}

/// What a notice tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeKind {
    /// The person left the waitlist.
    Admitted,
    /// Somebody accepted an invite of theirs.
    InviteAccepted {
        /// Who came.
        person: PersonBrief,
    },
    /// A moderator asks them on stage.
    StageInvitation {
        /// The room.
        room: String,
        /// Its title; empty once the room is over.
        title: String,
        /// Who asks.
        by: PersonBrief,
    },
    /// Somebody asks them into a room.
    Pinged {
        /// The room.
        room: String,
        /// Its title; empty once the room is over.
        title: String,
        /// Who asks.
        by: PersonBrief,
    },
    /// Somebody they follow started a room.
    RoomStarted {
        /// The room.
        room: String,
        /// Its title; empty once the room is over.
        title: String,
        /// Who started it.
        by: PersonBrief,
    },
    /// Somebody follows them now.
    NewFollower {
        /// Who.
        person: PersonBrief,
    },
}

/// Marks notices as read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticesRead {
    /// This one and all before it.
    pub up_to: u64,
}
