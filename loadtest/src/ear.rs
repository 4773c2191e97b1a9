//! Judges what one listener hears. Pure: packets go in, counts come out.
//!
//! A slot is one SSRC. In each slot sequence numbers must follow one another whoever speaks. While one speaker holds
//! a slot, their own counter and the RTP time must advance exactly as the sequence does: a counter that jumps where
//! the sequence does not was lost before the server's egress. When speakers change in a slot only the sequence counts,
//! for which of them is chosen is the server's decision.

use crate::pattern::{self, FRAME_MS, FRAME_TICKS, Frame, Heard};
use serde::Serialize;
use std::ops::AddAssign;

/// Receive m-lines of one session (api.md allows a fourth).
const MAX_SLOTS: usize = 4;
/// How far back a late packet is told from a repeated one.
const WINDOW: u64 = 64;
/// Speakers who talk at the same time are heard within so many frames of one another; later ones were missed.
const TOGETHER_FRAMES: u32 = 5;

/// One decrypted RTP packet, as far as it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The slot.
    pub ssrc: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP time, 48 kHz.
    pub timestamp: u32,
    /// The speaker's stage number; absent if the packet names none.
    pub csrc: Option<u32>,
    /// Opus payload.
    pub payload: &'a [u8],
}

/// What was wrong, and how much was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Packets received, quiet ones included.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Frames missing although the sequence is whole: lost on the way in, or dropped by the server.
    pub missing: u64,
    /// Packets received twice.
    pub duplicates: u64,
    /// Packets overtaken by a later one of their slot.
    pub reordered: u64,
    /// Payloads that are not of this run, are damaged, or do not fit their CSRC.
    pub foreign: u64,
    /// RTP times that do not fit the sequence.
    pub time_breaks: u64,
    /// Speakers that a listener should have heard and never did.
    pub unheard: u64,
}

impl Counts {
    /// Everything was heard, once, in order and from the right people.
    pub fn clean(&self) -> bool {
        let Self {
            packets: _,
            reordered: _,
            lost,
            missing,
            duplicates,
            foreign,
            time_breaks,
            unheard,
        } = *self;
        [lost, missing, duplicates, foreign, time_breaks, unheard]
            .iter()
            .all(|n| *n == 0)
    }

    /// Audio that did not arrive, in frames (a speaker never heard counts as one).
    pub fn lost_audio(&self) -> u64 {
        self.lost + self.missing + self.unheard
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.missing += other.missing;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.foreign += other.foreign;
        self.time_breaks += other.time_breaks;
        self.unheard += other.unheard;
    }
}

/// A speaker whom a listener should hear: index in the run and stage number in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// As in [`Frame::speaker`].
    pub index: u32,
    /// The CSRC of their packets.
    pub number: u32,
}

/// One listener's judgement.
#[derive(Debug)]
pub struct Ear {
    run: u32,
    speakers: Vec<Speaker>,
    /// Every speaker has a slot of their own, so all of them must be heard.
    complete: bool,
    /// When the first frame of anybody was due, in microseconds since the start of the run.
    since_us: Option<u32>,
    /// Per speaker, the newest frame.
    newest: Vec<Option<u32>>,
    slots: Vec<Slot>,
    counts: Counts,
}

#[derive(Debug)]
struct Slot {
    ssrc: u32,
    /// Extended: counts on where 16 bits wrap.
    highest: u64,
    /// Bit `n` set: `highest - n` was received.
    seen: u64,
    timestamp: u32,
    frame: Option<Frame>,
}

/// How a sequence number relates to those before.
enum Order {
    Next { step: u64 },
    Late,
    Duplicate,
}

impl Ear {
    /// An ear with this many slots in a room with these speakers, who all talk already.
    pub fn new(run: u32, slots: usize, speakers: Vec<Speaker>) -> Self {
        Self {
            run,
            complete: speakers.len() <= slots,
            since_us: None,
            newest: vec![None; speakers.len()],
            speakers,
            slots: Vec::with_capacity(MAX_SLOTS),
            counts: Counts::default(),
        }
    }

    /// Takes one packet. Returns its frame if it is a speaker's of this run.
    pub fn hear(&mut self, packet: &Packet<'_>) -> Option<Frame> {
        self.counts.packets += 1;
        let frame = match pattern::read(packet.payload) {
            Heard::Quiet => None,
            Heard::Frame(frame) if self.fits(&frame, packet.csrc) => Some(frame),
            Heard::Frame(_) | Heard::Foreign => {
                self.counts.foreign += 1;
                None
            }
        };
        self.order(packet, frame);
        if let Some(frame) = frame {
            self.recognise(&frame);
        }
        frame
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Ends the listening. `sent` has the counter of the last frame that each speaker of the run sent, by index; what is
    /// missing at the end is lost then. Speakers that it does not name are not looked at.
    /// Who never heard anybody had not joined yet, and is not judged.
    pub fn finish(mut self, sent: &[Option<u32>]) -> Counts {
        let judged = self.complete && self.since_us.is_some();
        let last = |speaker: &Speaker| sent.get(speaker.index as usize).copied().flatten();
        for (speaker, newest) in self.speakers.iter().zip(&self.newest).filter(|_| judged) {
            match (newest, last(speaker)) {
                (Some(newest), Some(last)) => self.counts.lost += u64::from(last.saturating_sub(*newest)),
                (None, Some(_)) => self.counts.unheard += 1,
                (_, None) => {}
            }
        }
        self.counts
    }

    /// Notes whose frame it is. Who is heard long after the first of the others was missed until then.
    fn recognise(&mut self, frame: &Frame) {
        let since_us = *self.since_us.get_or_insert(frame.due_us);
        let Some(at) = self.speakers.iter().position(|s| s.index == frame.speaker) else {
            return;
        };
        let newest = &mut self.newest[at];
        if newest.is_none() && self.complete {
            let frames = frame.due_us.wrapping_sub(since_us) / (FRAME_MS as u32 * 1000);
            // A frame that was due before the first one heard is not late, and wraps to something huge.
            if (TOGETHER_FRAMES..u32::MAX / 40_000).contains(&frames) {
                self.counts.missing += u64::from(frames);
            }
        }
        *newest = Some(newest.map_or(frame.counter, |newest| newest.max(frame.counter)));
    }

    fn fits(&self, frame: &Frame, csrc: Option<u32>) -> bool {
        frame.run == self.run
            && self
                .speakers
                .iter()
                .any(|s| s.index == frame.speaker && Some(s.number) == csrc)
    }

    fn order(&mut self, packet: &Packet<'_>, frame: Option<Frame>) {
        let Some(slot) = self.slots.iter_mut().find(|s| s.ssrc == packet.ssrc) else {
            if self.slots.len() == MAX_SLOTS {
                self.counts.foreign += 1;
                return;
            }
            self.slots.push(Slot::new(packet, frame));
            return;
        };
        match slot.place(packet.sequence) {
            Order::Duplicate => self.counts.duplicates += 1,
            Order::Late => {
                self.counts.reordered += 1;
                // It was counted as lost when the later one came.
                self.counts.lost = self.counts.lost.saturating_sub(1);
            }
            Order::Next { step } => {
                self.counts.lost += step - 1;
                slot.follow(packet, frame, step, &mut self.counts);
            }
        }
    }
}

impl Slot {
    fn new(packet: &Packet<'_>, frame: Option<Frame>) -> Self {
        Self {
            ssrc: packet.ssrc,
            // One wrap ahead, so that a late packet before the first has a place.
            highest: 0x1_0000 + u64::from(packet.sequence),
            seen: 1,
            timestamp: packet.timestamp,
            frame,
        }
    }

    /// Places a sequence number within 32,768 of the highest (RFC 3711, 3.3.1) and notes it.
    fn place(&mut self, sequence: u16) -> Order {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead != 0 && ahead < 0x8000 {
            let step = u64::from(ahead);
            self.highest += step;
            self.seen = if step < WINDOW { self.seen << step | 1 } else { 1 };
            return Order::Next { step };
        }
        let behind = u64::from((self.highest as u16).wrapping_sub(sequence));
        if behind >= WINDOW || self.seen & 1 << behind != 0 {
            return Order::Duplicate;
        }
        self.seen |= 1 << behind;
        Order::Late
    }

    /// Compares the newest packet with the one before it.
    fn follow(&mut self, packet: &Packet<'_>, frame: Option<Frame>, step: u64, counts: &mut Counts) {
        let elapsed = packet.timestamp.wrapping_sub(self.timestamp);
        match (self.frame, frame) {
            (Some(before), Some(now)) if before.speaker == now.speaker => {
                let frames = now.counter.wrapping_sub(before.counter);
                counts.missing += u64::from(frames).saturating_sub(step);
                if elapsed != frames.wrapping_mul(FRAME_TICKS) {
                    counts.time_breaks += 1;
                }
            }
            // Another voice, or silence between: time must not go back.
            _ if elapsed == 0 || elapsed > u32::MAX / 2 => counts.time_breaks += 1,
            _ => {}
        }
        self.timestamp = packet.timestamp;
        self.frame = frame;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEAKERS: [Speaker; 2] = [Speaker { index: 0, number: 11 }, Speaker { index: 1, number: 12 }];

    /// Speaker, counter, sequence, RTP time.
    fn say(ear: &mut Ear, speaker: u32, counter: u32, sequence: u16, timestamp: u32) {
        let payload = Frame {
            run: 1,
            speaker,
            counter,
            due_us: 0,
        }
        .write();
        let csrc = Some(SPEAKERS[speaker as usize].number);
        ear.hear(&Packet {
            ssrc: 5,
            sequence,
            timestamp,
            csrc,
            payload: &payload,
        });
    }

    fn ear() -> Ear {
        Ear::new(1, 3, SPEAKERS.to_vec())
    }

    /// Says `count` frames of speaker 0 from sequence 65,500 on, so that it wraps, without those of `skip`.
    fn talk(ear: &mut Ear, count: u32, skip: &[u32]) {
        for n in (0..count).filter(|n| !skip.contains(n)) {
            say(
                ear,
                0,
                n,
                65_500u16.wrapping_add(n as u16),
                n.wrapping_mul(FRAME_TICKS),
            );
        }
    }

    #[test]
    fn a_whole_stream_is_clean_over_a_wrap() {
        let mut ear = ear();
        talk(&mut ear, 100, &[]);
        let counts = ear.finish(&[Some(99), None]);
        assert!(counts.clean(), "{counts:?}");
        assert_eq!(counts.packets, 100);
    }

    #[test]
    fn lost_packets_are_counted_where_they_are_missing() {
        let mut ear = ear();
        talk(&mut ear, 100, &[10, 11, 50]);
        assert_eq!(
            ear.finish(&[Some(101), None]),
            Counts {
                packets: 97,
                lost: 5,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn a_late_packet_is_not_lost_and_a_repeated_one_is_a_duplicate() {
        let mut ear = ear();
        for n in [0, 1, 3, 2, 4, 4, 0] {
            say(&mut ear, 0, n, n as u16, n * FRAME_TICKS);
        }
        assert_eq!(
            ear.counts(),
            Counts {
                packets: 7,
                reordered: 1,
                duplicates: 2,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn frames_lost_before_the_server_are_missing() {
        let mut ear = ear();
        say(&mut ear, 0, 0, 0, 0);
        say(&mut ear, 0, 3, 1, 3 * FRAME_TICKS);
        assert_eq!(
            ear.counts(),
            Counts {
                packets: 2,
                missing: 2,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn another_voice_in_the_slot_goes_on_with_the_sequence() {
        let mut ear = ear();
        say(&mut ear, 0, 7, 0, 0);
        say(&mut ear, 1, 900, 1, FRAME_TICKS);
        say(&mut ear, 1, 901, 2, 2 * FRAME_TICKS);
        assert!(ear.counts().clean());
        say(&mut ear, 0, 12, 3, 2 * FRAME_TICKS);
        assert_eq!(ear.counts().time_breaks, 1, "time stood still");
    }

    #[test]
    fn foreign_payloads_runs_and_numbers_are_found() {
        let mut ear = ear();
        let alien = Frame {
            run: 2,
            speaker: 0,
            counter: 0,
            due_us: 0,
        }
        .write();
        let own = Frame {
            run: 1,
            speaker: 0,
            counter: 0,
            due_us: 0,
        }
        .write();
        let packets: [(&[u8], u32); 3] = [(&alien, 11), (&own, 12), (b"noise", 11)];
        for (n, (payload, csrc)) in packets.into_iter().enumerate() {
            let (sequence, timestamp) = (n as u16, n as u32 * FRAME_TICKS);
            ear.hear(&Packet {
                ssrc: 5,
                sequence,
                timestamp,
                csrc: Some(csrc),
                payload,
            });
        }
        assert_eq!(
            ear.counts(),
            Counts {
                packets: 3,
                foreign: 3,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn a_speaker_never_heard_is_told() {
        let mut ear = ear();
        talk(&mut ear, 3, &[]);
        assert_eq!(ear.finish(&[Some(2), Some(40)]).unheard, 1);
    }

    #[test]
    fn who_is_heard_late_was_missed_unless_there_are_more_speakers_than_slots() {
        for (slots, missing) in [(2, 50), (1, 0)] {
            let mut ear = Ear::new(1, slots, SPEAKERS.to_vec());
            for (speaker, counter, due_us) in [(0, 0, 0), (1, 50, 1_000_000)] {
                let payload = Frame {
                    run: 1,
                    speaker,
                    counter,
                    due_us,
                }
                .write();
                let (ssrc, csrc) = (5 + speaker, Some(SPEAKERS[speaker as usize].number));
                ear.hear(&Packet {
                    ssrc,
                    sequence: 0,
                    timestamp: 0,
                    csrc,
                    payload: &payload,
                });
            }
            assert_eq!(
                ear.finish(&[Some(0), Some(50)]),
                Counts {
                    packets: 2,
                    missing,
                    ..Counts::default()
                }
            );
        }
    }

    #[test]
    fn quiet_frames_are_no_fault() {
        let mut ear = ear();
        say(&mut ear, 0, 0, 0, 0);
        for n in 1..4u16 {
            let timestamp = u32::from(n) * FRAME_TICKS;
            ear.hear(&Packet {
                ssrc: 5,
                sequence: n,
                timestamp,
                csrc: None,
                payload: &[0xf8, 0xff, 0xfe],
            });
        }
        say(&mut ear, 0, 50, 4, 50 * FRAME_TICKS);
        assert!(ear.counts().clean(), "{:?}", ear.counts());
    }
}
