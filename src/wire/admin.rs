//! The admin API on the operations listener: what operators see and do. Used by `mitalk admin` and by tests.

use super::invites::Invites;
use super::people::Me;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who becomes active on sign-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Numbers on the allow-list that are registered and enabled.
    Employees,
    /// The allow-list, people holding an invite, and whom operators admit.
    ClosedTest,
    /// Everyone.
    Open,
}

/// The phase, as asked and as set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseIs {
    /// Now.
    pub phase: Phase,
}

/// A number for the allow-list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// E.164.
    pub phone: String,
    /// Registered numbers that are not enabled wait.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// Registers numbers. A failure may leave some of them registered: send all of them again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowImport {
    /// At most 10,000 at a time, and what fits into a body: about 1,400 with the usual `http.max_body_bytes`.
    pub entries: Vec<AllowEntry>,
}

/// How many numbers are on the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllowCount {
    /// All.
    pub registered: u64,
    /// Those that may come in.
    pub enabled: u64,
}

/// The waitlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waitlist {
    /// People who wait.
    pub waiting: u64,
    /// The block of tickets that is called from.
    pub head: u64,
    /// Called by admissions of the next N and by rate, ever.
    pub admitted: u64,
    /// Still to be called by admissions under way.
    pub owed: u64,
    /// Admitted per hour by itself; 0 without a rate.
    pub per_hour: u32,
}

/// Whom to admit: `{"count": 10}`, `{"phone": "+49..."}`, `{"user": "..."}` or `{"per_hour": 100}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Admit {
    /// The next so many.
    Count(u64),
    /// The person with this number.
    Phone(String),
    /// The person with this id.
    User(String),
    /// So many per hour from now on; 0 stops it.
    PerHour(u32),
}

/// Announces the service's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSunset {
    /// In the future, milliseconds since 1970.
    pub at_ms: u64,
}

/// The service's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sunset {
    /// Milliseconds since 1970; absent: none is announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// How far the deletion of everybody is, once the hour has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

/// The deletion of everybody: passes over all profiles, until two in a row find nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Purge {
    /// The pass under way, or the last one.
    pub pass: u32,
    /// Accounts that were deleted.
    pub deleted: u64,
    /// People whom this pass has found so far with anything left of them.
    pub left: u64,
    /// When it was found that nobody is left, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at_ms: Option<u64>,
}

/// A live room, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveRoom {
    /// Opaque.
    pub id: String,
    /// Title.
    pub title: String,
    /// `open`, `social` or `closed`.
    pub visibility: super::rooms::Visibility,
    /// People on stage.
    pub stage_count: u32,
    /// People in the audience.
    pub audience_count: u32,
    /// Milliseconds since 1970.
    pub started_at_ms: u64,
}

/// All live rooms.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LiveRooms {
    /// Newest first.
    pub rooms: Vec<LiveRoom>,
}

/// An account, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// As its owner sees it.
    pub me: Me,
    /// When it signed up, milliseconds since 1970.
    pub created_at_ms: u64,
    /// The last digits of its number.
    pub phone_hint: String,
    /// Signed-in devices.
    pub devices: usize,
}

/// Stops an account, or lets it go on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// Stop it: all its devices are signed out.
    pub suspended: bool,
}

/// Gives somebody more invites to give.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who.
    pub user: String,
    /// How many more.
    pub grant: u32,
}

/// What is left to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Granted {
    /// Now.
    pub left: u32,
}

/// Somebody's invites: the same form as their giver sees.
pub type InvitesOf = Invites;

/// Makes accounts without a phone, for load tests; only where `admin.test_admission` is set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestAccounts {
    /// How many.
    pub count: usize,
    /// What their numbers start with, e.g. `+1555010`.
    pub prefix: String,
    /// They get tickets of the waitlist instead of being active.
    #[serde(default)]
    pub waiting: bool,
}

/// A test account, signed in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestAccount {
    /// Opaque.
    pub user: String,
    /// Its one device.
    pub tokens: super::auth::Tokens,
}

/// All that were made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestAccountsMade {
    /// In no particular order.
    pub accounts: Vec<TestAccount>,
}

/// `/healthz`: the process answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// The release.
    pub version: String,
}

/// `/readyz`: whether the node can take requests; the status is 503 when it cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// All of the below.
    pub ready: bool,
    /// What is in the way, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the node's lease holds.
    pub lease_holds: bool,
    /// Shards that answer here.
    pub shards: usize,
    /// Entities in memory.
    pub entities: usize,
    /// Open media sessions.
    pub media_sessions: usize,
    /// The node is stopping.
    pub stopping: bool,
    /// How it stands with the event log; the node is ready without it.
    pub event_log: EventLog,
}

/// The event log, as the node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventLog {
    /// `sqlite` or `kafka`.
    pub adapter: String,
    /// Whether it answers. What it does not take waits in the outboxes.
    pub connected: bool,
    /// Since when it does not, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_since: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Settings of its topics that are not as configured, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<String>,
}

/// An event that a consumer group could not deal with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Letter {
    /// `group:topic:kind/key/sequence`.
    pub id: String,
    /// Which group.
    pub group: String,
    /// Where the event lies.
    pub topic: String,
    /// Why.
    pub reason: String,
    /// When it was given up, RFC 3339.
    pub dead_since: String,
    /// The W3C traceparent of the request that the event came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// Dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Letters {
    /// Oldest first; at most 1,000.
    pub letters: Vec<Letter>,
}

/// A dead letter and its event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LetterShown {
    /// The letter.
    #[serde(flatten)]
    pub letter: Letter,
    /// A CloudEvent 1.0 in structured JSON.
    pub event: serde_json::Value,
}

/// Some of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// CloudEvents 1.0 in structured JSON; in the order of their decisions for each entity.
    pub events: Vec<serde_json::Value>,
    /// What to give as `after` for the rest; absent: there is no more now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
