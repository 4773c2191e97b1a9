//! Admission to a forwarder's mailbox: ractor's mailboxes have no bound, so whoever casts takes a permit first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Letters that wait for one forwarder; above it requests are refused.
pub(super) const WAITING: usize = 8_192;
/// Places beyond those for what homes and accounts say: a crowd at the door must not keep a ban out.
pub(super) const RESERVED: usize = 1_024;

/// Counts what waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicUsize>);

/// A place in the mailbox; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Gate {
    /// For requests.
    pub(super) fn enter(&self) -> Option<Permit> {
        self.enter_below(WAITING)
    }

    /// For words of homes and accounts.
    pub(super) fn enter_reserved(&self) -> Option<Permit> {
        self.enter_below(WAITING + RESERVED)
    }

    fn enter_below(&self, most: usize) -> Option<Permit> {
        // Relaxed: the count guards memory, it orders nothing.
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(self.0.clone());
        (before < most).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_too_much_and_recovers() {
        let gate = Gate::default();
        let mut permits: Vec<_> = (0..WAITING).map(|_| gate.enter().unwrap()).collect();
        assert!(gate.enter().is_none());
        assert!(gate.enter_reserved().is_some(), "moderation still gets through");
        permits.pop();
        assert!(gate.enter().is_some());
    }
}
