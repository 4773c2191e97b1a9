//! Callers that wait, by when they stop to: no caller waits beyond its deadline, whatever the store does.

use std::collections::{BTreeSet, HashMap};

use super::Ticket;
use crate::protocol::outcome::Outcome;
use crate::time::BootInstant;

/// What a caller hears when its time is over.
#[derive(Debug)]
pub(super) enum Expiry {
    TimedOut,
    /// The answer of an urgent command that is not committed yet.
    Pending(Outcome),
}

#[derive(Debug, Default)]
pub(super) struct Tickets {
    open: HashMap<Ticket, (BootInstant, Expiry)>,
    order: BTreeSet<(BootInstant, Ticket)>,
}

impl Tickets {
    pub(super) fn open(&mut self, ticket: Ticket, at: BootInstant, expiry: Expiry) {
        self.open.insert(ticket, (at, expiry));
        self.order.insert((at, ticket));
    }

    pub(super) fn is_open(&self, ticket: Ticket) -> bool {
        self.open.contains_key(&ticket)
    }

    /// Some if the caller still waited.
    pub(super) fn close(&mut self, ticket: Ticket) -> Option<Expiry> {
        let (at, expiry) = self.open.remove(&ticket)?;
        self.order.remove(&(at, ticket));
        Some(expiry)
    }

    pub(super) fn close_all(&mut self) -> Vec<Ticket> {
        self.open.clear();
        std::mem::take(&mut self.order)
            .into_iter()
            .map(|(_, ticket)| ticket)
            .collect()
    }

    /// Closes those whose time is over.
    pub(super) fn expired(&mut self, now: BootInstant) -> Vec<(Ticket, Expiry)> {
        let mut expired = vec![];
        while let Some((at, ticket)) = self.order.first().copied()
            && at <= now
        {
            self.order.pop_first();
            expired.extend(self.open.remove(&ticket).map(|(_, expiry)| (ticket, expiry)));
        }
        expired
    }

    pub(super) fn wake(&self) -> Option<BootInstant> {
        self.order.first().map(|(at, _)| *at)
    }
}
