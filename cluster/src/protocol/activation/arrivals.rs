//! What comes to an activation: commands, timers, and the time.

use std::time::Duration;

use super::tickets::Expiry;
use super::{Activation, Ask, Item, Origin, Output, Phase};
use crate::entity::{Entity, Timer};
use crate::protocol::Now;
use crate::protocol::outcome::{Outcome, RETRY_AFTER};
use crate::store::TimerRow;
use crate::time::BootInstant;
use crate::wire;

/// Timers due within that time fire from memory, to the millisecond; the scanner delivers the others.
const ARM_WITHIN: Duration = Duration::from_secs(120);
/// A timer that fired from memory and still stands is tried again after that time.
const FIRE_AGAIN: Duration = Duration::from_secs(5);

impl<E: Entity> Activation<E> {
    pub(super) fn ask(&mut self, now: Now, ask: Ask<E>, out: &mut Vec<Output<E>>) {
        self.used = now.boot;
        self.unasked = false;
        let ticket = ask.ticket;
        let refused = match self.phase {
            Phase::Corrupt => Some(Outcome::Corrupt),
            _ if self.queue.len() >= self.limits.queue => Some(Outcome::overloaded(RETRY_AFTER)),
            _ => None,
        };
        if let Some(outcome) = refused {
            return out.push(Output::Reply { ticket, outcome });
        }
        let urgent = match self.phase {
            Phase::Active => E::urgent(&self.memory.state, &ask.command),
            _ => None,
        };
        if let Some(urgent) = urgent {
            // Only takes rights away: at once, before and without the commit.
            self.effects(urgent.effects, out);
            let pending = Outcome::Done(wire::encode(&urgent.reply));
            let at = ask.deadline.min(now.boot + self.limits.urgent);
            self.tickets.open(ticket, at, Expiry::Pending(pending));
            self.queue.push_back(Item {
                origin: Origin::Ask(ask),
                urgent: true,
            });
        } else if ask.urgent_only || self.queue.len() >= self.limits.queue - self.limits.queue / 8 {
            let outcome = Outcome::overloaded(RETRY_AFTER);
            out.push(Output::Reply { ticket, outcome });
        } else {
            self.tickets.open(ticket, ask.deadline, Expiry::TimedOut);
            self.queue.push_back(Item {
                origin: Origin::Ask(ask),
                urgent: false,
            });
        }
    }

    pub(super) fn timer(&mut self, now: Now, row: TimerRow) {
        self.used = now.boot;
        self.unasked = false;
        if self.phase == Phase::Corrupt {
            return;
        }
        let waits =
            |item: &Item<E>| matches!(&item.origin, Origin::Timer { key: Some(k), .. } if *k == row.key);
        if !self.queue.iter().any(waits) {
            let timer = Timer {
                name: row.key.name.clone(),
                due: row.key.due,
            };
            let origin = Origin::Timer {
                timer,
                key: Some(row.key),
            };
            self.queue.push_back(Item {
                origin,
                urgent: false,
            });
        }
    }

    pub(super) fn tick(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        let expired = self.tickets.expired(now.boot);
        if !expired.is_empty() {
            self.undecide();
            // Their places are free again, however long the write under way takes.
            let tickets = &self.tickets;
            self.queue.retain(|item| match &item.origin {
                Origin::Ask(ask) => item.urgent || tickets.is_open(ask.ticket),
                Origin::Timer { .. } => true,
            });
        }
        for (ticket, expiry) in expired {
            let outcome = match expiry {
                Expiry::TimedOut => Outcome::TimedOut,
                Expiry::Pending(reply) => reply,
            };
            out.push(Output::Reply { ticket, outcome });
        }
        self.relay.tick(now.boot);
        let due = self.retry.is_some_and(|at| at <= now.boot);
        if due {
            self.retry = None;
            if self.phase == Phase::Reading {
                out.push(Output::Read);
            }
        }
        self.resend(now, out);
        self.fire(now);
    }

    /// Rule 13: timers due soon fire from memory.
    pub(super) fn fire(&mut self, now: Now) {
        if self.phase != Phase::Active {
            return;
        }
        for timer in &self.timers {
            if timer.due > now.wall || self.fired.get(timer).is_some_and(|at| *at > now.boot) {
                continue;
            }
            self.fired.insert(timer.clone(), now.boot + FIRE_AGAIN);
            // Once is enough, however long the write under way takes.
            let waits = |item: &Item<E>| matches!(&item.origin, Origin::Timer { timer: t, .. } if t == timer);
            if self.queue.iter().any(waits) {
                continue;
            }
            let origin = Origin::Timer {
                timer: timer.clone(),
                key: self.armed.get(timer).cloned(),
            };
            self.queue.push_back(Item {
                origin,
                urgent: false,
            });
        }
    }

    /// When the next timer fires from memory.
    pub(super) fn due(&self, now: Now) -> Option<BootInstant> {
        if self.phase != Phase::Active {
            return None;
        }
        let soon = self.timers.iter().filter(|t| t.due.since(now.wall) <= ARM_WITHIN);
        let at = soon.map(|t| {
            let due = now.boot + t.due.since(now.wall);
            self.fired.get(t).map_or(due, |again| due.max(*again))
        });
        at.min()
    }
}
