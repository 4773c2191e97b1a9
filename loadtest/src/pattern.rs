//! The payload that speakers send and listeners check.
//!
//! It begins like an Opus packet (one 20 ms CELT frame, mono), because the server looks at that byte, and goes on with
//! the run, the speaker, a counter, the time of sending and a fill that depends on all of them. So a listener tells
//! a missing frame from a repeated one, and a frame of this run from any other. No decoder would make sense of it.

/// Opus TOC: CELT, full band, 20 ms, mono, one frame (RFC 6716, 3.1).
const TOC: u8 = 0xf8;
/// What the server sends three times when a slot goes quiet.
const QUIET: [u8; 3] = [0xf8, 0xff, 0xfe];
/// As long as speech at 32 kbit/s.
pub const FRAME_BYTES: usize = 80;
/// RTP clock ticks of one frame: 20 ms at 48 kHz.
pub const FRAME_TICKS: u32 = 960;
/// Time between two frames, in milliseconds.
pub const FRAME_MS: u64 = 20;

const HEAD_BYTES: usize = 17;

/// One frame of a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Names the run of this tool, so that leftovers of another are noticed.
    pub run: u32,
    /// Index of the speaker in the run.
    pub speaker: u32,
    /// Counts the speaker's frames from 0.
    pub counter: u32,
    /// When the frame was due, in microseconds since the start of the run; wraps after 71 minutes.
    pub due_us: u32,
}

/// What a payload turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An intact frame of some run.
    Frame(Frame),
    /// Silence that the server put in at the end of a talk spurt.
    Quiet,
    /// Anything else: damaged, or not from this tool.
    Foreign,
}

impl Frame {
    /// The payload.
    pub fn write(&self) -> [u8; FRAME_BYTES] {
        let mut bytes = [TOC; FRAME_BYTES];
        bytes[1..5].copy_from_slice(&self.run.to_be_bytes());
        bytes[5..9].copy_from_slice(&self.speaker.to_be_bytes());
        bytes[9..13].copy_from_slice(&self.counter.to_be_bytes());
        bytes[13..17].copy_from_slice(&self.due_us.to_be_bytes());
        fill(self, &mut bytes[HEAD_BYTES..]);
        bytes
    }
}

/// Reads a payload back.
pub fn read(payload: &[u8]) -> Heard {
    if payload == QUIET {
        return Heard::Quiet;
    }
    if payload.len() != FRAME_BYTES || payload[0] != TOC {
        return Heard::Foreign;
    }
    let word =
        |at: usize| u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]]);
    let frame = Frame {
        run: word(1),
        speaker: word(5),
        counter: word(9),
        due_us: word(13),
    };
    let mut expected = [0; FRAME_BYTES - HEAD_BYTES];
    fill(&frame, &mut expected);
    if payload[HEAD_BYTES..] == expected {
        Heard::Frame(frame)
    } else {
        Heard::Foreign
    }
}

/// Bytes that follow from the head (xorshift64*, Vigna 2014): a damaged head or tail does not fit any more.
fn fill(frame: &Frame, tail: &mut [u8]) {
    let high = u64::from(frame.run) << 32 | u64::from(frame.speaker);
    let low = u64::from(frame.counter) << 32 | u64::from(frame.due_us);
    let mut state = (high ^ low.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in tail.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        run: 7,
        speaker: 2,
        counter: 99,
        due_us: 1_980_000,
    };

    #[test]
    fn a_frame_is_read_back() {
        assert_eq!(read(&FRAME.write()), Heard::Frame(FRAME));
        assert_eq!(read(&QUIET), Heard::Quiet);
    }

    #[test]
    fn any_damaged_byte_is_noticed() {
        for at in 0..FRAME_BYTES {
            let mut bytes = FRAME.write();
            bytes[at] ^= 0x10;
            assert_eq!(read(&bytes), Heard::Foreign, "byte {at}");
        }
        assert_eq!(read(&FRAME.write()[..FRAME_BYTES - 1]), Heard::Foreign);
        assert_eq!(read(&[]), Heard::Foreign);
    }
}
