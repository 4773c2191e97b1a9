//! How much one person deserves to be heard just now: their rank, from the levels that their packets carry.
//!
//! The level is the client's own claim (RFC 6464), so it is measured against the same person's history: speech
//! rises and falls, and who claims "loud" without end sinks below everybody who talks. Who merely imitates the
//! ups and downs of speech ranks like somebody who speaks; rights, not levels, keep people quiet.
//!
//! The history begins with the first packet and belongs to the person, not to a session ([`crate::room`] keeps it under
//! their stage number): nobody gets a better one by joining again. A newcomer is believed until there is enough of it.
//!
//! Two figures, since people pause between words and also stop:
//! - the **rank** is the lesser of an average with a fast attack and the loudest of the last packets. A newcomer is loud
//!   within three packets, and who has just gone quiet ranks low at once; otherwise the next quieter one loses the slot
//!   and takes another 25 ms later (measured with tones: 15-20 moves in ten turns).
//! - the **standing** is the average alone, which falls slowly: it defends a slot through a pause between words. By
//!   rank alone, somebody mumbling takes a slot in every pause (42 moves in ten simulated turns; now about 20, of which
//!   10 are the turns).
//!
//! Lacks: any look into the audio. A loud noise that varies is a voice.

use crate::opus;
use std::time::{Duration, Instant};

/// What RFC 6464 calls silence.
pub(crate) const SILENCE_DBOV: f32 = -127.0;
/// Quieter is silence: nobody gets or keeps a slot for it.
pub(crate) const FLOOR_DBOV: f32 = -65.0;
/// Who sends, but nothing above the floor, gives up the slot after this.
const SILENT_AFTER: Duration = Duration::from_millis(600);
/// Whose packets stay out for this long beyond the expected one has stopped: with 20 ms packets that is noticed
/// after 80 ms. A threshold of 100 ms left 43 ms of extrapolated voice at listeners, 60 ms 32.
const STOPPED_AFTER: Duration = Duration::from_millis(60);

/// Half of a rise is taken over within one packet.
const ATTACK_S: f32 = 0.02;
/// Longer than a pause between words.
const DECAY_S: f32 = 0.38;
/// How far back the loudest packet counts: 60 ms bridges the dips between syllables.
const RECENT: usize = 3;

/// History is this long: longer than a breath, shorter than a monologue.
const HISTORY_S: f32 = 3.0;
/// A newcomer's history says nothing for so long: a word may well be of one loudness ...
const BELIEVED_S: f32 = 0.5;
/// ... and counts in full after this, when speech has risen and fallen.
const KNOWN_S: f32 = 1.0;
/// Speech peaks this far above its own mean, pauses included; often 15 dB, in noise still 7.
const LIVELY_DB: f32 = 6.0;
/// A voice without any ups and downs ranks this much lower: below the quietest speech.
const MONOTONE_DB: f32 = -FLOOR_DBOV + 1.0;

/// One person's recent levels.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    average: f32,
    recent: [f32; RECENT],
    peak: f32,
    mean: f32,
    /// How much of their audio `peak` and `mean` are made of, [`HISTORY_S`] at most.
    known_s: f32,
    heard_at: Instant,
    /// When the last packet came; `None` before the first.
    packet_at: Option<Instant>,
    /// How long the last packet lasts: when the next one is due.
    lasts: Duration,
}

impl Voice {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            average: FLOOR_DBOV,
            recent: [FLOOR_DBOV; RECENT],
            peak: FLOOR_DBOV,
            mean: FLOOR_DBOV,
            known_s: 0.0,
            heard_at: now,
            packet_at: None,
            lasts: Duration::ZERO,
        }
    }

    /// Takes in one packet: its level, and how many samples it lasts.
    pub(crate) fn hear(&mut self, dbov: f32, samples: u32, now: Instant) {
        let dbov = dbov.clamp(FLOOR_DBOV, 0.0);
        let lasts = Duration::from_secs(1) * samples / opus::CLOCK_HZ;
        // By time, not by packet: a flood moves the averages no faster, and a pause no further than a packet.
        let since = self
            .packet_at
            .map_or(lasts, |at| now.saturating_duration_since(at));
        let step = since.min(lasts * 3 / 2).as_secs_f32();
        (self.packet_at, self.lasts) = (Some(now), lasts);
        if dbov > FLOOR_DBOV {
            self.heard_at = now;
        }
        let seconds = if dbov > self.average { ATTACK_S } else { DECAY_S };
        self.average += (dbov - self.average) * step / (seconds + step);
        // The first packet is all of the history, the second half of it, and so on until the window is full.
        self.known_s = (self.known_s + step).min(HISTORY_S);
        let share = step / self.known_s.max(step);
        if share > 0.0 {
            self.mean += (dbov - self.mean) * share;
            self.peak = (self.peak + (dbov - self.peak) * share).max(dbov);
        }
        self.recent.rotate_left(1);
        self.recent[RECENT - 1] = dbov;
    }

    /// How loud just now. Comparable between people; higher is louder.
    pub(crate) fn rank(&self) -> f32 {
        let loudest = self.recent.iter().copied().fold(FLOOR_DBOV, f32::max);
        self.average.min(loudest) - self.monotony()
    }

    /// How loud lately: what a challenger has to exceed.
    pub(crate) fn standing(&self) -> f32 {
        self.average - self.monotony()
    }

    fn monotony(&self) -> f32 {
        let liveliness = ((self.peak - self.mean) / LIVELY_DB).clamp(0.0, 1.0);
        let known = ((self.known_s - BELIEVED_S) / (KNOWN_S - BELIEVED_S)).clamp(0.0, 1.0);
        (1.0 - liveliness) * known * MONOTONE_DB
    }

    /// Whether the last packet was above the floor.
    pub(crate) fn is_audible(&self) -> bool {
        self.recent[RECENT - 1] > FLOOR_DBOV
    }

    /// When the last packet came, if one did.
    pub(crate) fn packet_at(&self) -> Option<Instant> {
        self.packet_at
    }

    /// Whether a slot should be taken back because nothing worth hearing comes any more.
    pub(crate) fn has_stopped(&self, now: Instant) -> bool {
        let silence = self.packet_at.map(|at| now.saturating_duration_since(at));
        silence.is_none_or(|silence| silence > STOPPED_AFTER + self.lasts)
            || now.saturating_duration_since(self.heard_at) > SILENT_AFTER
    }
}

/// The level of a packet in dBov: what its sender claims, else a guess by its size.
pub(crate) fn level_dbov(claimed: Option<i8>, payload: &[u8], samples: u32) -> f32 {
    if let Some(level) = claimed {
        return f32::from(level).min(0.0);
    }
    // Opus with a variable rate spends about 10 bytes per frame on silence and 60-160 on speech.
    let per_frame = payload.len() as f32 * opus::FRAME as f32 / samples as f32;
    if per_frame < SILENT_FRAME_BYTES {
        FLOOR_DBOV
    } else {
        (per_frame / 3.0 - 60.0).min(-20.0)
    }
}

/// Frames below this are comfort noise or less.
const SILENT_FRAME_BYTES: f32 = 12.0;

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// Speaks for `seconds`, `level` giving each packet's level.
    fn speak(voice: &mut Voice, now: &mut Instant, seconds: u64, level: impl Fn(u64) -> f32) {
        for n in 0..seconds * 50 {
            *now += PACKET;
            voice.hear(level(n), opus::FRAME, *now);
        }
    }

    /// Words of 300 ms and pauses of 200 ms.
    fn speech(loud: f32) -> impl Fn(u64) -> f32 {
        move |n| if n % 25 < 15 { loud } else { -60.0 }
    }

    #[test]
    fn constant_loudness_ranks_below_quiet_speech() {
        let mut now = Instant::now();
        let (mut shouter, mut quiet) = (Voice::new(now), Voice::new(now));
        let mut clock = now;
        speak(&mut shouter, &mut clock, 20, |_| 0.0);
        speak(&mut quiet, &mut now, 20, speech(-45.0));
        quiet.hear(-45.0, opus::FRAME, now + PACKET);
        assert!(
            shouter.rank() + 10.0 < quiet.rank(),
            "{} < {}",
            shouter.rank(),
            quiet.rank()
        );
    }

    #[test]
    fn a_flood_of_loud_packets_gains_nothing() {
        let now = Instant::now();
        let (mut flood, mut one) = (Voice::new(now), Voice::new(now));
        let at = now + PACKET;
        one.hear(-10.0, opus::FRAME, at);
        for _ in 0..1000 {
            flood.hear(-10.0, 1, at);
        }
        assert!(
            flood.rank() <= one.rank() + 1.0,
            "{} and {}",
            flood.rank(),
            one.rank()
        );
    }

    /// A fresh start buys half a second of belief, not ten: the first packets are the history, and it is flat.
    #[test]
    fn a_constant_level_sinks_within_a_second_of_the_first_packet() {
        for level in [-40.0, -10.0, 0.0] {
            let mut now = Instant::now();
            let mut shouter = Voice::new(now);
            speak(&mut shouter, &mut now, 1, |_| level);
            assert!(shouter.rank() < FLOOR_DBOV, "{level}: {}", shouter.rank());
        }
    }

    #[test]
    fn speech_is_never_taken_for_monotone() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        for n in 0..500 {
            now += PACKET;
            voice.hear(speech(-30.0)(n), opus::FRAME, now);
            assert!(voice.standing() > FLOOR_DBOV, "packet {n}: {}", voice.standing());
        }
    }

    #[test]
    fn pauses_between_syllables_cost_little_and_falling_silent_costs_all() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        speak(&mut voice, &mut now, 10, speech(-20.0));
        for _ in 0..5 {
            now += PACKET;
            voice.hear(-20.0, opus::FRAME, now);
        }
        let talking = voice.rank();
        for _ in 0..RECENT - 1 {
            now += PACKET;
            voice.hear(-60.0, opus::FRAME, now);
        }
        assert!(
            voice.rank() > talking - 6.0,
            "{talking}, in a dip {}",
            voice.rank()
        );
        now += PACKET;
        voice.hear(-60.0, opus::FRAME, now);
        assert!(voice.rank() < -59.0, "silent for 60 ms: {}", voice.rank());
    }

    #[test]
    fn a_newcomer_is_loud_after_three_packets() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        for _ in 0..3 {
            now += PACKET;
            voice.hear(-20.0, opus::FRAME, now);
        }
        assert!(voice.rank() > -27.0, "{}", voice.rank());
    }

    #[test]
    fn stops_after_the_next_packet_is_overdue() {
        let now = Instant::now();
        let mut voice = Voice::new(now);
        voice.hear(-20.0, 3 * opus::FRAME, now);
        assert!(
            !voice.has_stopped(now + Duration::from_millis(119)),
            "60 ms packets are waited for longer"
        );
        assert!(voice.has_stopped(now + Duration::from_millis(121)));
    }

    #[test]
    fn the_size_speaks_when_no_level_does() {
        assert_eq!(level_dbov(Some(-12), &[0; 100], opus::FRAME), -12.0);
        assert_eq!(level_dbov(None, &opus::SILENCE, opus::FRAME), FLOOR_DBOV);
        assert!(level_dbov(None, &[0; 100], opus::FRAME) > level_dbov(None, &[0; 60], opus::FRAME));
        assert_eq!(
            level_dbov(None, &[0; 300], 3 * opus::FRAME),
            level_dbov(None, &[0; 100], opus::FRAME)
        );
    }
}
