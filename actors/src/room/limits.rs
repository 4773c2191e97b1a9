//! The bounds of one room. They are copied into the room when it is opened, so changing the configuration changes
//! new rooms only, and `decide` needs nothing but the state.

use super::state::UNSEEN_TICKS;
use crate::limits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most people that a configuration may allow on stage.
pub(super) const MAX_STAGE: usize = 50;
/// The most hands that a configuration may allow in the queue.
pub(super) const MAX_HANDS: usize = 500;
/// The most stage invitations without an answer that a configuration may allow.
pub(super) const MAX_INVITATIONS: usize = 50;
/// The most bans that a configuration may allow.
pub(super) const MAX_BANS: usize = 500;
/// The most topics that a configuration may allow.
pub(super) const MAX_TOPICS: usize = 10;
/// The longest title or topic that a configuration may allow, in user-perceived characters.
pub(super) const MAX_CHARACTERS: usize = 100;
/// The most people who can be asked into one room, by all who are in it: who was asked into a closed room stays so.
pub(super) const MAX_PINGS: usize = 150;

/// The longest tick that a configuration may ask for.
const MAX_TICK_MS: u64 = 60_000;
/// Reports wait for it.
const FORWARDER_TICK_MS: u64 = limits::FORWARDER_TICK.as_millis() as u64;
/// With a shorter tick people would count as gone before their forwarder had reported twice.
const LEAST_TICK_MS: u64 = (FORWARDER_TICK_MS + 1).div_ceil(UNSEEN_TICKS as u64 / 2);

/// The longest grace that a configuration may give.
const MAX_GRACE_S: u64 = 3_600;

/// Removals that a view tells, for forwarders that missed them, and whose requests are known again.
pub(super) const REMOVALS_REMEMBERED: usize = 64;

/// Bounds of a room. With the greatest values the encoded state stays below the cluster's 64 KiB (tested).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Title, in user-perceived characters.
    pub title: usize,
    /// Topics.
    pub topics: usize,
    /// Each topic, in user-perceived characters.
    pub topic: usize,
    /// People on stage.
    pub stage: usize,
    /// Hands in the queue.
    pub hands: usize,
    /// Stage invitations without an answer.
    pub invitations: usize,
    /// People who may not come back.
    pub bans: usize,
    /// People whom one person may ask in.
    pub pings: usize,
    /// How long the stage may be empty before the room ends.
    pub empty_stage: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&limits::Rooms::default())
    }
}

impl From<&limits::Rooms> for Limits {
    fn from(configured: &limits::Rooms) -> Self {
        Self {
            title: configured.title_chars,
            topics: configured.topics,
            topic: configured.topic_chars,
            stage: configured.stage,
            hands: configured.hands,
            invitations: configured.stage_invitations,
            bans: configured.bans,
            pings: configured.pings,
            empty_stage: Duration::from_secs(configured.empty_stage_s),
        }
    }
}

/// Checks the times that a room's home and its forwarders must agree about.
///
/// # Errors
/// The first field that is out of its range.
pub(crate) fn check_times(configured: &limits::Rooms) -> Result<(), Unkept> {
    // A report may be lost or late: whoever has one chance only would leave at random. It also waits for its forwarder's tick.
    let patience = configured.tick_ms.saturating_mul(u64::from(UNSEEN_TICKS)) / 2;
    let heartbeat_most = patience.saturating_sub(FORWARDER_TICK_MS);
    let fields = [
        ("tick_ms", configured.tick_ms, LEAST_TICK_MS, MAX_TICK_MS),
        ("heartbeat_ms", configured.heartbeat_ms, 1, heartbeat_most),
        // 0 would end every session as soon as it is there.
        ("grace_s", configured.grace_s, 1, MAX_GRACE_S),
    ];
    let saturated = |value| usize::try_from(value).unwrap_or(usize::MAX);
    let wrong = |&(_, given, least, most): &(_, u64, u64, u64)| !(least..=most).contains(&given);
    match fields.into_iter().find(wrong) {
        Some((field, given, least, most)) => Err(Unkept {
            field,
            given: saturated(given),
            least: saturated(least),
            most: saturated(most),
        }),
        None => Ok(()),
    }
}

/// A limit that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limits.rooms.{field} is {given}: give a number from {least} to {most}")]
pub struct Unkept {
    /// The field of [`limits::Rooms`].
    pub field: &'static str,
    /// What was configured.
    pub given: usize,
    /// The least value that is allowed.
    pub least: usize,
    /// The greatest value that is allowed.
    pub most: usize,
}

impl Limits {
    /// Checks the configured values, once, at the start.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), Unkept> {
        let fields = [
            ("title_chars", self.title, MAX_CHARACTERS),
            ("topics", self.topics, MAX_TOPICS),
            ("topic_chars", self.topic, MAX_CHARACTERS),
            ("stage", self.stage, MAX_STAGE),
            ("hands", self.hands, MAX_HANDS),
            ("stage_invitations", self.invitations, MAX_INVITATIONS),
            ("bans", self.bans, MAX_BANS),
            ("pings", self.pings, MAX_PINGS),
        ];
        match fields
            .into_iter()
            .find(|(_, given, most)| !(1..=*most).contains(given))
        {
            Some((field, given, most)) => Err(Unkept {
                field,
                given,
                least: 1,
                most,
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarders_must_report_more_than_once_before_people_count_as_gone() {
        let with = |tick_ms, heartbeat_ms| {
            check_times(&limits::Rooms {
                tick_ms,
                heartbeat_ms,
                ..limits::Rooms::default()
            })
        };
        assert_eq!(check_times(&limits::Rooms::default()), Ok(()));
        assert_eq!(with(500, 500), Ok(()));
        let (field, given, least, most) = ("heartbeat_ms", 501, 1, 500);
        let unkept = Unkept {
            field,
            given,
            least,
            most,
        };
        assert_eq!(
            with(500, 501),
            Err(unkept),
            "it waits up to a second for its forwarder"
        );
        assert_eq!(with(333, 1).unwrap_err().field, "tick_ms");
        let grace = |grace_s| {
            check_times(&limits::Rooms {
                grace_s,
                ..limits::Rooms::default()
            })
        };
        assert!(grace(1).is_ok() && grace(MAX_GRACE_S).is_ok());
        assert!(grace(0).is_err() && grace(MAX_GRACE_S + 1).is_err() && grace(u64::MAX).is_err());
        assert!(with(0, 1).is_err() && with(60_001, 1).is_err() && with(500, 0).is_err());
    }
}
