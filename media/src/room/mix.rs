//! The loudest `k` in `k` slots, and everybody who listens to that.
//!
//! Hysteresis: a slot is kept until its holder stops, or somebody clearly louder comes and the holder had it for a
//! while. Proven with tones and simulated turns; how it feels with real speech has to be listened to.

use crate::StageNumber;
use crate::egress::{Listener, Member, Template};
use crate::opus;
use crate::timeline::{Place, Timeline};
use crate::voice::{self, Voice};
use crate::wire::Wire;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Who challenges the quietest holder must rank this much higher ...
const MARGIN_DB: f32 = 3.0;
/// ... and the holder must have had the slot for this long: a word, not a syllable.
const HOLD: Duration = Duration::from_millis(300);
/// Frames of silence that end a talkspurt nobody follows: without them listeners extrapolate 440 ms, with them 30.
const SILENT_FRAMES: usize = 3;

/// The golden ratio's part of a circle: steps of it come close to no earlier one, however many listeners there are.
const FURTHER_ON: u32 = 0x9e37_79b9;

/// One slot: its holder and its clock.
struct Line {
    holder: Option<Holder>,
    timeline: Timeline,
}

#[derive(Clone, Copy)]
struct Holder {
    member: Member,
    number: StageNumber,
    since: Instant,
}

pub(super) struct Mix {
    lines: Vec<Line>,
    listeners: Vec<Listener>,
    /// Where the next packet begins, as a fraction of the listeners in 2^32ths.
    first: u32,
    /// Where in `listeners` somebody is.
    places: HashMap<Member, usize>,
}

impl Mix {
    pub(super) fn new(slots: usize, now: Instant) -> Self {
        let lines = (0..slots)
            .map(|_| Line {
                holder: None,
                timeline: Timeline::new(now),
            })
            .collect();
        Self {
            lines,
            listeners: Vec::new(),
            first: 0,
            places: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, listener: Listener) {
        self.places.insert(listener.member, self.listeners.len());
        self.listeners.push(listener);
    }

    pub(super) fn remove(&mut self, member: Member) -> Option<Listener> {
        let at = self.places.remove(&member)?;
        let listener = self.listeners.swap_remove(at);
        if let Some(moved) = self.listeners.get(at) {
            self.places.insert(moved.member, at);
        }
        Some(listener)
    }

    pub(super) fn listener(&mut self, member: Member) -> Option<&mut Listener> {
        self.listeners.get_mut(*self.places.get(&member)?)
    }

    /// The slot of somebody who has just sent a packet: the one they hold, a free one, or the quietest holder's.
    pub(super) fn take<'a>(
        &mut self,
        member: Member,
        number: StageNumber,
        voice: impl Fn(StageNumber) -> Option<&'a Voice>,
        now: Instant,
    ) -> Option<usize> {
        if let Some((at, holder)) = self.held_by(member) {
            holder.number = number;
            return Some(at);
        }
        let challenger = voice(number).filter(|voice| voice.is_audible())?;
        let at = self.free().or_else(|| self.weakest(challenger, &voice, now))?;
        self.lines[at].holder = Some(Holder {
            member,
            number,
            since: now,
        });
        self.lines[at].timeline.cut();
        Some(at)
    }

    fn held_by(&mut self, member: Member) -> Option<(usize, &mut Holder)> {
        let holders = self.lines.iter_mut().map(|line| line.holder.as_mut()).enumerate();
        holders
            .filter_map(|(at, holder)| Some((at, holder?)))
            .find(|(_, holder)| holder.member == member)
    }

    fn free(&self) -> Option<usize> {
        self.lines.iter().position(|line| line.holder.is_none())
    }

    /// The slot of the lowest rank, if the challenger is clearly above its standing and its time is up.
    fn weakest<'a>(
        &self,
        challenger: &Voice,
        voice: impl Fn(StageNumber) -> Option<&'a Voice>,
        now: Instant,
    ) -> Option<usize> {
        let holders = self
            .lines
            .iter()
            .enumerate()
            .filter_map(|(at, line)| Some((at, line.holder?)));
        let voices = holders.filter_map(|(at, holder)| Some((at, holder.since, voice(holder.number)?)));
        let (at, since, holder) = voices.min_by(|a, b| a.2.rank().total_cmp(&b.2.rank()))?;
        let clearly = challenger.rank() >= holder.standing() + MARGIN_DB;
        (clearly && now.saturating_duration_since(since) >= HOLD).then_some(at)
    }

    /// The place of a packet on a slot's clock; `None` if that has passed.
    pub(super) fn place(&mut self, slot: usize, timestamp: u32, samples: u32, now: Instant) -> Option<Place> {
        self.lines[slot].timeline.place(timestamp, samples, now)
    }

    /// Sends a packet to every listener but its speaker. Returns to how many.
    ///
    /// Each packet begins with another listener: when the system takes no more in time, those at the end lose the packet,
    /// and it must not be the same people again and again.
    pub(super) fn send(
        &mut self,
        slot: usize,
        speaker: Member,
        template: &Template,
        wire: &mut impl Wire,
    ) -> u64 {
        let mut sent = 0;
        self.first = self.first.wrapping_add(FURTHER_ON);
        let first = (self.first as usize * self.listeners.len()) >> u32::BITS;
        let (last, first) = self.listeners.split_at_mut(first);
        let listeners = first.iter_mut().chain(last);
        for listener in listeners.filter(|listener| listener.member != speaker) {
            listener.send(slot, template, wire);
            sent += 1;
        }
        sent
    }

    /// Takes slots back, with a little silence. Returns whether any is still held.
    pub(super) fn release_if(&mut self, over: impl Fn(Member) -> bool, wire: &mut impl Wire) -> bool {
        for slot in 0..self.lines.len() {
            let line = &mut self.lines[slot];
            let Some(holder) = line.holder.take_if(|holder| over(holder.member)) else {
                continue;
            };
            for _ in 0..SILENT_FRAMES {
                let place = self.lines[slot].timeline.place_silence();
                let template = Template::new(place, holder.number, voice::SILENCE_DBOV, &opus::SILENCE);
                self.send(slot, holder.member, &template, wire);
            }
        }
        self.lines.iter().any(|line| line.holder.is_some())
    }
}
