//! The one conditional write that an entity may have under way, and how its outcome is settled (rules 5, 8, 11, 13).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::RngCore;

use super::batch::Batch;
use super::{Activation, Item, Origin, Output, Phase};
use crate::entity::{Entity, Lane, Timer};
use crate::id::WriteId;
use crate::protocol::Now;
use crate::protocol::open_list::Wish;
use crate::protocol::outcome::Outcome;
use crate::store::{Cas, EntityWrite, Head, StoreError, TimerKey, TimerRow};
use crate::time::{BootInstant, Hour};

/// Delivered rows wait that long for a commit that carries the move of `published`; then it is written alone.
const PUBLISH_AFTER: Duration = Duration::from_millis(50);

/// A write on its way, with what follows when it is confirmed.
pub(super) struct Flight<E: Entity> {
    write: Arc<EntityWrite>,
    goal: Goal<E>,
    stage: Stage,
    /// An earlier send of it had an unknown outcome: only the identical write can settle it.
    unsettled: bool,
    /// When it is sent again; `None` while it is with the store.
    pub(super) retry: Option<BootInstant>,
    /// The first send.
    sent: BootInstant,
}

enum Goal<E: Entity> {
    /// Rule 5.
    Fence,
    Commit(Box<Commit<E>>),
    /// Rule 11: `published` moves by the actor's own conditional write.
    Publish,
    /// What is delivered and not published, before it leaves memory.
    WriteDown,
}

struct Commit<E: Entity> {
    batch: Batch<E>,
    timers_after: BTreeSet<Timer>,
    arm: Vec<TimerRow>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for the open list (rule 8).
    Noting,
    /// Inserts timer rows (rule 13).
    Arming,
    Writing,
}

impl<E: Entity> Activation<E> {
    /// Rule 5: `SET epoch = mine, write_id = fresh IF write_id = seen`, also where no row exists.
    pub(super) fn fence(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        let write = self.write(None, vec![]);
        self.launch(now, write, Goal::Fence, out);
    }

    /// A row was delivered; or rows that were read proved to be the other lane's, which delivered them long ago.
    pub(super) fn publish_soon(&mut self, now: Now) {
        if self.relay.delivered() > self.published {
            self.publish_at.get_or_insert(now.boot + PUBLISH_AFTER);
        }
    }

    pub(super) fn publish(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        self.publish_at = None;
        if self.relay.delivered() > self.published {
            let write = self.write(None, vec![]);
            self.launch(now, write, Goal::Publish, out);
        }
    }

    /// How far the inside lane is, so that nobody repeats it whenever this entity is brought back. Should the write fail,
    /// they do.
    pub(super) fn write_down(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        self.memory.inside = self.relay.delivered_in(Lane::Inside);
        let blob = self.memory.encode();
        let write = self.write(blob, vec![]);
        self.launch(now, write, Goal::WriteDown, out);
    }

    pub(super) fn commit(
        &mut self,
        now: Now,
        low_water: Hour,
        mut batch: Batch<E>,
        blob: Arc<[u8]>,
        out: &mut Vec<Output<E>>,
    ) {
        let rows = std::mem::take(&mut batch.rows);
        let write = self.write(Some(blob), rows);
        let timers_after = E::timers(&batch.working.state)
            .into_iter()
            .collect::<BTreeSet<_>>();
        // Never a bucket that the scanner may have left behind.
        let earliest = low_water.max(now.wall.hour());
        let new = timers_after.difference(&self.timers).map(|timer| TimerRow {
            key: TimerKey {
                shard: self.shard,
                hour: timer.due.hour().max(earliest),
                due: timer.due,
                entity: self.who.id.clone(),
                write_id: write.next.write_id,
                name: timer.name.clone(),
            },
            epoch: self.who.epoch,
        });
        let arm = new.collect();
        let commit = Commit {
            batch,
            timers_after,
            arm,
        };
        self.launch(now, write, Goal::Commit(Box::new(commit)), out);
    }

    /// Conditional on the last write of the chain, whoever wrote it.
    fn write(&mut self, blob: Option<Arc<[u8]>>, insert: Vec<crate::store::OutboxRow>) -> Arc<EntityWrite> {
        let delivered = match self.phase {
            Phase::Active => self.relay.delivered(),
            _ => self.published,
        };
        Arc::new(EntityWrite {
            id: self.who.id.clone(),
            previous: self.head,
            next: Head {
                write_id: WriteId::random(&mut self.rng),
                epoch: self.who.epoch,
            },
            blob,
            sequence: self.sequence + insert.len() as u64,
            published: delivered,
            insert,
        })
    }

    fn launch(&mut self, now: Now, write: Arc<EntityWrite>, goal: Goal<E>, out: &mut Vec<Output<E>>) {
        // A fence is only for entities that are in the list already.
        let stage = if matches!(goal, Goal::Fence) {
            Stage::Writing
        } else {
            Stage::Noting
        };
        let flight = Flight {
            write,
            goal,
            stage,
            unsettled: false,
            retry: None,
            sent: now.boot,
        };
        let flight = self.flight.insert(flight);
        match stage {
            Stage::Noting if !self.noted => {
                // One that was asked for already is being answered.
                if self.wish.is_none() {
                    let wish = self.rng.next_u64();
                    self.wish = Some(wish);
                    out.push(Output::Note(wish));
                }
            }
            Stage::Noting => flight.noted(out),
            Stage::Arming | Stage::Writing => out.push(Output::Write(flight.write.clone())),
        }
    }

    pub(super) fn has_noted(&mut self, wish: Wish, out: &mut Vec<Output<E>>) {
        if self.wish != Some(wish) {
            // An earlier activation's wish, which nobody has any more (rule 9).
            if !self.noted && self.wish.is_none() && !self.is_busy() {
                out.push(Output::Unnote);
            }
            return;
        }
        self.wish = None;
        self.noted = true;
        if let Some(flight) = &mut self.flight
            && flight.stage == Stage::Noting
        {
            flight.noted(out);
        }
    }

    /// Rule 8: without the note nothing may be committed. Nothing of the write was sent: who waits hears so at once.
    pub(super) fn note_failed(&mut self, now: Now, wish: Wish, error: &StoreError, out: &mut Vec<Output<E>>) {
        if self.wish == Some(wish) {
            self.wish = None;
            if self.is_noting() {
                self.failed(now, error, out);
            }
        }
    }

    fn is_noting(&self) -> bool {
        self.flight.as_ref().is_some_and(|f| f.stage == Stage::Noting)
    }

    /// What waits for its note was not sent: it is decided again, so that what has expired meanwhile is not carried out
    /// (rule 12).
    pub(super) fn undecide(&mut self) {
        if !self.is_noting() {
            return;
        }
        match self.flight.take() {
            Some(Flight {
                goal: Goal::Commit(commit),
                ..
            }) => {
                for item in commit.batch.items.into_iter().rev() {
                    self.queue.push_front(item);
                }
            }
            other => self.flight = other,
        }
    }

    pub(super) fn timers_inserted(
        &mut self,
        now: Now,
        answer: Result<(), StoreError>,
        out: &mut Vec<Output<E>>,
    ) {
        let Some(flight) = &mut self.flight else { return };
        if flight.stage != Stage::Arming {
            return;
        }
        match answer {
            Ok(()) => {
                flight.stage = Stage::Writing;
                if let Goal::Commit(commit) = &flight.goal {
                    out.extend(commit.arm.iter().map(|row| row.key.due).min().map(Output::Armed));
                }
                out.push(Output::Write(flight.write.clone()));
            }
            // Rule 13: a key is never used twice, so an unknown insert is not repeated. The commit was not sent:
            // nothing is done, and rows that did arrive will be found obsolete.
            Err(error) => self.failed(now, &error, out),
        }
    }

    pub(super) fn written(
        &mut self,
        now: Now,
        answer: Result<Cas<Option<Head>>, StoreError>,
        out: &mut Vec<Output<E>>,
    ) {
        let Some(flight) = &mut self.flight else { return };
        if flight.stage != Stage::Writing || flight.retry.is_some() {
            return;
        }
        match answer {
            Ok(Cas::Applied) => self.confirmed(now, out),
            // The identical write was applied before.
            Ok(Cas::Refused(Some(head))) if head == flight.write.next => self.confirmed(now, out),
            Ok(Cas::Refused(head)) => self.refused(head, out),
            Err(error) => {
                flight.unsettled |= error.is_unknown();
                let settle = flight.unsettled || matches!(flight.goal, Goal::Fence);
                if settle {
                    flight.retry = Some(now.boot + self.backoff.fail());
                    if matches!(flight.goal, Goal::Fence) {
                        // Nothing that waits was decided: it need not wait for the store to come back.
                        self.refuse_waiting(&Outcome::unavailable(error.to_string()), out);
                    }
                } else {
                    self.failed(now, &error, out);
                }
            }
        }
    }

    /// Sends the identical write again when its time has come.
    pub(super) fn resend(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        if let Some(flight) = &mut self.flight
            && flight.retry.is_some_and(|at| at <= now.boot)
        {
            flight.retry = None;
            out.push(Output::Write(flight.write.clone()));
        }
    }

    fn confirmed(&mut self, now: Now, out: &mut Vec<Output<E>>) {
        let Some(flight) = self.flight.take() else { return };
        self.backoff.reset();
        self.retry = None;
        // An entity that leaves for want of a use is not used by that.
        if !matches!(flight.goal, Goal::WriteDown) {
            self.used = now.boot;
        }
        self.head = Some(flight.write.next);
        self.sequence = flight.write.sequence;
        self.published = flight.write.published;
        if self.phase == Phase::Active && self.relay.delivered() == self.published {
            self.publish_at = None;
        }
        match flight.goal {
            Goal::Fence => self.activate(out),
            Goal::Publish | Goal::WriteDown => {}
            Goal::Commit(commit) => {
                out.push(Output::Committed {
                    commands: commit.batch.answers.len(),
                    took: now.boot.since(flight.sent),
                });
                self.committed(*commit, &flight.write, out);
            }
        }
    }

    /// The order: commit, effects on rights, replies, live effects, timer rows, and the relay.
    fn committed(&mut self, commit: Commit<E>, write: &EntityWrite, out: &mut Vec<Output<E>>) {
        let Commit {
            batch,
            timers_after,
            arm,
        } = commit;
        self.memory = batch.working;
        self.timers = timers_after;
        for row in arm {
            let timer = Timer {
                name: row.key.name.clone(),
                due: row.key.due,
            };
            self.armed.insert(timer, row.key);
        }
        self.run(batch.rights, out);
        for (ticket, outcome) in batch.answers {
            self.answer(ticket, outcome, out);
        }
        self.run(batch.live, out);
        self.timers_done(batch.timers, out);
        self.relay.push(&write.insert);
    }

    /// Somebody else wrote: a newer owner, or (before the fence) an older one whose commit was under way.
    fn refused(&mut self, head: Option<Head>, out: &mut Vec<Output<E>>) {
        let Some(flight) = self.flight.take() else { return };
        if head.is_some_and(|h| h.epoch > self.who.epoch) {
            return self.passed(out);
        }
        if matches!(flight.goal, Goal::Fence) {
            self.phase = Phase::Reading;
            return out.push(Output::Read);
        }
        // Cannot happen while everybody keeps to rule 5; if it does, this activation knows nothing any more.
        let outcome = if flight.unsettled {
            Outcome::TimedOut
        } else {
            Outcome::unavailable("conflict")
        };
        self.over(&outcome, out);
        out.push(Output::Conflict);
    }

    /// The write was certainly not applied and will not be: nothing in memory changes.
    fn failed(&mut self, now: Now, error: &StoreError, out: &mut Vec<Output<E>>) {
        let Some(flight) = self.flight.take() else { return };
        let again = now.boot + self.backoff.fail();
        match flight.goal {
            Goal::Fence | Goal::WriteDown => {}
            Goal::Publish => self.publish_at = Some(again),
            Goal::Commit(commit) => {
                self.retry = Some(again);
                let outcome = Outcome::unavailable(error.to_string());
                let urgent = |item: &Item<E>| item.urgent;
                let (kept, dropped): (Vec<_>, Vec<_>) = commit.batch.items.into_iter().partition(urgent);
                for item in dropped {
                    if let Origin::Ask(ask) = item.origin {
                        self.answer(ask.ticket, outcome.clone(), out);
                    }
                }
                // Urgent commands have acted: they stay and are committed when the store is back.
                for item in kept.into_iter().rev() {
                    self.queue.push_front(item);
                }
            }
        }
    }
}

impl<E: Entity> Flight<E> {
    fn noted(&mut self, out: &mut Vec<Output<E>>) {
        match &self.goal {
            Goal::Commit(commit) if !commit.arm.is_empty() => {
                self.stage = Stage::Arming;
                out.push(Output::InsertTimers(commit.arm.clone()));
            }
            _ => {
                self.stage = Stage::Writing;
                out.push(Output::Write(self.write.clone()));
            }
        }
    }
}
