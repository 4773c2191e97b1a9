//! A room's audio: who of those who speak is heard by whom.
//!
//! Listeners with the same number of slots share a [`Mix`]: the loudest `k` speakers in `k` slots, so each gets
//! exactly the top `k`, however many m-lines their client offered. A room has at most four mixes, usually one.
//!
//! Invariants
//! - A packet whose sender may not speak at that moment changes nothing and goes nowhere.
//! - Nobody is sent their own voice: their slot's sequence stands still meanwhile, so they see no gap.
//! - What is known of a speaker's loudness outlives their sessions: it is kept under the stage number, which the caller
//!   gives to one person and never again.
//!
//! Lacks: several shards per room and other nodes (a later issue), and merging of frames.

mod mix;

use crate::bucket::Bucket;
use crate::egress::{Listener, MAX_PAYLOAD_BYTES, Member, Template};
use crate::rights;
use crate::voice::{self, Voice};
use crate::wire::Wire;
use crate::{StageNumber, opus};
use mix::Mix;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// The most receive m-lines that a client may offer.
pub(crate) const MAX_SLOTS: usize = 4;
/// Packets that one person may send in a burst, after their network stalled: 600 ms of 10 ms packets.
const BURST_PACKETS: u16 = 60;
/// Packets per second that one person may send for long: 10 ms packets and some.
const PACKETS_PER_SECOND: u16 = 120;

/// Voices that a room remembers: more than any stage holds, so that it takes a crowd of speakers to be forgotten.
const MAX_VOICES: usize = 256;

/// A speaker's packet, decrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) timestamp: u32,
    /// RFC 6464, in dBov; `None` without the extension.
    pub(crate) level: Option<i8>,
    pub(crate) payload: &'a [u8],
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Sent to this many listeners; 0 if the speaker is not among the loudest.
    Forwarded(u64),
    /// Its sender may not speak.
    NoRight,
    /// Its sender sends more packets than any codec makes.
    TooMany,
    /// It is no Opus packet, or longer than any.
    NoOpus,
    /// Its place has passed: the network brought a later one first.
    Late,
}

/// A packet that may be heard, with what was found out about it.
struct Said<'a> {
    member: Member,
    number: StageNumber,
    samples: u32,
    dbov: f32,
    packet: Packet<'a>,
}

/// Somebody with a microphone m-line.
struct Speaker {
    rights: Arc<rights::Cell>,
    /// With the right to speak, nobody may make us send thousands of packets a second to everybody.
    allowance: Bucket,
}

/// The audio of one room on one shard.
pub(crate) struct Room {
    speakers: HashMap<Member, Speaker>,
    voices: HashMap<StageNumber, Voice>,
    mixes: [Option<Mix>; MAX_SLOTS],
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            speakers: HashMap::new(),
            voices: HashMap::new(),
            mixes: [const { None }; MAX_SLOTS],
        }
    }

    /// Nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.speakers.is_empty()
    }

    /// Somebody comes in. They hear nothing before [`Room::listen`].
    pub(crate) fn enter(&mut self, member: Member, rights: Arc<rights::Cell>, now: Instant) {
        let speaker = Speaker {
            rights,
            allowance: Bucket::new(BURST_PACKETS, PACKETS_PER_SECOND, now),
        };
        self.speakers.insert(member, speaker);
    }

    /// Somebody is gone for good; their slots fall quiet.
    pub(crate) fn exit(&mut self, member: Member, wire: &mut impl Wire) {
        self.silence(member, wire);
        self.deafen(member);
        self.speakers.remove(&member);
    }

    /// From now on they are sent what is said.
    pub(crate) fn listen(&mut self, listener: Listener, now: Instant) {
        let slots = listener.slots.len();
        if let Some(mix) = slots.checked_sub(1).and_then(|at| self.mixes.get_mut(at)) {
            mix.get_or_insert_with(|| Mix::new(slots, now)).add(listener);
        }
    }

    /// They are sent nothing more; their keys and sequences are handed back.
    pub(crate) fn deafen(&mut self, member: Member) -> Option<Listener> {
        self.mixes.iter_mut().flatten().find_map(|mix| mix.remove(member))
    }

    /// Somebody who is sent packets.
    pub(crate) fn listener(&mut self, member: Member) -> Option<&mut Listener> {
        self.mixes
            .iter_mut()
            .flatten()
            .find_map(|mix| mix.listener(member))
    }

    /// Takes in a packet and forwards it to whom it should go.
    pub(crate) fn packet(
        &mut self,
        member: Member,
        packet: Packet<'_>,
        now: Instant,
        wire: &mut impl Wire,
    ) -> Verdict {
        let Some(speaker) = self.speakers.get_mut(&member) else {
            return Verdict::NoRight;
        };
        let Some(number) = speaker.rights.speaks_as() else {
            self.silence(member, wire);
            return Verdict::NoRight;
        };
        if !speaker.allowance.take(now) {
            return Verdict::TooMany;
        }
        let samples = opus::samples(packet.payload);
        let Some(samples) = samples.filter(|_| packet.payload.len() <= MAX_PAYLOAD_BYTES) else {
            return Verdict::NoOpus;
        };
        let dbov = voice::level_dbov(packet.level, packet.payload, samples);
        self.voice(number, now).hear(dbov, samples, now);
        let said = Said {
            member,
            number,
            samples,
            dbov,
            packet,
        };
        self.forward(&said, now, wire)
    }

    /// What is known of a speaker. Who was silent for longest is forgotten for somebody new.
    fn voice(&mut self, number: StageNumber, now: Instant) -> &mut Voice {
        if self.voices.len() >= MAX_VOICES && !self.voices.contains_key(&number) {
            let oldest = self.voices.iter().min_by_key(|(_, voice)| voice.packet_at());
            let oldest = oldest.map(|(number, _)| *number);
            oldest.map(|oldest| self.voices.remove(&oldest));
        }
        self.voices.entry(number).or_insert_with(|| Voice::new(now))
    }

    fn forward(&mut self, said: &Said<'_>, now: Instant, wire: &mut impl Wire) -> Verdict {
        let voice = |number: StageNumber| self.voices.get(&number);
        let (mut sent, mut late) = (0, false);
        for mix in self.mixes.iter_mut().flatten() {
            let Some(slot) = mix.take(said.member, said.number, voice, now) else {
                continue;
            };
            if let Some(place) = mix.place(slot, said.packet.timestamp, said.samples, now) {
                let template = Template::new(place, said.number, said.dbov, said.packet.payload);
                sent += mix.send(slot, said.member, &template, wire);
            } else {
                late = true;
            }
        }
        if late && sent == 0 {
            Verdict::Late
        } else {
            Verdict::Forwarded(sent)
        }
    }

    /// Takes slots back from those who stopped, fell silent or lost the right to speak. Returns whether any slot
    /// is still held, so that this is worth calling again soon.
    pub(crate) fn tick(&mut self, now: Instant, wire: &mut impl Wire) -> bool {
        let mut busy = false;
        for mix in self.mixes.iter_mut().flatten() {
            let over = |member: Member| {
                let speaker = self.speakers.get(&member);
                let number = speaker.and_then(|speaker| speaker.rights.speaks_as());
                let voice = number.and_then(|number| self.voices.get(&number));
                voice.is_none_or(|voice| voice.has_stopped(now))
            };
            busy |= mix.release_if(over, wire);
        }
        busy
    }

    /// Their slots fall quiet now.
    fn silence(&mut self, member: Member, wire: &mut impl Wire) {
        for mix in self.mixes.iter_mut().flatten() {
            mix.release_if(|holder| holder == member, wire);
        }
    }
}

#[cfg(test)]
mod tests;
