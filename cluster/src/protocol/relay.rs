//! One entity's way out: rows of its outbox, in order, one on the wire (rules 10 and 11).
//!
//! Invariants: at most one row is with its target; a send whose outcome is unknown is repeated before the next row;
//! what is delivered is told, and the entity's own conditional write moves `published`.
//!
//! Entities are independent of each other; how many send at once is the shell's concern.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::backoff::Backoff;
use crate::store::OutboxRow;
use crate::time::BootInstant;

/// Rows kept in memory per entity; the rest is read again from the store when its turn comes.
pub(crate) const WINDOW: usize = 256;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Give this row to its target.
    Send(OutboxRow),
    /// Read at most [`WINDOW`] rows behind this sequence.
    Read { after: u64 },
}

/// The rows that an entity still owes.
#[derive(Debug)]
pub(crate) struct Relay {
    /// All up to here are delivered.
    delivered: u64,
    /// The last committed row.
    owed: u64,
    /// The next rows, without a gap behind `delivered`.
    rows: VecDeque<OutboxRow>,
    busy: Busy,
    backoff: Backoff,
}

#[derive(Debug, PartialEq, Eq)]
enum Busy {
    No,
    Sending,
    Reading,
    /// Until then.
    Waiting(BootInstant),
}

impl Relay {
    /// All up to `published` are delivered, all up to `sequence` exist.
    pub(crate) fn new(published: u64, sequence: u64) -> Self {
        Self {
            delivered: published,
            owed: sequence,
            rows: VecDeque::new(),
            busy: Busy::No,
            backoff: Backoff::delivery(),
        }
    }

    /// All rows up to this one are known to be delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether every row is delivered.
    pub(crate) fn is_empty(&self) -> bool {
        self.delivered == self.owed
    }

    /// Rows that a commit added.
    pub(crate) fn push(&mut self, rows: &[OutboxRow]) {
        for row in rows {
            // Behind a gap in memory the store is read.
            if self.delivered + self.rows.len() as u64 + 1 == row.sequence && self.rows.len() < WINDOW {
                self.rows.push_back(row.clone());
            }
            self.owed = self.owed.max(row.sequence);
        }
    }

    /// The next thing to do, if nothing is on the wire.
    pub(crate) fn next(&mut self) -> Option<Step> {
        if self.busy != Busy::No {
            return None;
        }
        if let Some(row) = self.rows.front() {
            self.busy = Busy::Sending;
            return Some(Step::Send(row.clone()));
        }
        if self.is_empty() {
            return None;
        }
        self.busy = Busy::Reading;
        Some(Step::Read {
            after: self.delivered,
        })
    }

    /// The row's target has it, or its outcome is unknown.
    pub(crate) fn sent(&mut self, now: BootInstant, sequence: u64, delivered: bool) {
        if self.busy != Busy::Sending || self.rows.front().is_none_or(|r| r.sequence != sequence) {
            return;
        }
        if delivered {
            self.rows.pop_front();
            self.delivered = sequence;
            self.backoff.reset();
            self.busy = Busy::No;
        } else {
            self.busy = Busy::Waiting(now + self.backoff.fail());
        }
    }

    /// The answer to [`Step::Read`]; `None` if the store did not give one.
    pub(crate) fn read(&mut self, now: BootInstant, rows: Option<Vec<OutboxRow>>) {
        if self.busy != Busy::Reading {
            return;
        }
        self.busy = Busy::No;
        let next = |rows: &[OutboxRow]| rows.first().is_some_and(|r| r.sequence == self.delivered + 1);
        match rows {
            Some(rows) if next(&rows) => {
                let first = self.delivered + 1;
                let contiguous = rows
                    .into_iter()
                    .zip(first..)
                    .take_while(|(row, n)| row.sequence == *n);
                self.rows = contiguous.map(|(row, _)| row).collect();
            }
            _ => self.busy = Busy::Waiting(now + self.backoff.fail()),
        }
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        match self.busy {
            Busy::Waiting(until) => Some(until),
            _ => None,
        }
    }

    pub(crate) fn tick(&mut self, now: BootInstant) {
        if matches!(self.busy, Busy::Waiting(until) if until <= now) {
            self.busy = Busy::No;
        }
    }
}
