//! Judges what one listener hears. Pure: packets go in, counts come out.
//!
//! A slot is one SSRC: in each, sequence numbers follow one another whoever speaks, and while one speaker holds it the RTP
//! time advances as their own counter does. Speakers never pause, so where each of them has a slot every counter must
//! come: a hole that no sequence number explains was lost before the server's egress, also where the server covered it
//! with silence. With more speakers than slots which of them is heard is the server's decision; then counters are
//! compared within a slot only, and as many speakers as there are slots must be heard to the end.

mod counts;
mod slot;
mod voice;
mod window;

pub use counts::Counts;

use crate::pattern::{self, Frame, Heard};
use slot::Slot;
use voice::Voice;
use window::Order;

/// Receive m-lines of one session; the API allows a fourth.
const MAX_SLOTS: usize = 4;

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
    /// As many speakers can be heard at a time.
    places: usize,
    voices: Vec<Voice>,
    /// When the first frame of anybody was due, in microseconds since the start of the run.
    since_us: Option<u32>,
    slots: Vec<Slot>,
    counts: Counts,
}

impl Ear {
    /// An ear with this many slots in a room with these speakers, who all talk already.
    pub fn new(run: u32, slots: usize, speakers: Vec<Speaker>) -> Self {
        Self {
            run,
            places: slots,
            voices: speakers.into_iter().map(Voice::new).collect(),
            since_us: None,
            slots: Vec::with_capacity(MAX_SLOTS),
            counts: Counts::default(),
        }
    }

    /// Takes one packet. Returns its frame if it is a speaker's of this run.
    pub fn hear(&mut self, packet: &Packet<'_>) -> Option<Frame> {
        self.counts.packets += 1;
        let frame = match pattern::read(packet.payload) {
            Heard::Quiet => {
                self.counts.quiet += 1;
                None
            }
            Heard::Frame(frame) if self.fits(&frame, packet.csrc) => Some(frame),
            Heard::Frame(_) | Heard::Foreign => {
                self.counts.foreign += 1;
                None
            }
        };
        let fresh = self.order(packet, frame);
        if let Some(frame) = frame.filter(|_| fresh) {
            self.recognise(&frame);
        }
        frame
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts;
        if self.is_complete() {
            let holes: u64 = self.voices.iter().map(|voice| voice.holes).sum();
            // What was lost on the way out left holes as well.
            counts.missing += holes.saturating_sub(counts.lost);
        }
        counts
    }

    /// Frames that have not come yet of those that were sent, where all must come. `sent` as for [`finish`](Self::finish).
    pub fn behind(&self, sent: &[Option<u32>]) -> u64 {
        let judged = self.voices.iter().filter(|_| self.is_complete());
        judged
            .filter_map(|voice| voice.behind(last(sent, voice)?))
            .map(u64::from)
            .sum()
    }

    /// Ends the listening. `sent` has the counter of the last frame that each speaker of the run sent, by index; what is
    /// missing at the end is missing then. Speakers that it does not name are not looked at.
    /// Who never heard anybody had not joined yet, and is not judged.
    pub fn finish(mut self, sent: &[Option<u32>]) -> Counts {
        if self.since_us.is_none() {
            return self.counts();
        }
        let talked = |voice: &&mut Voice| last(sent, voice).is_some();
        if self.is_complete() {
            for voice in self.voices.iter_mut().filter(talked) {
                match last(sent, voice).and_then(|last| voice.behind(last)) {
                    Some(behind) => voice.holes += u64::from(behind),
                    None => self.counts.unheard += 1,
                }
            }
        } else {
            let talked = self.voices.iter_mut().filter(talked).count();
            let held = |voice: &&Voice| last(sent, voice).is_some_and(|last| voice.held_to_the_end(last));
            let held = self.voices.iter().filter(held).count();
            self.counts.unheard += self.places.min(talked).saturating_sub(held) as u64;
        }
        self.counts()
    }

    /// Every speaker has a slot of their own, so every frame must be heard. With more speakers the server chooses, and
    /// only what a slot shows can be judged.
    fn is_complete(&self) -> bool {
        self.voices.len() <= self.places
    }

    /// Notes whose frame it is.
    fn recognise(&mut self, frame: &Frame) {
        let since_us = *self.since_us.get_or_insert(frame.due_us);
        let voice = self
            .voices
            .iter_mut()
            .find(|voice| voice.speaker.index == frame.speaker);
        if voice.is_some_and(|voice| !voice.hear(frame, since_us)) {
            self.counts.duplicates += 1;
        }
    }

    fn fits(&self, frame: &Frame, csrc: Option<u32>) -> bool {
        let said_by = |speaker: Speaker| speaker.index == frame.speaker && Some(speaker.number) == csrc;
        frame.run == self.run && self.voices.iter().any(|voice| said_by(voice.speaker))
    }

    /// Places the packet in its slot. False: it is a repeat, or in a slot too many.
    fn order(&mut self, packet: &Packet<'_>, frame: Option<Frame>) -> bool {
        let complete = self.is_complete();
        let Some(slot) = self.slots.iter_mut().find(|s| s.ssrc == packet.ssrc) else {
            if self.slots.len() == MAX_SLOTS {
                self.counts.foreign += 1;
                return false;
            }
            self.slots.push(Slot::new(packet, frame));
            return true;
        };
        match slot.place(packet.sequence) {
            Order::Duplicate => {
                self.counts.duplicates += 1;
                return false;
            }
            Order::Late => {
                self.counts.reordered += 1;
                // It was counted as lost when the later one came.
                self.counts.lost = self.counts.lost.saturating_sub(1);
            }
            Order::Next { step } => {
                self.counts.lost += step - 1;
                let following = slot.follow(packet, frame, step);
                self.counts.time_breaks += u64::from(following.time_break);
                if !complete {
                    self.counts.missing += following.missing;
                }
            }
        }
        true
    }
}

/// The last frame of a speaker.
fn last(sent: &[Option<u32>], voice: &Voice) -> Option<u32> {
    sent.get(voice.speaker.index as usize).copied().flatten()
}

#[cfg(test)]
mod tests;
