//! Rooms: hallway, joining in one request, stage, hands, moderation.

use super::people::PersonBrief;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who may enter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Anyone active.
    #[default]
    Open,
    /// Followers of a moderator.
    Social,
    /// By ping or link.
    Closed,
}

/// Who may raise a hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandRaising {
    /// Everyone in the audience.
    #[default]
    Everyone,
    /// People followed by somebody on stage.
    Followed,
    /// Nobody.
    Off,
}

/// A person's role in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// On stage, and runs the room.
    Moderator,
    /// On stage.
    Speaker,
    /// In the audience.
    Listener,
}

/// Opens a room; its creator is the first moderator. Send an `Idempotency-Key`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRoom {
    /// 1 to 60 characters.
    pub title: String,
    /// At most 3, each at most 30 characters.
    #[serde(default)]
    pub topics: Vec<String>,
    /// A BCP 47 tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Who may enter.
    #[serde(default)]
    pub visibility: Visibility,
    /// Who may raise a hand.
    #[serde(default)]
    pub hand_raising: HandRaising,
}

/// Changes a room's settings; absent fields stay. Moderators only.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomPatch {
    /// 1 to 60 characters.
    #[serde(default)]
    pub title: Option<String>,
    /// At most 3.
    #[serde(default)]
    pub topics: Option<Vec<String>>,
    /// A BCP 47 tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Who may enter.
    #[serde(default)]
    pub visibility: Option<Visibility>,
    /// Who may raise a hand.
    #[serde(default)]
    pub hand_raising: Option<HandRaising>,
}

/// A room in the hallway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomCard {
    /// Opaque.
    pub id: String,
    /// Title.
    pub title: String,
    /// Topics.
    pub topics: Vec<String>,
    /// BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who may enter.
    pub visibility: Visibility,
    /// Up to 5 people on stage, moderators first.
    pub stage: Vec<PersonBrief>,
    /// People on stage.
    pub stage_count: u32,
    /// People in the audience.
    pub audience_count: u32,
    /// Somebody whom the caller follows is on stage.
    pub followed: bool,
    /// Milliseconds since 1970.
    pub started_at_ms: u64,
}

/// Somebody on stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageMember {
    /// Who.
    pub person: PersonBrief,
    /// `moderator` or `speaker`.
    pub role: Role,
    /// The CSRC of their audio; never reused in a room.
    pub number: u32,
    /// Their microphone is off (by themselves or a moderator; they may unmute).
    pub muted: bool,
    /// Lost their network and has 30 s to come back.
    pub away: bool,
}

/// A raised hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hand {
    /// Whose.
    pub person: PersonBrief,
    /// When, milliseconds since 1970.
    pub raised_at_ms: u64,
}

/// Somebody in the audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AudienceMember {
    /// Who.
    pub person: PersonBrief,
    /// The caller follows them; these come first.
    pub followed: bool,
    /// Followed by somebody on stage.
    pub followed_by_stage: bool,
    /// Their hand is up.
    pub hand: bool,
}

/// The whole room, as of `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomSnapshot {
    /// Opaque.
    pub id: String,
    /// Deltas after this one follow on the live socket.
    pub seq: u64,
    /// Title.
    pub title: String,
    /// Topics.
    pub topics: Vec<String>,
    /// BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who may enter.
    pub visibility: Visibility,
    /// What a shared link of a closed room must carry, for the link key of a join; only people inside get it. Put it into
    /// the link's fragment: it then reaches no server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_key: Option<String>,
    /// Who may raise a hand.
    pub hand_raising: HandRaising,
    /// Moderators first, then in order of coming on stage; at most 50.
    pub stage: Vec<StageMember>,
    /// In order of raising. Moderators get all (at most 500), others only their own.
    pub hands: Vec<Hand>,
    /// All hands that are up.
    pub hand_count: u32,
    /// The caller's place in the queue, from 1; absent without a hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_hand: Option<u32>,
    /// The caller was asked on stage and has not answered.
    pub invited_to_stage: bool,
    /// The caller's role; absent when not in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_role: Option<Role>,
    /// People in the audience.
    pub audience_count: u32,
    /// Milliseconds since 1970.
    pub started_at_ms: u64,
    /// The room is over.
    pub ended: bool,
}

/// Joins in one request: the offer has one `sendonly` audio m-line (microphone, no track needed yet) and 3 `recvonly`
/// ones (slots; a 4th is allowed). Nothing is renegotiated afterwards.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The SDP offer; at most 32 KiB.
    pub sdp: String,
    /// From the last join of this device, to come back to the same place, role and hand.
    #[serde(default)]
    pub resume_token: Option<String>,
    /// From a shared link; opens a closed room. A wrong one is as good as none.
    #[serde(default)]
    pub link_key: Option<String>,
    /// Where the live socket of this device is attached, if it is (`welcome.socket`): deltas go there from now on.
    #[serde(default)]
    pub socket: Option<String>,
}

/// The answer to a join.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Joined {
    /// This media session, for ICE restarts and leaving.
    pub session: String,
    /// The SDP answer.
    pub sdp: String,
    /// The room as of now.
    pub room: RoomSnapshot,
    /// Single use; a join answers with a new one.
    pub resume_token: String,
    /// The caller came back to their place within the grace time.
    pub resumed: bool,
}

/// An ICE restart of a live session: same PeerConnection, same association.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IceRestart {
    /// The new offer.
    pub sdp: String,
}

/// The answer to an ICE restart.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IceRestarted {
    /// The SDP answer.
    pub sdp: String,
}

/// Mutes or unmutes oneself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MuteRequest {
    /// The microphone is to be off.
    pub muted: bool,
}

/// Answers a stage invitation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StageAnswer {
    /// Come on stage, muted.
    pub accept: bool,
}

/// Answers a raised hand.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandAnswer {
    /// Invite on stage; otherwise the hand goes down.
    pub accept: bool,
}

/// What a moderator does to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moderation {
    /// Ask somebody from the audience on stage.
    InviteToStage,
    /// Take that back.
    CancelInvitation,
    /// Mute a speaker, who may unmute.
    Mute,
    /// From the stage to the audience.
    MoveBack,
    /// Make a speaker a moderator.
    MakeModerator,
    /// Out of the room; may come back.
    Remove,
    /// Out of the room for good.
    Ban,
}

/// Moderates one person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModerateRequest {
    /// What to do.
    pub action: Moderation,
}

/// How a command to a room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomAck {
    /// It acts already, and will be stored when the store is back (only for what takes rights away).
    pub pending: bool,
    /// The place of the raised hand, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<u32>,
}
