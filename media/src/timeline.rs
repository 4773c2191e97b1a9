//! One slot's RTP clock: whoever holds the slot, its timestamps go on without a step back or a leap ahead.
//!
//! A timeline belongs to a mix (all its listeners share it), a sequence to a listener. So a speaker, who is left
//! out, sees a sequence without gaps, and everybody else a clock without breaks.
//!
//! Invariants
//! - Each packet's place is after that of the packet before it.
//! - The clock is never more than [`MAX_STRAY`] ahead of real time, whatever a client's timestamps do.

use crate::opus;
use std::time::Instant;

/// How far a speaker's clock may run from ours. Clocks that differ by 100 ppm take three hours of speech without
/// one pause to get there (each pause sets them right); a client that jumps is put right at once.
const MAX_STRAY: i32 = opus::CLOCK_HZ as i32;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) timestamp: u32,
    /// First packet after a pause or a switch: receivers may adjust their buffer here (RFC 7587, 4.2).
    pub(crate) marker: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// When the clock read 0.
    epoch: Instant,
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

    /// The place of a packet that its speaker stamped `timestamp`. `None` for one that must be dropped: it comes too
    /// late (its place in the listeners' sequence has passed), or its speaker runs too far ahead of real time.
    pub(crate) fn place(&mut self, timestamp: u32, samples: u32, now: Instant) -> Option<Place> {
        let real = self.real(now);
        let follows = timestamp.wrapping_add(self.offset);
        let marker = self.cut || difference(follows, real).abs() > MAX_STRAY;
        let place = if marker {
            // Speech goes on where real time is, but not before the end of what was sent.
            let place = if difference(real, self.next) > 0 {
                real
            } else {
                self.next
            };
            if difference(place, real) > MAX_STRAY {
                return None;
            }
            place
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

    /// Real time in samples. Wraps after a day, as timestamps do.
    fn real(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.epoch);
        (passed.as_micros() * u128::from(opus::CLOCK_HZ) / 1_000_000) as u32
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
        let step = prop_oneof![
            20 => (jump, 1..4u32).prop_map(|(jump, frames)| Step::Packet { jump, frames }),
            3 => any::<u32>().prop_map(|start| Step::Switch { start }),
            1 => Just(Step::Silence),
            2 => (0..100_000u64).prop_map(|ms| Step::Pause { ms }),
        ];
        prop::collection::vec(step, 1..300)
    }

    proptest! {
        /// Whatever speakers do: strictly ahead, and never far ahead of real time.
        #[test]
        fn the_clock_only_goes_forward_and_keeps_time(steps in steps()) {
            let start = Instant::now();
            let mut now = start;
            let mut line = Timeline::new(now);
            let mut speaker = 0u32;
            let mut places = Vec::new();
            for step in steps {
                match step {
                    Step::Packet { jump, frames } => {
                        let samples = frames * opus::FRAME;
                        now += Duration::from_millis(20);
                        speaker = speaker.wrapping_add(samples);
                        let place = line.place(speaker.wrapping_add(jump as u32), samples, now);
                        places.extend(place.map(|p| (now, p.timestamp)));
                    }
                    Step::Switch { start } => { speaker = start; line.cut(); }
                    Step::Silence => {
                        now += Duration::from_millis(60);
                        places.extend((0..3).map(|_| (now, line.place_silence().timestamp)));
                        line.cut();
                    }
                    Step::Pause { ms } => {
                        now += Duration::from_millis(ms);
                        speaker = speaker.wrapping_add(ms as u32 * 48);
                    }
                }
            }
            let mut unwrapped = places.first().map_or(0, |(_, t)| u64::from(*t));
            for pair in places.windows(2) {
                let ahead = difference(pair[1].1, pair[0].1);
                prop_assert!(ahead > 0, "{} after {}", pair[1].1, pair[0].1);
                unwrapped += ahead as u64;
                let real = (pair[1].0 - start).as_micros() as u64 * 48 / 1000;
                let slack = MAX_STRAY as u64 + 64 * u64::from(opus::FRAME);
                prop_assert!(unwrapped <= real + slack, "{unwrapped} is far ahead of {real}");
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
}
