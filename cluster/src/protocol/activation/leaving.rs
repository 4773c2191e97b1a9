//! When an activation leaves the open list, and when it leaves memory (rule 9).

use std::time::Duration;

use super::{Activation, Output, Phase};
use crate::entity::{Entity, Lane};
use crate::protocol::Now;
use crate::time::BootInstant;

/// An entity that owes nothing is taken from the open list after that time: a busy one stays.
const UNNOTE_AFTER: Duration = Duration::from_secs(2);
/// Failed attempts in a row after which a lane counts as one that does not take rows now: 0.75 s of back-off. An
/// activation in the background takes the first for an answer: it was to find out.
const STUCK_AFTER: u32 = 4;

impl<E: Entity> Activation<E> {
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty()
            || self.flight.is_some()
            || self.phase == Phase::Fencing
            || (self.phase == Phase::Active && self.published != self.sequence)
    }

    pub(super) fn idle_at(&self) -> Option<BootInstant> {
        match self.phase {
            Phase::Active if self.noted => Some(self.used + self.patience(UNNOTE_AFTER)),
            Phase::Active if E::pinned(&self.memory.state) => None,
            Phase::Active | Phase::Corrupt => Some(self.used + self.patience(self.limits.passivate)),
            Phase::Reading if !self.who.fence => Some(self.used + self.limits.passivate),
            Phase::Reading | Phase::Fencing | Phase::Over => None,
        }
    }

    /// Whom nobody uses need not wait for the next who does.
    fn patience(&self, usual: Duration) -> Duration {
        if self.unasked { Duration::ZERO } else { usual }
    }

    /// The lane that keeps it here, if nothing else does and nobody used it for long. What waits in the store does not
    /// count: it is still to be read.
    fn kept_by(&self, now: Now) -> Option<Lane> {
        let still =
            self.phase == Phase::Active && self.noted && self.flight.is_none() && self.queue.is_empty();
        let published = self.relay.delivered() == self.published;
        let used = now.boot < self.used + self.patience(self.limits.passivate);
        if !still || !published || used || E::pinned(&self.memory.state) {
            return None;
        }
        self.relay.stuck(if self.unasked { 1 } else { STUCK_AFTER })
    }

    pub(super) fn got_through(&mut self, lane: Option<Lane>, out: &mut Vec<Output<E>>) {
        if let Some(lane) = lane.filter(|_| self.who.background)
            && self.through.insert(lane)
        {
            out.push(Output::Through(lane));
        }
    }

    /// Rule 9: nothing is under way, the outbox is empty and `published` says so.
    pub(super) fn rest(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        if let Some(lane) = self.kept_by(now) {
            if self.memory.inside < self.relay.last_taken(Lane::Inside) {
                return self.write_down(now, out);
            }
            self.parked = true;
            return out.push(Output::Park(lane));
        }
        if self.is_busy() || self.idle_at().is_none_or(|at| now.boot < at) {
            return;
        }
        if self.noted {
            self.noted = false;
            out.push(Output::Unnote);
        } else {
            // Asked again after as long, should the driver not let it go.
            self.used = now.boot;
            out.push(Output::Idle);
        }
    }
}
