//! Every limit of the product, named, documented and configurable.
//!
//! Unknown keys are refused. Durations are whole seconds in the configuration (`_s`). What is a property of a format
//! (a handle's letters, an id's length) is a constant beside the format, not here.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a forwarder looks after what time does. Its reports go out then, so none goes sooner.
pub(crate) const FORWARDER_TICK: Duration = Duration::from_secs(1);

/// The limits of the whole domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One-time codes.
    pub codes: Codes,
    /// Signed-in devices.
    pub devices: Devices,
    /// Profiles.
    pub profile: Profile,
    /// Invites.
    pub invites: Invites,
    /// The waitlist.
    pub waitlist: Waitlist,
    /// Following and notices.
    pub notices: Notices,
    /// Rooms.
    pub rooms: Rooms,
    /// Live sockets.
    pub live: Live,
    /// Leaving Mi Talk.
    pub leaving: Leaving,
}

/// One-time codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Codes {
    /// A code is good for so long.
    pub lifetime_s: u64,
    /// Wrong tries before a code is void.
    pub tries: u32,
    /// Wait before the second code; doubles with each further one.
    pub resend_after_s: u64,
    /// The wait never grows beyond this.
    pub resend_after_max_s: u64,
    /// Codes per number and day.
    pub per_number_and_day: u32,
    /// Codes per address and hour; counted by each node for itself.
    pub per_address_and_hour: u32,
    /// Codes per block of 10,000 numbers and day; counted by each node for itself.
    pub per_block_and_day: u32,
    /// Codes to all numbers per day; counted by each node for itself. What a day may cost at most.
    pub per_day: u32,
    /// Wrong tries per number and day, over all its codes: 5 tries for each of 10 codes would be 50 guesses.
    pub wrong_tries_per_day: u32,
}

/// Signed-in devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Devices {
    /// Devices of an account; one more signs the longest unused out.
    pub per_account: usize,
    /// Characters of a device's name; longer ones are cut.
    pub name_chars: usize,
    /// A device not refreshed for so long is signed out.
    pub idle_s: u64,
}

/// Profile fields, in characters (Unicode scalar values) or entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Display name; at least 1.
    pub name_chars: usize,
    /// Headline.
    pub headline_chars: usize,
    /// Company.
    pub company_chars: usize,
    /// Biography.
    pub bio_chars: usize,
    /// Topics.
    pub topics: usize,
    /// Each topic.
    pub topic_chars: usize,
    /// Languages.
    pub languages: usize,
    /// Links.
    pub links: usize,
    /// Each link.
    pub link_chars: usize,
    /// "Offering" and "looking for", each.
    pub line_chars: usize,
    /// A claimed handle or number that its account never confirmed is free again after so long.
    pub claim_s: u64,
}

/// Invites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Invites {
    /// What an active person starts with.
    pub quota: u32,
    /// Most that an operator's grant leaves anybody with; what is earned or comes back may be on top.
    pub quota_max: u32,
    /// A pending invite expires after so long.
    pub lifetime_s: u64,
    /// Invites that an account remembers; settled ones make room, pending ones never.
    pub remembered: usize,
}

/// The waitlist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Waitlist {
    /// Highest rate that an operator may set, per hour.
    pub rate_per_hour_max: u32,
    /// The counts that positions are made of are read again after so long.
    pub position_cache_ms: u64,
}

/// Following and notices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    /// People one may follow.
    pub following: u64,
    /// Followers told per second that somebody started a room, per job.
    pub fanout_per_second: u32,
    /// Largest page of any list.
    pub page: usize,
}

/// Rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rooms {
    /// Title, in characters; at least 1.
    pub title_chars: usize,
    /// Topics.
    pub topics: usize,
    /// Each topic, in characters.
    pub topic_chars: usize,
    /// People on stage.
    pub stage: usize,
    /// Hands in the queue.
    pub hands: usize,
    /// Stage invitations that wait for an answer.
    pub stage_invitations: usize,
    /// People banned from one room.
    pub bans: usize,
    /// A stage empty for so long ends the room.
    pub empty_stage_s: u64,
    /// A client that lost its network keeps its place for so long, from its last authenticated packet.
    pub grace_s: u64,
    /// Forwarders report to the room's home so often; at most half of what its ticks wait for them.
    pub heartbeat_ms: u64,
    /// The room's home looks after time so often. Whoever is on stage, in the queue or invited, and whom no forwarder
    /// reports for 6 of these (30 s), has left.
    pub tick_ms: u64,
    /// A forwarder that has nobody left stays for so long, for those who come back.
    pub forwarder_idle_s: u64,
    /// Audience counts go out at most so often.
    pub audience_every_ms: u64,
    /// A forwarder without a home for so long admits no new listeners.
    pub orphan_s: u64,
    /// Deltas kept to heal gaps of watching sockets.
    pub healing_deltas: usize,
    /// People pinged into a room, per person and room.
    pub pings: usize,
    /// Rooms that one person opens in an hour; counted by each node for itself.
    pub opened_per_hour: u32,
    /// An SDP offer, in bytes.
    pub sdp_bytes: usize,
}

/// Live sockets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Live {
    /// Messages that wait for a slow client before its socket is closed.
    pub queue: usize,
    /// Sockets of one account.
    pub per_account: usize,
    /// Sockets of one node.
    pub per_node: usize,
    /// Rooms that one socket watches.
    pub watched_rooms: usize,
    /// Nodes tell accounts anew which sockets they hold, so often.
    pub reattach_s: u64,
    /// Waiting people are told their place at most so often.
    pub ticket_every_ms: u64,
}

/// Leaving Mi Talk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leaving {
    /// An account is deleted so long after its owner asked for it; until then they may change their mind.
    pub change_of_mind_s: u64,
    /// Archives of their data that one person gets in a day; counted by each node for itself.
    pub exports_per_day: u32,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            lifetime_s: 5 * 60,
            tries: 5,
            resend_after_s: 30,
            resend_after_max_s: 15 * 60,
            per_number_and_day: 10,
            per_address_and_hour: 20,
            per_block_and_day: 200,
            per_day: 50_000,
            wrong_tries_per_day: 20,
        }
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            per_account: 10,
            name_chars: 60,
            idle_s: 90 * DAY_S,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name_chars: 50,
            headline_chars: 100,
            company_chars: 60,
            bio_chars: 1_000,
            topics: 10,
            topic_chars: 30,
            languages: 8,
            links: 5,
            link_chars: 200,
            line_chars: 140,
            claim_s: 10 * 60,
        }
    }
}

impl Default for Invites {
    fn default() -> Self {
        Self {
            quota: 2,
            quota_max: 50,
            lifetime_s: 30 * DAY_S,
            remembered: 200,
        }
    }
}

impl Default for Waitlist {
    fn default() -> Self {
        Self {
            rate_per_hour_max: 1_000_000,
            position_cache_ms: 1_000,
        }
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            following: 5_000,
            fanout_per_second: 500,
            page: 100,
        }
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            title_chars: 60,
            topics: 3,
            topic_chars: 30,
            stage: 50,
            hands: 500,
            stage_invitations: 50,
            bans: 500,
            empty_stage_s: 60,
            grace_s: 30,
            heartbeat_ms: 2_000,
            tick_ms: 5_000,
            forwarder_idle_s: 30,
            audience_every_ms: 1_000,
            orphan_s: 60,
            healing_deltas: 256,
            pings: 50,
            opened_per_hour: 30,
            sdp_bytes: 32 * 1_024,
        }
    }
}

impl Default for Live {
    fn default() -> Self {
        Self {
            queue: 256,
            per_account: 10,
            per_node: 100_000,
            watched_rooms: 2,
            reattach_s: 60,
            ticket_every_ms: 1_000,
        }
    }
}

impl Default for Leaving {
    fn default() -> Self {
        Self {
            change_of_mind_s: 14 * DAY_S,
            exports_per_day: 5,
        }
    }
}

/// A limit that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// What is stored of an account could grow beyond its row.
    #[error("limits.{field} is at most {most}: an account must fit into 64 KiB")]
    TooLarge {
        /// Which.
        field: &'static str,
        /// What can be kept.
        most: usize,
    },
    /// Nobody could do anything with it.
    #[error("limits.{0} is at least 1")]
    Zero(&'static str),
}

impl Limits {
    /// Checks that everything can be done at all, and what is stored with an account: there the defaults are also the most, by
    /// the size of the largest account. Titles of rooms do not count: notices keep only so much of them.
    ///
    /// # Errors
    /// The first field that is out of its range. Those of rooms are checked where rooms are.
    pub fn check(&self) -> Result<(), OutOfRange> {
        if let Some((field, _)) = self.at_least_one().into_iter().find(|(_, value)| *value == 0) {
            return Err(OutOfRange::Zero(field));
        }
        let most = Self::default();
        let (profile, largest) = (&self.profile, &most.profile);
        let fields = [
            (
                "invites.remembered",
                self.invites.remembered,
                most.invites.remembered,
            ),
            (
                "devices.per_account",
                self.devices.per_account,
                most.devices.per_account,
            ),
            (
                "devices.name_chars",
                self.devices.name_chars,
                most.devices.name_chars,
            ),
            ("profile.name_chars", profile.name_chars, largest.name_chars),
            (
                "profile.headline_chars",
                profile.headline_chars,
                largest.headline_chars,
            ),
            (
                "profile.company_chars",
                profile.company_chars,
                largest.company_chars,
            ),
            ("profile.bio_chars", profile.bio_chars, largest.bio_chars),
            ("profile.topics", profile.topics, largest.topics),
            ("profile.topic_chars", profile.topic_chars, largest.topic_chars),
            ("profile.languages", profile.languages, largest.languages),
            ("profile.links", profile.links, largest.links),
            ("profile.link_chars", profile.link_chars, largest.link_chars),
            ("profile.line_chars", profile.line_chars, largest.line_chars),
        ];
        match fields.into_iter().find(|(_, value, most)| value > most) {
            Some((field, _, most)) => Err(OutOfRange::TooLarge { field, most }),
            None => Ok(()),
        }
    }

    fn at_least_one(&self) -> [(&'static str, u64); 21] {
        let Self {
            codes,
            devices,
            profile,
            invites,
            waitlist,
            notices,
            live,
            leaving,
            ..
        } = self;
        [
            ("codes.lifetime_s", codes.lifetime_s),
            ("codes.tries", codes.tries.into()),
            ("codes.per_number_and_day", codes.per_number_and_day.into()),
            ("codes.per_address_and_hour", codes.per_address_and_hour.into()),
            ("codes.per_block_and_day", codes.per_block_and_day.into()),
            ("codes.per_day", codes.per_day.into()),
            ("codes.wrong_tries_per_day", codes.wrong_tries_per_day.into()),
            ("devices.per_account", devices.per_account as u64),
            ("devices.idle_s", devices.idle_s),
            ("profile.name_chars", profile.name_chars as u64),
            ("profile.claim_s", profile.claim_s),
            ("invites.lifetime_s", invites.lifetime_s),
            ("waitlist.rate_per_hour_max", waitlist.rate_per_hour_max.into()),
            ("notices.fanout_per_second", notices.fanout_per_second.into()),
            ("notices.page", notices.page as u64),
            ("live.queue", live.queue as u64),
            ("live.per_account", live.per_account as u64),
            ("live.per_node", live.per_node as u64),
            ("live.reattach_s", live.reattach_s),
            ("leaving.change_of_mind_s", leaving.change_of_mind_s),
            ("leaving.exports_per_day", leaving.exports_per_day.into()),
        ]
    }
}

const DAY_S: u64 = 24 * 60 * 60;

impl Codes {
    /// How long to wait before another code, after `sent` were sent within the day: doubling, with a ceiling.
    pub fn resend_after(&self, sent: u32) -> Duration {
        let factor = 1u64.checked_shl(sent.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_secs(
            self.resend_after_s
                .saturating_mul(factor)
                .min(self.resend_after_max_s),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_can_not_keep_is_refused_by_name() {
        let mut limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        limits.profile.bio_chars = 100_000;
        let field = "profile.bio_chars";
        assert_eq!(limits.check(), Err(OutOfRange::TooLarge { field, most: 1_000 }));
    }

    #[test]
    fn nothing_is_bounded_to_nothing() {
        let mut limits = Limits::default();
        limits.notices.page = 0;
        assert_eq!(limits.check(), Err(OutOfRange::Zero("notices.page")));
    }

    #[test]
    fn what_rooms_wait_for_is_what_the_product_says() {
        let rooms = Rooms::default();
        assert_eq!(
            (
                rooms.grace_s,
                rooms.empty_stage_s,
                rooms.orphan_s,
                rooms.forwarder_idle_s
            ),
            (30, 60, 60, 30)
        );
        let unseen_ms = rooms.tick_ms * u64::from(crate::room::UNSEEN_TICKS);
        assert_eq!(unseen_ms, 30_000, "the grace of those whom no forwarder reports");
        assert_eq!((rooms.heartbeat_ms, rooms.audience_every_ms), (2_000, 1_000));
    }

    #[test]
    fn resend_backs_off_to_a_ceiling() {
        let codes = Codes::default();
        let waits: Vec<_> = (1..=7).map(|sent| codes.resend_after(sent).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(codes.resend_after(u32::MAX).as_secs(), 900);
    }
}
