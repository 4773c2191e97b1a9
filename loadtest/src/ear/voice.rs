//! One speaker as a listener hears them: their own counter says what is missing, through silence and changes of slot.

use super::Speaker;
use super::window::{Order, Window};
use crate::pattern::{FRAME_MS, Frame};

/// Speakers who talk at the same time are heard within so many frames of one another; later ones were missed.
const TOGETHER_FRAMES: u32 = 5;
/// Whoever has a slot when everybody falls silent is heard to within so many frames of their last one.
const AT_THE_END_FRAMES: u32 = 50;

/// What was heard of a speaker.
#[derive(Debug)]
pub(super) struct Voice {
    /// Who.
    pub(super) speaker: Speaker,
    heard: Option<Heard>,
    /// Frames before the newest that did not come.
    pub(super) holes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    newest: u32,
    window: Window,
}

impl Voice {
    /// Somebody who was not heard yet.
    pub(super) fn new(speaker: Speaker) -> Self {
        Self {
            speaker,
            heard: None,
            holes: 0,
        }
    }

    /// Takes a frame of theirs. False: it was heard before. `since_us` is when the first frame of anybody was due: who
    /// is first heard long after it was missed until then.
    pub(super) fn hear(&mut self, frame: &Frame, since_us: u32) -> bool {
        let Some(heard) = &mut self.heard else {
            self.holes += missed_at_first(frame, since_us);
            self.heard = Some(Heard {
                newest: frame.counter,
                window: Window::first(),
            });
            return true;
        };
        match heard
            .window
            .place(i64::from(frame.counter) - i64::from(heard.newest))
        {
            Order::Next { step } => {
                self.holes += step - 1;
                heard.newest = frame.counter;
            }
            Order::Late => self.holes = self.holes.saturating_sub(1),
            Order::Duplicate => return false,
        }
        true
    }

    /// Frames up to the `last` that was sent which are behind the newest that was heard; `None`: they were never heard.
    pub(super) fn behind(&self, last: u32) -> Option<u32> {
        self.heard.map(|heard| last.saturating_sub(heard.newest))
    }

    /// Whether they had a slot when they sent their `last` frame.
    pub(super) fn held_to_the_end(&self, last: u32) -> bool {
        self.behind(last)
            .is_some_and(|behind| behind <= AT_THE_END_FRAMES)
    }
}

fn missed_at_first(frame: &Frame, since_us: u32) -> u64 {
    let late_us = frame.due_us.wrapping_sub(since_us) as i32;
    // A frame that was due before the first one heard is not late.
    let frames = u32::try_from(late_us).unwrap_or(0) / (FRAME_MS as u32 * 1000);
    if frames < TOGETHER_FRAMES {
        0
    } else {
        frames.into()
    }
}
