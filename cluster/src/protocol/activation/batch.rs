//! Deciding a batch on a working copy.

use std::collections::{BTreeSet, HashMap};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{Activation, Ask, BATCH, Item, Origin, Output, Ticket};
use crate::call::Trace;
use crate::entity::{
    Context, DECISION_BYTES, Decision, Entity, Lane, MESSAGE_BYTES, Outgoing, PAYLOAD_BYTES, Phase,
    ROWS_PER_DECISION, Source, TIMERS_PER_STATE, Target, Timer,
};
use crate::id::{NAME_BYTES, RequestId};
use crate::protocol::Now;
use crate::protocol::outcome::{Outcome, RETRY_AFTER};
use crate::protocol::stored::{BLOB_BYTES, Memory, REQUEST_BYTES};
use crate::store::{OutboxRow, TimerKey};
use crate::time::{BootInstant, Hour};
use crate::wire;

/// Outbox rows in one commit; behind so many no further command is decided.
const ROWS_PER_BATCH: usize = 1024;
/// Bytes of outbox rows behind which no further command is decided.
const BATCH_BYTES: usize = 1024 * 1024;
/// A commit, its blob and its outbox rows together, in bytes. A wide-column store applies it as one mutation of one
/// partition, of which Cassandra and Scylla take 16 MiB, and warn and fail far below that as a batch.
const COMMIT_BYTES: usize = 2 * 1024 * 1024;
/// What an outbox row takes beside its payload: its target, times, trace and columns.
const ROW_BYTES: usize = 512;
/// The last decision of a batch fits always, and so does the blob beside it.
const _: () = assert!(BATCH_BYTES + DECISION_BYTES + BLOB_BYTES <= COMMIT_BYTES);
/// Rows that an entity may owe while their targets are away; beyond, commands that send get `Overloaded`.
const OWED: u64 = 100_000;

/// What a batch came to so far.
pub(super) struct Batch<E: Entity> {
    pub(super) working: Memory<E>,
    pub(super) rows: Vec<OutboxRow>,
    /// Of those rows.
    row_bytes: usize,
    /// Where the rows are that a later one may cover.
    covered: HashMap<Target, usize>,
    pub(super) rights: Vec<E::Effect>,
    pub(super) live: Vec<E::Effect>,
    pub(super) answers: Vec<(Ticket, Outcome)>,
    /// Timer rows delivered in this batch: done where the resulting state does not wait for them.
    pub(super) timers: Vec<(Timer, Option<TimerKey>)>,
    /// Items since the first that changed something durable: decided again if the batch proves too large.
    pub(super) items: Vec<Item<E>>,
    /// Something durable changed.
    dirty: bool,
    /// Volatile fields changed.
    touched: bool,
}

impl<E: Entity> Batch<E> {
    /// Adds a row behind those of the sequence, or covers one.
    fn put(&mut self, row: Outgoing, committed: u64, now: Now, trace: &Trace) {
        self.row_bytes += bytes(&row);
        let covered = self.covered.get(&row.target).filter(|_| row.covers);
        if let Some(earlier) = covered.map(|index| &mut self.rows[*index]) {
            self.row_bytes -= ROW_BYTES + earlier.payload.len();
            earlier.payload = row.payload;
            return;
        }
        if row.covers {
            self.covered.insert(row.target.clone(), self.rows.len());
        }
        self.rows.push(OutboxRow {
            sequence: committed + self.rows.len() as u64 + 1,
            target: row.target,
            payload: row.payload,
            at: now.wall,
            trace: trace.clone(),
        });
    }
}

/// What surrounds one decision.
struct Question<'a> {
    request: Option<RequestId>,
    source: Option<&'a Source>,
    deadline: BootInstant,
    trace: Trace,
    /// That it was carried out is written down with it.
    remember: bool,
}

impl<E: Entity> Activation<E> {
    /// Decides up to [`BATCH`] waiting commands and starts their commit, if they need one.
    pub(super) fn begin(&mut self, now: Now, low_water: Hour, out: &mut Vec<Output<E>>) {
        let mut working = self.memory.clone();
        working.forget(now.wall);
        let mut batch = Batch {
            working,
            rows: vec![],
            row_bytes: 0,
            covered: HashMap::new(),
            rights: vec![],
            live: vec![],
            answers: vec![],
            timers: vec![],
            items: vec![],
            dirty: false,
            touched: false,
        };
        for _ in 0..self.batch_limit {
            if batch.rows.len() >= ROWS_PER_BATCH || batch.row_bytes >= BATCH_BYTES {
                break;
            }
            let Some(item) = self.queue.pop_front() else { break };
            self.decide(now, &item, &mut batch, out);
            if batch.dirty {
                batch.items.push(item);
            }
        }
        if !batch.dirty {
            return self.settle_clean(&mut batch, out);
        }
        batch.working.inside = self.relay.delivered_in(Lane::Inside);
        match batch.working.encode() {
            Some(blob)
                if blob.len() + batch.row_bytes <= COMMIT_BYTES
                    && timers_fit(&E::timers(&batch.working.state)) =>
            {
                self.batch_limit = BATCH;
                self.commit(now, low_water, batch, blob, out);
            }
            _ => self.too_large(batch, out),
        }
    }

    /// Half as many are decided again, until the one that does not fit stands alone.
    fn too_large(&mut self, mut batch: Batch<E>, out: &mut Vec<Output<E>>) {
        if batch.items.len() > 1 {
            self.batch_limit = batch.items.len() / 2;
            for item in batch.items.into_iter().rev() {
                self.queue.push_front(item);
            }
            return;
        }
        self.batch_limit = BATCH;
        if let Some(Item {
            origin: Origin::Ask(ask),
            ..
        }) = batch.items.pop()
        {
            self.answer(ask.ticket, Outcome::TooLarge, out);
        }
    }

    /// Nothing durable happened so far: what was decided counts at once.
    fn settle_clean(&mut self, batch: &mut Batch<E>, out: &mut Vec<Output<E>>) {
        if std::mem::take(&mut batch.touched) {
            self.memory = batch.working.clone();
        }
        let rights = std::mem::take(&mut batch.rights);
        self.run(rights, out);
        for (ticket, outcome) in batch.answers.drain(..) {
            self.answer(ticket, outcome, out);
        }
        let live = std::mem::take(&mut batch.live);
        self.run(live, out);
        self.timers_done(std::mem::take(&mut batch.timers), out);
    }

    pub(super) fn answer(&mut self, ticket: Ticket, outcome: Outcome, out: &mut Vec<Output<E>>) {
        if self.tickets.close(ticket).is_some() {
            out.push(Output::Reply { ticket, outcome });
        }
    }

    /// Rule 14: the committed state says what is done; what it still waits for keeps its row.
    pub(super) fn timers_done(
        &mut self,
        delivered: Vec<(Timer, Option<TimerKey>)>,
        out: &mut Vec<Output<E>>,
    ) {
        let done = delivered
            .into_iter()
            .filter(|(timer, _)| !self.timers.contains(timer));
        let mut keys: BTreeSet<TimerKey> = done.filter_map(|(_, key)| key).collect();
        let timers = &self.timers;
        self.armed.retain(|timer, key| {
            let stays = timers.contains(timer);
            if !stays {
                keys.insert(key.clone());
            }
            stays
        });
        self.fired.retain(|timer, _| timers.contains(timer));
        if !keys.is_empty() {
            out.push(Output::DeleteTimers(keys.into_iter().collect()));
        }
    }

    fn decide(&mut self, now: Now, item: &Item<E>, batch: &mut Batch<E>, out: &mut Vec<Output<E>>) {
        match &item.origin {
            Origin::Ask(ask) => {
                // The deadline is checked here, at dequeue: a ticket that expired is not open (rule 12).
                if item.urgent || (self.tickets.is_open(ask.ticket) && now.boot < ask.deadline) {
                    self.decide_ask(now, ask, batch, out);
                } else {
                    batch.answers.push((ask.ticket, Outcome::TimedOut));
                }
            }
            Origin::Timer { timer, key } => {
                let waits = E::timers(&batch.working.state).contains(timer);
                // Not yet due is not obsolete: the row stays and comes again (rule 14).
                if waits
                    && timer.due <= now.wall
                    && let Some(command) = E::on_timer(&timer.name)
                {
                    let deadline = BootInstant(u64::MAX);
                    let question = Question {
                        request: None,
                        source: None,
                        deadline,
                        trace: Trace::default(),
                        remember: false,
                    };
                    let _nobody_waits = self.decide_command(now, command, &question, batch, out);
                }
                batch.timers.push((timer.clone(), key.clone()));
            }
        }
    }

    fn decide_ask(&mut self, now: Now, ask: &Ask<E>, batch: &mut Batch<E>, out: &mut Vec<Output<E>>) {
        let source = ask.source.as_ref().filter(|_| E::by_source(&ask.command));
        let request = ask.request.filter(|_| E::remembers(&ask.command));
        let known = if source.is_some_and(|s| batch.working.knows(s)) {
            Some(Outcome::Duplicate)
        } else if let Some(reply) = request.and_then(|r| batch.working.remembered(&r)) {
            Some(Outcome::Done(reply.to_vec()))
        } else if source.is_some_and(|s| !batch.working.room_for(s)) {
            // Waiting does not help: no source is ever forgotten. Whoever delivers the row says so in the log.
            Some(Outcome::TooLarge)
        } else if request.is_some() {
            batch
                .working
                .room_to_remember(now.wall)
                .err()
                .map(Outcome::overloaded)
        } else {
            None
        };
        if let Some(outcome) = known {
            return batch.answers.push((ask.ticket, outcome));
        }
        let question = Question {
            request: ask.request,
            source: ask.source.as_ref(),
            deadline: ask.deadline,
            trace: ask.trace.clone(),
            remember: request.is_some() || source.is_some(),
        };
        let outcome = self.decide_command(now, ask.command.clone(), &question, batch, out);
        // Remembered with the commit that it belongs to, a refusal's sequence included: a late repeat of the row
        // must not be decided anew on another state.
        if let (Some(request), Outcome::Done(reply)) = (request, &outcome) {
            batch.working.remember(request, now.wall, reply.clone());
        }
        if let (Some(source), true) = (source, outcome.is_decided()) {
            self.make_dirty(batch, out);
            batch.working.carried_out(source);
        }
        batch.answers.push((ask.ticket, outcome));
    }

    fn decide_command(
        &mut self,
        now: Now,
        command: E::Command,
        question: &Question<'_>,
        batch: &mut Batch<E>,
        out: &mut Vec<Output<E>>,
    ) -> Outcome {
        let mut cx = Context {
            id: self.who.id.clone(),
            now: now.wall,
            rng: StdRng::from_rng(&mut self.rng),
            request: question.request,
            source: question.source.cloned(),
            deadline: question.deadline,
            trace: question.trace.clone(),
        };
        let decision = match E::decide(&batch.working.state, command, &mut cx) {
            Ok(decision) => decision,
            Err(refusal) => return Outcome::Refused(wire::encode(&refusal)),
        };
        let reply = wire::encode(&decision.reply);
        if question.request.is_some() && question.remember && reply.len() > REQUEST_BYTES {
            return Outcome::TooLarge;
        }
        if let Err(outcome) = self.check(&decision, &reply, batch) {
            return outcome;
        }
        if question.remember || !decision.outbox.is_empty() || decision.events.iter().any(E::durable) {
            self.make_dirty(batch, out);
        }
        batch.touched |= !decision.events.is_empty();
        for event in &decision.events {
            E::fold(&mut batch.working.state, event);
        }
        for row in decision.outbox {
            batch.put(row, self.sequence, now, &question.trace);
        }
        for effect in decision.effects {
            match E::phase(&effect) {
                Phase::Rights => batch.rights.push(effect),
                Phase::Live => batch.live.push(effect),
            }
        }
        Outcome::Done(reply)
    }

    /// Bounds of one decision; over them nothing of it is done.
    fn check(&self, decision: &Decision<E>, reply: &[u8], batch: &Batch<E>) -> Result<(), Outcome> {
        let large = decision.outbox.iter().any(|r| r.payload.len() > PAYLOAD_BYTES)
            || decision.outbox.iter().map(bytes).sum::<usize>() > DECISION_BYTES;
        if large || reply.len() > MESSAGE_BYTES || decision.outbox.len() > ROWS_PER_DECISION {
            return Err(Outcome::TooLarge);
        }
        let owed = self.sequence - self.relay.delivered() + batch.rows.len() as u64;
        if !decision.outbox.is_empty() && owed >= OWED {
            return Err(Outcome::overloaded(RETRY_AFTER));
        }
        Ok(())
    }

    /// From here on everything waits for the commit; what came before does not.
    fn make_dirty(&mut self, batch: &mut Batch<E>, out: &mut Vec<Output<E>>) {
        if !batch.dirty {
            self.settle_clean(batch, out);
            batch.dirty = true;
        }
    }
}

fn bytes(row: &Outgoing) -> usize {
    ROW_BYTES + row.payload.len()
}

/// Whether their rows' keys stay within bounds.
fn timers_fit(timers: &[Timer]) -> bool {
    timers.len() <= TIMERS_PER_STATE && timers.iter().all(|t| t.name.len() <= NAME_BYTES)
}
