//! What a listening comes to.

use serde::Serialize;
use std::ops::AddAssign;

/// What was wrong, and how much was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Packets received, quiet ones included.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Frames missing although the sequence is whole: lost on the way in, or dropped by the server.
    pub missing: u64,
    /// Frames of silence with which the server ended a talk spurt. Everybody talks all the time, so a speaker's frames
    /// were late by more than its patience: a stall of theirs, of the network or of the server. No fault by itself.
    pub quiet: u64,
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
            quiet: _,
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

    /// The part of all audio that did not arrive, in per cent.
    pub fn lost_percent(&self) -> f64 {
        let (lost, heard) = (self.lost_audio() as f64, self.packets as f64);
        if lost == 0.0 {
            0.0
        } else {
            100.0 * lost / (lost + heard)
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.missing += other.missing;
        self.quiet += other.quiet;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.foreign += other.foreign;
        self.time_breaks += other.time_breaks;
        self.unheard += other.unheard;
    }
}
