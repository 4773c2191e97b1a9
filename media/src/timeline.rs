//! One slot's RTP clock: whoever holds the slot, its timestamps go on without a step back or a leap ahead.
//!
//! A timeline belongs to a mix (all its listeners share it), a sequence to a listener. So a speaker, who is left
//! out, sees a sequence without gaps, and everybody else a clock without breaks.
//!
//! Receivers see differences only, so the clock need not keep real time for ever: where speech must be placed behind
//! what was sent before (silence that filled a stall, a burst that came late), the clock is set ahead by that much and
//! counts on from there. Otherwise each stall of a network would push a slot further ahead, until nothing fits any more.
//!
//! Invariants
//! - Each packet's place is after that of the packet before it.
//! - A packet is never placed more than [`MAX_STRAY`] from the clock's time, whatever its timestamp.
//! - No state is terminal: after a cut the next packet is placed, and so is the one after it.

use crate::opus;
use std::time::Instant;

/// How far a speaker's clock may run from the slot's. Clocks that differ by 100 ppm take three hours of speech without
/// one pause to get there (each pause sets them right); a client that jumps is put right at once.
const MAX_STRAY: u32 = opus::CLOCK_HZ;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) timestamp: u32,
    /// First packet after a pause or a switch: receivers may adjust their buffer here (RFC 7587, 4.2).
    pub(crate) marker: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    epoch: Instant,
    /// What the clock read at the epoch, plus what it was set ahead by since.
    start: u32,
    /// The holder's timestamp plus this is the slot's.
    offset: u32,
    /// Timestamp of the newest packet and where the one after it belongs.
    last: u32,
    next: u32,
    /// The next packet is a speaker's first.
    cut: bool,
}

impl Timeline {
    /// The clock starts at 0: the random start of RFC 3550 protects weak ciphers, and ours is none.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            start: 0,
            offset: 0,
            last: 0,
            next: 0,
            cut: true,
        }
    }

    /// Somebody else speaks from here on.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// The place of a packet that its speaker stamped `timestamp`. `None` if it comes too late: its place in the
    /// listeners' sequence has passed.
    pub(crate) fn place(&mut self, timestamp: u32, samples: u32, now: Instant) -> Option<Place> {
        let follows = timestamp.wrapping_add(self.offset);
        let stray = difference(follows, self.time(now)).unsigned_abs() > MAX_STRAY;
        let marker = self.cut || stray;
        let place = if marker {
            self.anchor(now)
        } else if difference(follows, self.last) > 0 {
            follows
        } else {
            return None;
        };
        self.offset = place.wrapping_sub(timestamp);
        self.cut = false;
        self.advance(place, samples);
        Some(Place {
            timestamp: place,
            marker,
        })
    }

    /// The place of a silent frame that follows at once, before the slot falls quiet.
    pub(crate) fn place_silence(&mut self) -> Place {
        let place = self.next;
        self.advance(place, opus::FRAME);
        Place {
            timestamp: place,
            marker: false,
        }
    }

    fn advance(&mut self, place: u32, samples: u32) {
        (self.last, self.next) = (place, place.wrapping_add(samples));
    }

    /// Where speech begins: now, but not before the end of what was sent. If that is ahead, the clock is set to it.
    fn anchor(&mut self, now: Instant) -> u32 {
        let ahead = difference(self.next, self.time(now)).max(0);
        self.start = self.start.wrapping_add_signed(ahead);
        self.time(now)
    }

    /// The clock, in samples. Wraps after a day, as timestamps do.
    fn time(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.epoch);
        let samples = (passed.as_micros() * u128::from(opus::CLOCK_HZ) / 1_000_000) as u32;
        self.start.wrapping_add(samples)
    }
}

/// `a - b` on a clock that wraps.
fn difference(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[derive(Clone, Debug)]
    enum Step {
        /// A packet of the holder, stamped this far from where its clock should be.
        Packet {
            jump: i32,
            frames: u32,
        },
        /// One stamped this far from the slot's own time, which a cheat can read off the packets it gets.
        Aimed {
            from_time: i32,
        },
        Switch {
            start: u32,
        },
        Silence,
        Pause {
            ms: u64,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let jump = prop_oneof![8 => Just(0), 1 => any::<i32>(), 1 => -2000..2000i32];
        let half = (-3i32..=3).prop_map(|by| i32::MIN.wrapping_add(by));
        let aimed = prop_oneof![4 => half, 2 => -100_000..100_000i32, 1 => any::<i32>()];
        let step = prop_oneof![
            20 => (jump, 1..4u32).prop_map(|(jump, frames)| Step::Packet { jump, frames }),
            2 => aimed.prop_map(|from_time| Step::Aimed { from_time }),
            3 => any::<u32>().prop_map(|start| Step::Switch { start }),
            1 => Just(Step::Silence),
            2 => (0..100_000u64).prop_map(|ms| Step::Pause { ms }),
        ];
        prop::collection::vec(step, 1..300)
    }

    /// Plays the steps, checking each place against the one before and against the clock.
    struct Stage {
        line: Timeline,
        now: Instant,
        speaker: u32,
        last: Option<u32>,
    }

    impl Stage {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                line: Timeline::new(now),
                now,
                speaker: 0,
                last: None,
            }
        }

        fn placed(&mut self, place: u32) -> Result<(), TestCaseError> {
            if let Some(last) = self.last.replace(place) {
                prop_assert!(difference(place, last) > 0, "{place} after {last}");
            }
            Ok(())
        }

        fn packet(&mut self, timestamp: u32, samples: u32) -> Result<Option<Place>, TestCaseError> {
            let place = self.line.place(timestamp, samples, self.now);
            if let Some(Place { timestamp, .. }) = place {
                let stray = difference(timestamp, self.line.time(self.now));
                prop_assert!(
                    stray.unsigned_abs() <= MAX_STRAY,
                    "{stray} samples from the clock"
                );
                self.placed(timestamp)?;
            }
            Ok(place)
        }

        fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
            match step {
                Step::Packet { jump, frames } => {
                    let samples = frames * opus::FRAME;
                    self.now += Duration::from_millis(20);
                    self.speaker = self.speaker.wrapping_add(samples);
                    self.packet(self.speaker.wrapping_add_signed(jump), samples)?;
                }
                Step::Aimed { from_time } => {
                    let aim = self.line.time(self.now).wrapping_add_signed(from_time);
                    self.packet(aim.wrapping_sub(self.line.offset), opus::FRAME)?;
                }
                Step::Switch { start } => {
                    self.speaker = start;
                    self.line.cut();
                }
                Step::Silence => {
                    self.now += Duration::from_millis(60);
                    for _ in 0..3 {
                        let place = self.line.place_silence();
                        self.placed(place.timestamp)?;
                    }
                    self.line.cut();
                }
                Step::Pause { ms } => {
                    self.now += Duration::from_millis(ms);
                    self.speaker = self.speaker.wrapping_add(ms as u32 * 48);
                }
            }
            Ok(())
        }
    }

    proptest! {
        /// Whatever speakers do: strictly ahead, near the clock, and the next honest speaker loses nothing.
        #[test]
        fn the_clock_only_goes_forward_and_no_state_is_terminal(steps in steps(), start: u32) {
            let mut stage = Stage::new();
            for step in steps {
                stage.step(step)?;
            }
            stage.step(Step::Switch { start })?;
            for n in 0..100u32 {
                stage.now += Duration::from_millis(20);
                let place = stage.packet(start.wrapping_add(n * opus::FRAME), opus::FRAME)?;
                prop_assert!(place.is_some(), "packet {n} is dropped");
            }
        }

        /// One packet in, one place out, in step with the speaker's own clock.
        #[test]
        fn an_honest_speaker_loses_nothing(start: u32, waits in prop::collection::vec(0..40u64, 1..200)) {
            let mut now = Instant::now();
            let mut line = Timeline::new(now);
            let first = line.place(start, opus::FRAME, now).unwrap();
            let (mut late, mut stamp) = (0i64, start);
            for wait in waits {
                late = (late + wait as i64 - 20).max(-20);
                now += Duration::from_millis(wait);
                stamp = stamp.wrapping_add(opus::FRAME);
                let place = line.place(stamp, opus::FRAME, now);
                let expected = first.timestamp.wrapping_add(stamp.wrapping_sub(start));
                if late.abs() < 900 {
                    prop_assert_eq!(place, Some(Place { timestamp: expected, marker: false }));
                } else { break; }
            }
        }
    }

    #[test]
    fn a_switch_keeps_the_rhythm() {
        let mut now = Instant::now();
        let mut line = Timeline::new(now);
        let first = line.place(5_000, 960, now).unwrap();
        assert!(first.marker);
        now += Duration::from_millis(20);
        assert_eq!(
            line.place(5_960, 960, now),
            Some(Place {
                timestamp: first.timestamp + 960,
                marker: false
            })
        );
        line.cut();
        now += Duration::from_millis(20);
        let other = line.place(3_000_000_000, 960, now).unwrap();
        assert_eq!(
            other,
            Place {
                timestamp: first.timestamp + 2 * 960,
                marker: true
            }
        );
        now += Duration::from_millis(20);
        let gap = line.place(3_000_000_000 + 2 * 960, 960, now).unwrap();
        assert_eq!(
            gap.timestamp,
            other.timestamp + 2 * 960,
            "a lost packet stays a gap in time"
        );
        assert_eq!(line.place(3_000_000_000 + 960, 960, now), None, "too late");
    }

    #[test]
    fn a_speaker_back_after_a_pause_keeps_the_distance() {
        let mut now = Instant::now();
        let mut line = Timeline::new(now);
        let first = line.place(0, 960, now).unwrap();
        line.cut();
        now += Duration::from_secs(10);
        assert_eq!(
            line.place(77, 960, now).unwrap().timestamp,
            first.timestamp + 480_000
        );
    }

    /// Half the clock away is the one distance whose absolute value is no `i32`.
    #[test]
    fn a_timestamp_from_the_other_end_of_the_clock_is_put_right() {
        let mut now = Instant::now();
        let mut line = Timeline::new(now);
        let mut expected = line.place(0, 960, now).unwrap().timestamp;
        for n in 1..=1000u32 {
            now += Duration::from_millis(20);
            let half = 1 << 31;
            // Odd ones come from the other end, and the speaker goes on from there.
            let stamp = line
                .time(now)
                .wrapping_add(half * (n % 2))
                .wrapping_sub(line.offset);
            expected += 960;
            let place = line.place(stamp, 960, now).unwrap();
            assert_eq!(
                (place.timestamp, place.marker),
                (expected, n % 2 == 1),
                "packet {n}"
            );
        }
    }
}
