//! One slot of a listener: one SSRC, in which sequence and time go on whoever speaks.

use super::Packet;
use super::window::{Order, Window};
use crate::pattern::{FRAME_TICKS, Frame};

/// What was received in a slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its name.
    pub(super) ssrc: u32,
    highest: u16,
    window: Window,
    timestamp: u32,
    frame: Option<Frame>,
}

/// How a packet follows the newest one of its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Following {
    /// Frames of the speaker's that the sequence does not account for.
    pub(super) missing: u64,
    /// The RTP time does not fit.
    pub(super) time_break: bool,
}

impl Slot {
    /// A slot that begins with this packet.
    pub(super) fn new(packet: &Packet<'_>, frame: Option<Frame>) -> Self {
        Self {
            ssrc: packet.ssrc,
            highest: packet.sequence,
            window: Window::first(),
            timestamp: packet.timestamp,
            frame,
        }
    }

    /// Places a sequence number within 32,768 of the highest (RFC 3711, 3.3.1) and notes it.
    pub(super) fn place(&mut self, sequence: u16) -> Order {
        let order = self
            .window
            .place((sequence.wrapping_sub(self.highest) as i16).into());
        if let Order::Next { .. } = order {
            self.highest = sequence;
        }
        order
    }

    /// Compares the newest packet, `step` sequence numbers on, with the one before it.
    pub(super) fn follow(&mut self, packet: &Packet<'_>, frame: Option<Frame>, step: u64) -> Following {
        let elapsed = packet.timestamp.wrapping_sub(self.timestamp);
        let following = match (self.frame, frame) {
            (Some(before), Some(now)) if before.speaker == now.speaker => {
                let frames = now.counter.wrapping_sub(before.counter);
                Following {
                    missing: u64::from(frames).saturating_sub(step),
                    time_break: elapsed != frames.wrapping_mul(FRAME_TICKS),
                }
            }
            // Another voice, or silence between: time must not go back.
            _ => Following {
                missing: 0,
                time_break: elapsed == 0 || elapsed > u32::MAX / 2,
            },
        };
        self.timestamp = packet.timestamp;
        self.frame = frame;
        following
    }
}
