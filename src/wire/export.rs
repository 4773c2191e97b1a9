//! The archive of everything that is a person's: `data.json` in it. The version is raised when a field goes or changes its
//! meaning; new fields come without.

use super::auth::Device;
use super::invites::Invites;
use super::people::{Me, Notice, PersonBrief};
use super::push::NoticeSettings;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The version of [`Export`].
pub const EXPORT_VERSION: u32 = 1;

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Export {
    /// Everything that is not a long list.
    #[serde(flatten)]
    pub account: ExportedAccount,
    /// Whom they follow.
    pub following: Vec<PersonBrief>,
    /// Who follows them.
    pub followers: Vec<PersonBrief>,
    /// What they were told, newest first, as far as it is kept.
    pub notices: Vec<Notice>,
}

/// What of an [`Export`] is bounded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportedAccount {
    /// [`EXPORT_VERSION`].
    pub version: u32,
    /// When the archive was made, milliseconds since 1970.
    pub made_at_ms: u64,
    /// The account, with profile and settings.
    pub me: Me,
    /// Their number, in E.164.
    pub phone: String,
    /// When they signed up, milliseconds since 1970.
    pub created_at_ms: u64,
    /// The devices that are signed in.
    pub devices: Vec<Device>,
    /// What they are pushed.
    #[serde(default)]
    pub notice_settings: NoticeSettings,
    /// Invites that they gave.
    pub invites: Invites,
    /// Ids of invites that they got: the one they came in by, and those they hold while they wait.
    pub invites_received: Vec<String>,
    /// Live rooms that they moderate. Of rooms that are over nothing is kept.
    pub rooms: Vec<ExportedRoom>,
}

/// A room that somebody moderates.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportedRoom {
    /// Opaque.
    pub id: String,
    /// Title.
    pub title: String,
    /// Topics.
    pub topics: Vec<String>,
    /// Milliseconds since 1970.
    pub started_at_ms: u64,
}
