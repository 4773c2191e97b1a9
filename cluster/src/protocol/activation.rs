//! One entity in memory, from its row to its replies (rules 5, 7, 9, 10, 11, 12, 13 and 14).
//!
//! What happens to a command: it waits in the queue; up to [`BATCH`] commands are decided one after the other on a
//! working copy; the entity is noted in the open list, the timer rows that the new state needs are inserted, and one
//! conditional write carries all of it. Only then the working copy becomes the state, and out go, in this order,
//! effects on rights, replies, live effects, deletions of timer rows, and the next run of the outbox.
//!
//! Invariants:
//! * One conditional write of this entity is under way at most; its outcome is settled by the identical write.
//! * A failed commit changes nothing in memory. Nobody sees what is decided and not committed: replies of a batch that
//!   changes anything durable wait for it, reads and refusals that follow such a change included.
//! * Commands are received at any time, also while a write is under way: urgent ones act at once.
//!
//! It lacks: the store, the list and the clock. See [`Input`] and [`Output`].

mod arrivals;
mod batch;
mod flight;
mod leaving;
mod reading;
#[cfg(test)]
mod tests;
mod tickets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::flight::Flight;
use self::tickets::Tickets;
use super::Now;
use super::backoff::Backoff;
use super::open_list::Wish;
use super::outcome::Outcome;
use super::relay::{self, Relay};
use super::stored::Memory;
use crate::call::Trace;
use crate::entity::{Entity, Lane, Phase as EffectPhase, Source, Stamp, Timer};
use crate::id::{EntityId, Epoch, RequestId, ShardId};
use crate::store::{Cas, EntityWrite, Head, OutboxRow, Row, StoreError, TimerKey, TimerRow};
use crate::time::{BootInstant, Hour, Timestamp};

/// Commands in one commit.
pub(crate) const BATCH: usize = 128;
/// Names a caller that waits for a reply.
pub(crate) type Ticket = u64;

/// A command with all that came with it.
#[derive(Clone, Debug)]
pub(crate) struct Ask<E: Entity> {
    pub(crate) ticket: Ticket,
    pub(crate) command: E::Command,
    pub(crate) request: Option<RequestId>,
    pub(crate) source: Option<Source>,
    pub(crate) deadline: BootInstant,
    pub(crate) trace: Trace,
    /// The node has a place for it only if it is urgent.
    pub(crate) urgent_only: bool,
}

pub(crate) enum Input<E: Entity> {
    /// The answer to [`Output::Read`].
    Row(Result<Option<Row>, StoreError>),
    /// The answer to [`Output::ReadOutbox`].
    Outbox(Result<Vec<OutboxRow>, StoreError>),
    /// The answer to [`Output::Write`].
    Written(Result<Cas<Option<Head>>, StoreError>),
    /// The answer to [`Output::InsertTimers`].
    TimersInserted(Result<(), StoreError>),
    /// The answer to [`Output::Note`].
    Noted(Wish),
    /// The other answer to it: the store does not take the note now.
    NoteFailed(Wish, StoreError),
    /// A command.
    Ask(Ask<E>),
    /// A due timer row.
    Timer(TimerRow),
    /// What became of [`Output::Send`].
    Sent { sequence: u64, delivered: bool },
    /// [`Activation::wake`] has come.
    Tick,
}

impl<E: Entity> Input<E> {
    /// Counted by the shard: with one of these on its way an entity is not let go.
    fn is_from_shard(&self) -> bool {
        matches!(
            self,
            Self::Ask(_) | Self::Timer(_) | Self::Noted(_) | Self::NoteFailed(..)
        )
    }
}

pub(crate) enum Output<E: Entity> {
    Read,
    ReadOutbox {
        after: u64,
        limit: usize,
    },
    Write(Arc<EntityWrite>),
    /// Note the entity in the open list before its commit (rule 8).
    Note(Wish),
    /// The entity owes nothing (rule 9).
    Unnote,
    InsertTimers(Vec<TimerRow>),
    /// These rows are done; nobody waits for the outcome.
    DeleteTimers(Vec<TimerKey>),
    /// A timer row due then was inserted.
    Armed(Timestamp),
    Effects {
        stamp: Stamp,
        effects: Vec<E::Effect>,
    },
    Reply {
        ticket: Ticket,
        outcome: Outcome,
    },
    /// Give the row to its target.
    Send(OutboxRow),
    /// It answers from now on.
    Activated,
    /// How many commands a commit carries, for the metrics.
    Committed {
        commands: usize,
        took: Duration,
    },
    /// Nothing to do for long: it may leave memory.
    Idle,
    /// All that is left to do are rows that this lane does not take now: it may leave memory, and stays in the open list
    /// (rule 9). It does nothing any more until it hears from its shard.
    Park(Lane),
    /// A row got through, the first of this lane, of an activation in the background.
    Through(Lane),
    /// A higher epoch is in the row: the whole shard is somebody else's (rule 4).
    Passed,
    /// The row is not what this activation wrote: it must be activated anew.
    Conflict,
}

/// Bounds that a configuration sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Commands waiting; the last eighth is for urgent ones.
    pub(crate) queue: usize,
    /// How long an urgent command waits for its commit before the caller hears `pending`.
    pub(crate) urgent: Duration,
    /// How long an idle entity stays.
    pub(crate) passivate: Duration,
    /// Outbox rows of a lane in memory.
    pub(crate) window: usize,
}

/// Who is activated, by whom.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: EntityId,
    pub(crate) epoch: Epoch,
    /// A counter of the node's memory.
    pub(crate) activation: u64,
    /// Rule 5: it is in the open list as this owner knows it.
    pub(crate) fence: bool,
    /// Nobody asked for it: it is activated for what it owes (rule 6), and leaves when that is done.
    pub(crate) background: bool,
}

/// The machine of one entity.
pub(crate) struct Activation<E: Entity> {
    who: Identity,
    shard: ShardId,
    limits: Limits,
    rng: StdRng,
    phase: Phase,
    memory: Memory<E>,
    /// What the committed state waits for.
    timers: BTreeSet<Timer>,
    /// Rows that this activation inserted.
    armed: BTreeMap<Timer, TimerKey>,
    /// When a timer may fire from memory again.
    fired: BTreeMap<Timer, BootInstant>,
    head: Option<Head>,
    sequence: u64,
    published: u64,
    noted: bool,
    /// The wish to be noted that has no answer yet.
    wish: Option<Wish>,
    queue: VecDeque<Item<E>>,
    batch_limit: usize,
    tickets: Tickets,
    flight: Option<Flight<E>>,
    relay: Relay,
    stamps: u64,
    backoff: Backoff,
    /// Not before that time: what only waits for the store to come back, and reads of the row.
    retry: Option<BootInstant>,
    publish_at: Option<BootInstant>,
    used: BootInstant,
    /// Nobody wants anything of it but that it pays what it owes.
    unasked: bool,
    /// It said that it may leave, with rows undelivered.
    parked: bool,
    /// Lanes that took a row.
    through: BTreeSet<Lane>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The row was asked for, or will be at `retry`.
    Reading,
    /// Rule 5: the row is fenced before anything is decided or answered.
    Fencing,
    Active,
    /// The row cannot be read.
    Corrupt,
    Over,
}

/// Something to decide.
struct Item<E: Entity> {
    origin: Origin<E>,
    /// Its effects ran already; it is committed however long that takes.
    urgent: bool,
}

enum Origin<E: Entity> {
    Ask(Ask<E>),
    Timer { timer: Timer, key: Option<TimerKey> },
}

impl<E: Entity> Activation<E> {
    /// An activation that wants its row.
    pub(crate) fn new(who: Identity, limits: Limits, seed: [u8; 32], now: Now) -> (Self, Output<E>) {
        let unasked = who.background;
        let machine = Self {
            shard: who.id.shard(),
            who,
            limits,
            rng: StdRng::from_seed(seed),
            phase: Phase::Reading,
            memory: Memory::default(),
            timers: BTreeSet::new(),
            armed: BTreeMap::new(),
            fired: BTreeMap::new(),
            head: None,
            sequence: 0,
            published: 0,
            noted: false,
            wish: None,
            queue: VecDeque::new(),
            batch_limit: BATCH,
            tickets: Tickets::default(),
            flight: None,
            relay: Relay::new(0, 0),
            stamps: 0,
            backoff: Backoff::store(),
            retry: None,
            publish_at: None,
            used: now.boot,
            unasked,
            parked: false,
            through: BTreeSet::new(),
        };
        (machine, Output::Read)
    }

    /// Takes one input. `low_water` is the shard's earliest bucket for timer rows.
    pub(crate) fn handle(&mut self, now: Now, low_water: Hour, input: Input<E>) -> Vec<Output<E>> {
        let mut out = vec![];
        if self.phase == Phase::Over {
            return out;
        }
        // Only what its shard sends says that the entity was not let go.
        self.parked &= !input.is_from_shard();
        match input {
            Input::Row(answer) => self.row(now, answer, &mut out),
            Input::Outbox(answer) => {
                self.relay.read(now.boot, answer.ok());
                self.publish_soon(now);
            }
            Input::Written(answer) => self.written(now, answer, &mut out),
            Input::TimersInserted(answer) => self.timers_inserted(now, answer, &mut out),
            Input::Noted(wish) => self.has_noted(wish, &mut out),
            Input::NoteFailed(wish, error) => self.note_failed(now, wish, &error, &mut out),
            Input::Ask(ask) => self.ask(now, ask, &mut out),
            Input::Timer(row) => self.timer(now, row),
            Input::Sent { sequence, delivered } => {
                let lane = self.relay.sent(now.boot, sequence, delivered);
                self.got_through(lane, &mut out);
                self.publish_soon(now);
            }
            Input::Tick => self.tick(now, &mut out),
        }
        self.pump(now, low_water, &mut out);
        out
    }

    /// When it wants a [`Input::Tick`].
    pub(crate) fn wake(&self, now: Now) -> Option<BootInstant> {
        if self.phase == Phase::Over || self.parked {
            return None;
        }
        let flight = self.flight.as_ref().and_then(|f| f.retry);
        let idle = (!self.is_busy()).then(|| self.idle_at()).flatten();
        let publish = self.publish_at.filter(|_| self.flight.is_none());
        let fixed = [
            self.retry,
            flight,
            self.tickets.wake(),
            self.relay.wake(),
            publish,
            idle,
            self.due(now),
        ];
        fixed.into_iter().flatten().min()
    }

    /// What its outbox owes, once that is known and as long as it is this activation's concern.
    pub(crate) fn owed(&self) -> Option<[relay::Owed; Lane::ALL.len()]> {
        (self.phase == Phase::Active && !self.parked).then(|| self.relay.owed())
    }

    /// Nothing is under way or waits: a driver that lets the entity go waits for this, if it can.
    pub(crate) fn is_settled(&self) -> bool {
        self.flight.is_none() && self.queue.is_empty()
    }

    /// Does whatever can be done now.
    fn pump(&mut self, now: Now, low_water: Hour, out: &mut Vec<Output<E>>) {
        if self.parked {
            return;
        }
        if self.phase == Phase::Active {
            while self.flight.is_none() && self.may_begin(now) {
                self.begin(now, low_water, out);
            }
            if self.flight.is_none() && self.publish_at.is_some_and(|at| at <= now.boot) {
                self.publish(now, out);
            }
            while let Some(step) = self.relay.next() {
                out.push(match step {
                    relay::Step::Send(row) => Output::Send(row),
                    relay::Step::Read { after, limit } => Output::ReadOutbox { after, limit },
                });
            }
        }
        self.rest(now, out);
    }

    /// Urgent commands that wait for the store to come back do not ask for it all the time.
    fn may_begin(&self, now: Now) -> bool {
        let waits = self.retry.is_some_and(|at| now.boot < at) && self.queue.iter().all(|i| i.urgent);
        !self.queue.is_empty() && !waits
    }

    /// Effects on rights first; each run has its own stamp.
    fn effects(&mut self, effects: Vec<E::Effect>, out: &mut Vec<Output<E>>) {
        let (rights, live) = effects
            .into_iter()
            .partition(|e| E::phase(e) == EffectPhase::Rights);
        self.run(rights, out);
        self.run(live, out);
    }

    fn run(&mut self, effects: Vec<E::Effect>, out: &mut Vec<Output<E>>) {
        if !effects.is_empty() {
            self.stamps += 1;
            let (epoch, activation) = (self.who.epoch, self.who.activation);
            out.push(Output::Effects {
                stamp: Stamp {
                    epoch,
                    activation,
                    sequence: self.stamps,
                },
                effects,
            });
        }
    }
}
