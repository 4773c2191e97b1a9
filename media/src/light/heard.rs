//! What one slot sounded like: the checks that a listener's ear would make.

use crate::opus;
use crate::rtp::Header;
use std::time::{Duration, Instant};

/// One slot's audio so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// As the answer named it.
    pub ssrc: u32,
    /// Packets heard.
    pub packets: u64,
    /// Of which frames of silence: the end of a talkspurt.
    pub silent: u64,
    /// Packets that were missing when a later one came.
    pub lost: u64,
    /// Packets that came after a later one, or twice.
    pub late: u64,
    /// Timestamps that did not follow the one before: the server broke its promise.
    pub breaks: u64,
    /// Times that another speaker took the slot over.
    pub switches: u64,
    /// Who spoke last: the CSRC.
    pub speaker: Option<u32>,
    /// The last packet's level, RFC 6464.
    pub level: Option<u8>,
    /// When the first packet came.
    pub first_at: Option<Instant>,
    /// When the last one came.
    pub last_at: Option<Instant>,
    /// The longest wait between two packets of one talkspurt: what a jitter buffer has to bridge.
    pub longest_wait: Duration,
    newest: Option<Newest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Newest {
    index: u64,
    timestamp: u32,
}

impl Heard {
    /// The index that a sequence number stands for (RFC 3711, 3.3.1).
    pub(super) fn index_of(&self, sequence: u16) -> u64 {
        let Some(newest) = self.newest else {
            return u64::from(sequence);
        };
        let ahead = sequence.wrapping_sub(newest.index as u16) as i16;
        newest.index.saturating_add_signed(i64::from(ahead))
    }

    /// Takes in an authentic packet.
    pub(super) fn note(&mut self, header: &Header, index: u64, payload: &[u8], now: Instant) {
        self.packets += 1;
        self.silent += u64::from(payload == opus::SILENCE);
        if let Some(newest) = self.newest {
            if index <= newest.index {
                self.late += 1;
                return;
            }
            self.lost += index - newest.index - 1;
            let ahead = header.timestamp.wrapping_sub(newest.timestamp) as i32;
            self.breaks += u64::from(ahead <= 0);
            let spurt_goes_on = !header.marker && index == newest.index + 1;
            if let (true, Some(last)) = (spurt_goes_on, self.last_at) {
                self.longest_wait = self.longest_wait.max(now.saturating_duration_since(last));
            }
        }
        self.switches += u64::from(self.speaker.is_some() && self.speaker != header.csrc);
        (self.speaker, self.level) = (header.csrc, header.level);
        self.first_at.get_or_insert(now);
        self.last_at = Some(now);
        self.newest = Some(Newest {
            index,
            timestamp: header.timestamp,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_an_ear_would_notice() {
        let now = Instant::now();
        let mut heard = Heard::default();
        let mut take = |sequence: u16, timestamp: u32, csrc: u32| {
            let header = Header {
                sequence,
                timestamp,
                csrc: Some(csrc),
                ..Header::default()
            };
            let index = heard.index_of(sequence);
            heard.note(&header, index, b"x", now);
            index
        };
        take(65_534, 0, 7);
        take(65_535, 960, 7);
        assert_eq!(take(0, 1920, 7), 65_536, "the roll-over");
        take(3, 4800, 8);
        assert_eq!(take(1, 2880, 7), 65_537, "late");
        take(4, 4800, 8);
        assert_eq!((heard.packets, heard.lost, heard.late), (6, 2, 1));
        assert_eq!((heard.breaks, heard.switches, heard.speaker), (1, 1, Some(8)));
    }
}
