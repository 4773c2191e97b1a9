//! The one word per session that says what it may do, shared by its shard and by every handle.
//!
//! Whoever changes it needs no queue and no answer: the shard reads it for each packet that comes in. So a mute
//! works while joins pile up, and it works when nothing else does.
//!
//! Invariant: once closed, it stays closed. A late `set_rights` cannot revive a session that was told to leave.

use crate::{Rights, StageNumber};
use std::sync::atomic::{AtomicU64, Ordering};

const LISTEN: u64 = 0 << 32;
const MUTED: u64 = 1 << 32;
const SPEAK: u64 = 2 << 32;
const CLOSED: u64 = 3 << 32;
const KIND: u64 = 3 << 32;

/// Rights, or closed.
#[derive(Debug)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(crate) fn new(rights: Rights) -> Self {
        Self(AtomicU64::new(encode(rights)))
    }

    /// False if the cell is closed.
    pub(crate) fn set(&self, rights: Rights) -> bool {
        let open = |old| (old & KIND != CLOSED).then_some(encode(rights));
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, open)
            .is_ok()
    }

    /// True for the one caller that closed it.
    pub(crate) fn close(&self) -> bool {
        self.0.swap(CLOSED, Ordering::AcqRel) & KIND != CLOSED
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & KIND == CLOSED
    }

    /// The number under which a packet may go out now, if it may.
    pub(crate) fn speaks_as(&self) -> Option<StageNumber> {
        let word = self.0.load(Ordering::Acquire);
        (word & KIND == SPEAK).then_some(StageNumber(word as u32))
    }
}

fn encode(rights: Rights) -> u64 {
    match rights {
        Rights::Listen => LISTEN,
        Rights::Muted(number) => MUTED | u64::from(number.0),
        Rights::Speak(number) => SPEAK | u64::from(number.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_speakers_speak_and_closed_is_final() {
        let number = StageNumber(u32::MAX);
        let cell = Cell::new(Rights::Listen);
        assert_eq!(cell.speaks_as(), None);
        assert!(cell.set(Rights::Speak(number)));
        assert_eq!(cell.speaks_as(), Some(number));
        assert!(cell.set(Rights::Muted(number)));
        assert_eq!(cell.speaks_as(), None);
        assert!(cell.close() && !cell.close() && cell.is_closed());
        assert!(!cell.set(Rights::Speak(number)));
        assert_eq!(cell.speaks_as(), None);
    }
}
