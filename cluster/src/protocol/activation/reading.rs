//! From the row to an activation that answers, and the end of one (rule 5).

use super::{Activation, Origin, Output, Phase};
use crate::entity::{Entity, Lane};
use crate::protocol::Now;
use crate::protocol::outcome::Outcome;
use crate::protocol::relay::Relay;
use crate::protocol::stored::Memory;
use crate::store::{Row, StoreError};

impl<E: Entity> Activation<E> {
    /// Rule 5: activation reads the row, and fences it if the entity is in the open list.
    pub(super) fn row(
        &mut self,
        now: Now,
        answer: Result<Option<Row>, StoreError>,
        out: &mut Vec<Output<E>>,
    ) {
        if self.phase != Phase::Reading {
            return;
        }
        let row = match answer {
            Ok(row) => row,
            Err(StoreError::Corrupt(_)) => return self.corrupt(out),
            Err(error) => {
                self.retry = Some(now.boot + self.backoff.fail());
                return self.refuse_waiting(&Outcome::unavailable(error.to_string()), out);
            }
        };
        self.backoff.reset();
        self.retry = None;
        if let Some(row) = &row {
            if row.head.epoch > self.who.epoch {
                return self.passed(out);
            }
            match Memory::decode(&row.blob) {
                Ok(memory) if row.published <= row.sequence => self.memory = memory,
                _ => return self.corrupt(out),
            }
        }
        self.head = row.as_ref().map(|r| r.head);
        self.sequence = row.as_ref().map_or(0, |r| r.sequence);
        self.published = row.as_ref().map_or(0, |r| r.published);
        self.timers = E::timers(&self.memory.state).into_iter().collect();
        if self.who.fence {
            self.phase = Phase::Fencing;
            self.fence(now, out);
        } else {
            self.activate(out);
        }
    }

    pub(super) fn activate(&mut self, out: &mut Vec<Output<E>>) {
        self.phase = Phase::Active;
        // Fenced because the list names it: it leaves the list like one that was noted for a commit (rule 9).
        self.noted = self.who.fence;
        self.relay = Relay::new(self.published, self.sequence)
            .within(self.limits.window)
            .side_by_side(E::SIDE_BY_SIDE)
            .ahead(Lane::Inside, self.memory.inside);
        out.push(Output::Activated);
    }

    pub(super) fn corrupt(&mut self, out: &mut Vec<Output<E>>) {
        self.phase = Phase::Corrupt;
        out.push(Output::Activated);
        self.refuse_waiting(&Outcome::Corrupt, out);
    }

    /// Answers all commands that wait; timers come again by themselves.
    pub(super) fn refuse_waiting(&mut self, outcome: &Outcome, out: &mut Vec<Output<E>>) {
        for item in self.queue.drain(..) {
            if let Origin::Ask(ask) = item.origin
                && self.tickets.close(ask.ticket).is_some()
            {
                out.push(Output::Reply {
                    ticket: ask.ticket,
                    outcome: outcome.clone(),
                });
            }
        }
    }

    pub(super) fn passed(&mut self, out: &mut Vec<Output<E>>) {
        self.over(&Outcome::NotOwner { hint: None }, out);
        out.push(Output::Passed);
    }

    pub(super) fn over(&mut self, outcome: &Outcome, out: &mut Vec<Output<E>>) {
        self.phase = Phase::Over;
        for ticket in self.tickets.close_all() {
            out.push(Output::Reply {
                ticket,
                outcome: outcome.clone(),
            });
        }
    }
}
