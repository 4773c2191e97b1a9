//! The lease's hold, shared by everything that must ask it (rule 2).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::lease::Hold;
use crate::time::{BootInstant, Clock};

/// Written by the lease keeper alone, read at every dequeue and before every effect; no lock.
#[derive(Default)]
pub(super) struct HoldCell {
    generation: AtomicU64,
    until: AtomicU64,
}

impl HoldCell {
    /// Raises the generation before the bound, so that whoever reads the new bound reads the new generation.
    pub(super) fn set(&self, hold: Hold) {
        self.generation.store(hold.generation, Ordering::SeqCst);
        self.until.store(hold.until.0, Ordering::SeqCst);
    }

    pub(super) fn get(&self) -> Hold {
        let until = BootInstant(self.until.load(Ordering::SeqCst));
        Hold {
            generation: self.generation.load(Ordering::SeqCst),
            until,
        }
    }

    /// Whether anything holds, in whichever generation.
    pub(super) fn holds(&self, now: BootInstant) -> bool {
        let hold = self.get();
        hold.generation > 0 && hold.holds(hold.generation, now)
    }

    /// Nothing holds any more; the next generation is above this one.
    pub(super) fn end(&self) {
        self.until.store(0, Ordering::SeqCst);
    }
}

/// Asks the hold for what was started in one generation.
#[derive(Clone)]
pub(super) struct Guard {
    cell: Arc<HoldCell>,
    clock: Arc<dyn Clock>,
    generation: u64,
}

impl Guard {
    pub(super) fn new(cell: Arc<HoldCell>, clock: Arc<dyn Clock>, generation: u64) -> Self {
        Self {
            cell,
            clock,
            generation,
        }
    }

    /// Rule 2: asked at each dequeue and before every write, reply, right, live update and publish.
    pub(super) fn holds(&self) -> bool {
        self.cell.get().holds(self.generation, self.clock.boot())
    }
}
