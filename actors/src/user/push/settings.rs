//! What a person wants to be pushed, and when not.

use crate::person::NoticeKind;
use jiff::civil;
use jiff::tz::TimeZone;
use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;
/// The longest name of a zone, in bytes; the tz database has none above 32.
pub const ZONE_BYTES: usize = 64;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A notice's kind, without what it tells: of [`NoticeKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The person left the waitlist.
    Admitted,
    /// Somebody accepted an invite of theirs.
    InviteAccepted,
    /// A moderator asks them on stage.
    StageInvitation,
    /// Somebody asks them into a room.
    Pinged,
    /// Somebody they follow started a room.
    RoomStarted,
    /// Somebody follows them now.
    NewFollower,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Admitted,
        Self::InviteAccepted,
        Self::StageInvitation,
        Self::Pinged,
        Self::RoomStarted,
        Self::NewFollower,
    ];

    /// A notice's.
    pub fn of<P>(what: &NoticeKind<P>) -> Self {
        match what {
            NoticeKind::Admitted => Self::Admitted,
            NoticeKind::InviteAccepted { .. } => Self::InviteAccepted,
            NoticeKind::StageInvitation { .. } => Self::StageInvitation,
            NoticeKind::Pinged { .. } => Self::Pinged,
            NoticeKind::RoomStarted { .. } => Self::RoomStarted,
            NoticeKind::NewFollower { .. } => Self::NewFollower,
        }
    }

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::InviteAccepted => "invite_accepted",
            Self::StageInvitation => "stage_invitation",
            Self::Pinged => "pinged",
            Self::RoomStarted => "room_started",
            Self::NewFollower => "new_follower",
        }
    }

    /// How long after the fact a push of it is of any use; also what push services are told (RFC 8030, 5.2).
    pub fn useful(self) -> Duration {
        match self {
            Self::StageInvitation => 5 * MINUTE,
            Self::Pinged => 30 * MINUTE,
            Self::RoomStarted => 2 * HOUR,
            Self::InviteAccepted | Self::NewFollower => 3 * DAY,
            Self::Admitted => 7 * DAY,
        }
    }

    /// Somebody waits for the person right now.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::StageInvitation | Self::Pinged)
    }
}

/// What is pushed; notices in the app are told in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Kinds that are not pushed, each once, in order.
    pub off: Vec<Kind>,
    /// When nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
}

impl Settings {
    /// Whether such notices are pushed.
    pub fn is_on(&self, kind: Kind) -> bool {
        !self.off.contains(&kind)
    }

    /// The first moment from `at` on that is not within the quiet hours.
    pub fn awake(&self, at: Timestamp) -> Timestamp {
        let end = self.quiet.as_ref().and_then(|quiet| quiet.end_after(at));
        end.unwrap_or(at)
    }
}

/// Hours of each day, on the clocks of a zone, through midnight where they end before they begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Minute of the day when they begin.
    pub from: u16,
    /// Minute of the day when they are over.
    pub to: u16,
    /// A name of the IANA tz database.
    pub zone: String,
}

/// Quiet hours that there cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// No minutes of a day, or hours that never end.
    #[error("quiet hours begin and end at two different minutes of the day, from 0 to 1439")]
    Minutes,
    /// Not in the database.
    #[error("the zone is not one of the IANA time zone database, such as Europe/Rome")]
    Zone,
}

impl Quiet {
    /// Whether they can be.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn check(&self) -> Result<(), Wrong> {
        if self.from >= DAY_MINUTES || self.to >= DAY_MINUTES || self.from == self.to {
            return Err(Wrong::Minutes);
        }
        match self.zone() {
            Some(_) => Ok(()),
            None => Err(Wrong::Zone),
        }
    }

    /// Whether it is quiet at that moment.
    pub fn covers(&self, at: Timestamp) -> bool {
        let (Some(zone), Some(at)) = (self.zone(), instant(at)) else {
            return false;
        };
        self.covers_time(zone.to_datetime(at).time())
    }

    /// When it stops being quiet; absent: it is not.
    ///
    /// The civil end may exist twice or not at all on a day when clocks are changed: the first of all moments that it can be
    /// at which it is not quiet any more.
    pub fn end_after(&self, at: Timestamp) -> Option<Timestamp> {
        let (zone, now) = (self.zone()?, instant(at)?);
        let local = zone.to_datetime(now);
        if !self.covers_time(local.time()) {
            return None;
        }
        let is_tomorrow = self.from > self.to && minutes(local.time()) >= self.from;
        let day = if is_tomorrow {
            local.date().tomorrow().ok()?
        } else {
            local.date()
        };
        let end = day.at((self.to / 60) as i8, (self.to % 60) as i8, 0, 0);
        let ambiguous = zone.to_ambiguous_timestamp(end);
        let changed = zone.following(now).next().map(|change| change.timestamp());
        let candidates = [ambiguous.earlier().ok(), ambiguous.later().ok(), changed];
        let over = |end: &jiff::Timestamp| *end > now && !self.covers_time(zone.to_datetime(*end).time());
        let end = candidates.into_iter().flatten().filter(over).min()?;
        u64::try_from(end.as_millisecond()).ok().map(Timestamp)
    }

    fn covers_time(&self, time: civil::Time) -> bool {
        let now = minutes(time);
        if self.from < self.to {
            (self.from..self.to).contains(&now)
        } else {
            now >= self.from || now < self.to
        }
    }

    /// From the database in the binary: the same on every node.
    fn zone(&self) -> Option<TimeZone> {
        if self.zone.len() > ZONE_BYTES {
            return None;
        }
        TimeZone::get(&self.zone).ok()
    }
}

fn instant(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()
}

fn minutes(time: civil::Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(at.as_millisecond()).unwrap())
    }

    fn quiet(from: u16, to: u16, zone: &str) -> Quiet {
        Quiet {
            from,
            to,
            zone: zone.into(),
        }
    }

    #[test]
    fn hours_are_those_of_the_persons_clocks() {
        let night = quiet(22 * 60, 7 * 60, "Europe/Rome");
        assert_eq!(night.check(), Ok(()));
        assert_eq!(night.end_after(at("2026-01-10T20:59:59Z")), None);
        let end = Some(at("2026-01-11T06:00:00Z"));
        assert_eq!(night.end_after(at("2026-01-10T21:00:00Z")), end);
        assert_eq!(night.end_after(at("2026-01-11T05:59:59Z")), end);
        assert_eq!(night.end_after(at("2026-01-11T06:00:00Z")), None);
        let lunch = quiet(12 * 60, 13 * 60, "Asia/Shanghai");
        assert_eq!(
            lunch.end_after(at("2026-07-01T04:30:00Z")),
            Some(at("2026-07-01T05:00:00Z"))
        );
    }

    #[test]
    fn an_end_that_is_skipped_or_comes_twice_is_when_the_clocks_say_so() {
        // 02:00 to 03:00 did not exist in Rome on 29 March 2026, and existed twice on 25 October.
        let skipped = quiet(60, 150, "Europe/Rome");
        assert_eq!(
            skipped.end_after(at("2026-03-29T00:30:00Z")),
            Some(at("2026-03-29T01:00:00Z"))
        );
        assert_eq!(
            skipped.end_after(at("2026-10-25T00:10:00Z")),
            Some(at("2026-10-25T00:30:00Z"))
        );
        assert_eq!(
            skipped.end_after(at("2026-10-25T01:10:00Z")),
            Some(at("2026-10-25T01:30:00Z"))
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (from, to) in [(1440, 0), (0, 1440), (60, 60)] {
            assert_eq!(quiet(from, to, "UTC").check(), Err(Wrong::Minutes));
        }
        for zone in ["", "Mars/Olympus", "../etc/passwd", &"x".repeat(500)] {
            assert_eq!(quiet(0, 60, zone).check(), Err(Wrong::Zone), "{zone}");
        }
        assert_eq!(quiet(0, 60, "Asia/Calcutta").check(), Ok(()), "older names count");
    }

    proptest! {
        /// Over years of changes of clocks: an end is later, it is not quiet then, and it is in every minute before.
        #[test]
        fn it_is_quiet_up_to_the_end_and_not_then(
            minute in 29_000_000_u64..31_000_000,
            from in 0..DAY_MINUTES,
            to in 0..DAY_MINUTES,
            zone in prop::sample::select(vec!["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Jakarta", "UTC"]),
        ) {
            prop_assume!(from != to);
            let quiet = quiet(from, to, zone);
            let now = Timestamp(minute * 60_000);
            let end = quiet.end_after(now);
            prop_assert_eq!(end.is_some(), quiet.covers(now));
            let Some(end) = end else { return Ok(()) };
            prop_assert!(end > now && end.0 - now.0 <= 26 * 3_600_000);
            prop_assert!(!quiet.covers(end));
            let mut moment = now;
            while moment < end {
                prop_assert!(quiet.covers(moment), "quiet at {moment:?}");
                moment = moment + 60 * MINUTE / 4;
            }
        }
    }
}
