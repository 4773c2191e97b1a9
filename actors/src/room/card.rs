//! What the hallway knows of a room: the row of the read table `live_room`, and what nodes tell each other meanwhile.

use super::scene::{Role, Scene, Version};
use super::settings::Settings;
use crate::id::{RoomId, UserId};
use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};

/// A live room in a list. Ids only: names are looked up when somebody looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Which room.
    pub room: RoomId,
    /// Newer cards of a room replace older ones.
    pub version: Version,
    /// Title, topics, language, visibility.
    pub settings: Settings,
    /// Who runs the room, in order of coming on stage.
    pub moderators: Vec<UserId>,
    /// The others on stage, in order of coming there.
    pub speakers: Vec<UserId>,
    /// Who was asked in: they see it while it is closed.
    pub pinged: Vec<UserId>,
    /// People in the audience. In the read table it is as old as the last change of the stage.
    pub audience: u32,
    /// When it was opened.
    pub started: Timestamp,
}

impl Card {
    /// The card of a room.
    pub(super) fn of(scene: &Scene, version: Version, audience: u32) -> Self {
        let on_stage = |role| move |seat: &&super::Seat| seat.role == role;
        let of = |role| {
            scene
                .stage
                .iter()
                .filter(on_stage(role))
                .map(|seat| seat.user)
                .collect()
        };
        Self {
            room: scene.room,
            version,
            settings: scene.settings.clone(),
            moderators: of(Role::Moderator),
            speakers: of(Role::Speaker),
            pinged: scene.pinged.iter().map(|ping| ping.user).collect(),
            audience,
            started: scene.started,
        }
    }

    /// Everybody on stage, moderators first.
    pub fn stage(&self) -> impl Iterator<Item = UserId> {
        self.moderators.iter().chain(&self.speakers).copied()
    }
}
