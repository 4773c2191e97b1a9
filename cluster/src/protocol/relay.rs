//! One entity's ways out: rows of its outbox by [`Lane`], in order, one run of each lane on the wire (rules 10 and 11).
//!
//! Invariants, for each lane by itself: at most one run of rows is with its targets; a send whose outcome is unknown is
//! repeated before the lane's next run; a back-off holds nobody but its lane. What both lanes have delivered without a gap
//! is told, and the entity's own conditional write moves `published` to there.
//!
//! A run is one row, always so in the lane of the event log (rule 10 speaks of the producer). Rows that follow each other,
//! are for entities of [`Entity::SIDE_BY_SIDE`](crate::Entity::SIDE_BY_SIDE) and all for different ones make one run:
//! no target sees any order between them, so none is given, and a crowd does not wait for a commit each. What was not
//! taken is sent again until the whole run is. Only what is taken without a gap counts as delivered, so a new activation
//! sends again what was taken behind a gap, and its targets drop it (rule 12).
//!
//! Why two lanes keep the promises of one: whoever drops what is not newer than the highest sequence seen keeps that
//! sequence per (source, topic), per source, or per row of a read table, and a target belongs to one lane. So a receiver
//! gets all rows that are meant for it through one lane, in their order; when it has seen row n it has seen its rows
//! before n, and what it drops is a repeat. An activation that begins anew goes back to `published`, or to what the last
//! commit knew of the lane, and comes through the same rows in the same order: repeats, with all of what follows.
//! `published` is behind the slower lane, so no row is deleted or skipped for the sake of the faster one.
//!
//! Entities are independent of each other; how many send at once is the shell's concern.

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};

use super::backoff::Backoff;
use crate::entity::{Lane, Target};
use crate::store::OutboxRow;
use crate::time::{BootInstant, Timestamp};

/// Rows kept in memory per entity and lane, and read at once; the rest is read again from the store when its turn comes.
pub(crate) const WINDOW: usize = 256;
/// Rows of a run. An entity whose targets hang keeps so many of the node's places on the wire.
const RUN: usize = 32;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Give this row to its target.
    Send(OutboxRow),
    /// Read at most that many rows behind this sequence.
    Read { after: u64, limit: usize },
}

/// What a lane owes, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// Rows not delivered; until they are read, those of an inherited outbox count for both lanes.
    pub(crate) rows: u64,
    /// When the first of them was decided, if it is in memory.
    pub(crate) oldest: Option<Timestamp>,
}

/// The rows that an entity still owes.
#[derive(Debug)]
pub(crate) struct Relay {
    /// The last committed row.
    owed: u64,
    /// The last row that was there already: of which lane these are is known when they are read.
    inherited: u64,
    /// Rows of a lane in memory.
    window: usize,
    /// In the order of [`Lane::ALL`].
    queues: [Queue; Lane::ALL.len()],
    /// The one reading under way, whichever lane needs it: all behind this sequence. Both take from it what they can.
    reading: Option<u64>,
}

/// One lane's rows.
#[derive(Debug)]
struct Queue {
    lane: Lane,
    /// The lane's rows up to here are delivered or in `rows`; those of the other lane are none of its concern.
    known: u64,
    /// The lane's next rows, without a gap, up to `known`.
    rows: VecDeque<OutboxRow>,
    /// Kinds of entities whose rows need no order between them.
    side_by_side: &'static [&'static str],
    taken: u64,
    /// The first rows, on the wire together or to be sent again; none between runs.
    run: Vec<Sending>,
    /// Rows behind `known` that are, or may be, of this lane.
    unread: u64,
    busy: Busy,
    backoff: Backoff,
}

#[derive(Debug, PartialEq, Eq)]
enum Busy {
    No,
    Sending,
    /// Until then.
    Waiting(BootInstant),
}

/// A row of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    /// Not yet, or not again.
    No,
    OnTheWire,
    Failed,
    Taken,
}

impl Relay {
    /// All up to `published` are delivered, all up to `sequence` exist.
    pub(crate) fn new(published: u64, sequence: u64) -> Self {
        Self {
            owed: sequence,
            inherited: sequence,
            window: WINDOW,
            queues: Lane::ALL.map(|lane| Queue::new(lane, published, sequence)),
            reading: None,
        }
    }

    /// The same with fewer rows in memory than [`WINDOW`].
    pub(crate) fn within(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// The same where rows to entities of these kinds need no order between them.
    pub(crate) fn side_by_side(mut self, kinds: &'static [&'static str]) -> Self {
        for queue in &mut self.queues {
            queue.side_by_side = kinds;
        }
        self
    }

    /// The same where the rows of one lane are known to be delivered further than those of the other.
    pub(crate) fn ahead(mut self, lane: Lane, delivered: u64) -> Self {
        let queue = &mut self.queues[lane as usize];
        queue.known = queue.known.max(delivered.min(self.owed));
        queue.unread = self.owed - queue.known;
        self
    }

    /// All rows up to this one are known to be delivered, in both lanes.
    pub(crate) fn delivered(&self) -> u64 {
        self.queues
            .iter()
            .map(Queue::delivered)
            .min()
            .unwrap_or(self.owed)
    }

    /// Whether every row is delivered.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.delivered() == self.owed
    }

    /// All rows of this lane up to there are known to be delivered.
    pub(crate) fn delivered_in(&self, lane: Lane) -> u64 {
        self.queues[lane as usize].delivered()
    }

    /// The last row of this lane that its target took, since this relay began.
    pub(crate) fn last_taken(&self, lane: Lane) -> u64 {
        self.queues[lane as usize].taken
    }

    /// Rows that a commit added.
    pub(crate) fn push(&mut self, rows: &[OutboxRow]) {
        for row in rows {
            for queue in &mut self.queues {
                let later = !queue.offer(row, self.window) && queue.is_for(row);
                queue.unread += u64::from(later);
            }
            self.owed = self.owed.max(row.sequence);
        }
    }

    /// The next thing to do. Of two lanes that want to read the one that is behind goes first: what it reads may be what
    /// the other needs, and never the other way round.
    pub(crate) fn next(&mut self) -> Option<Step> {
        let row = self.queues.iter_mut().find_map(Queue::send);
        if row.is_some() || self.reading.is_some() {
            return row.map(Step::Send);
        }
        let wanting = self.queues.iter().filter(|q| q.wants_to_read(self.owed));
        let after = wanting.map(|q| q.known).min()?;
        self.reading = Some(after);
        let limit = self.window;
        Some(Step::Read { after, limit })
    }

    /// The row's target has it, or its outcome is unknown. Names the lane whose rows are delivered further now than before.
    pub(crate) fn sent(&mut self, now: BootInstant, sequence: u64, delivered: bool) -> Option<Lane> {
        let mut queues = self.queues.iter_mut();
        let (queue, index) = queues.find_map(|q| q.sending(sequence).map(|index| (q, index)))?;
        queue.sent(now, index, delivered).then_some(queue.lane)
    }

    /// The lane that keeps rows back, if nothing else is to be done: its next row failed so often in a row, and what is
    /// on no wire waits for another try. With a row on the wire there would be two of them after a new activation.
    pub(crate) fn stuck(&self, failures: u32) -> Option<Lane> {
        let owing = || self.queues.iter().filter(|q| q.delivered() < self.owed);
        let mut kept = owing().filter(|q| q.fails(failures));
        let first = kept.next()?.lane;
        (kept.count() + 1 == owing().count()).then_some(first)
    }

    /// The answer to [`Step::Read`]; `None` if the store did not give one. Behind a gap nothing is taken.
    pub(crate) fn read(&mut self, now: BootInstant, rows: Option<Vec<OutboxRow>>) {
        let Some(after) = self.reading.take() else { return };
        for (row, next) in rows.into_iter().flatten().zip(after + 1..) {
            if row.sequence != next {
                break;
            }
            for queue in &mut self.queues {
                let counted = row.sequence <= self.inherited || queue.is_for(&row);
                if queue.offer(&row, self.window) && counted {
                    queue.unread = queue.unread.saturating_sub(1);
                }
            }
        }
        // Whoever needed this very answer and is no further asks again, later.
        for queue in &mut self.queues {
            if queue.known == after && queue.wants_to_read(self.owed) {
                queue.busy = Busy::Waiting(now + queue.backoff.fail());
            }
        }
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        self.queues.iter().filter_map(Queue::wake).min()
    }

    pub(crate) fn tick(&mut self, now: BootInstant) {
        for queue in &mut self.queues {
            if queue.wake().is_some_and(|until| until <= now) {
                queue.busy = Busy::No;
            }
        }
    }

    /// By lane, in the order of [`Lane::ALL`].
    pub(crate) fn owed(&self) -> [Owed; Lane::ALL.len()] {
        self.queues.each_ref().map(Queue::owed)
    }
}

impl Queue {
    fn new(lane: Lane, delivered: u64, sequence: u64) -> Self {
        Self {
            lane,
            known: delivered,
            rows: VecDeque::new(),
            side_by_side: &[],
            taken: 0,
            run: vec![],
            unread: sequence - delivered,
            busy: Busy::No,
            backoff: Backoff::delivery(),
        }
    }

    fn delivered(&self) -> u64 {
        self.rows.front().map_or(self.known, |row| row.sequence - 1)
    }

    /// Takes the row that follows what is known, if it fits. Rows of the other lane take no place: however far one lane
    /// is behind, the other goes on.
    fn offer(&mut self, row: &OutboxRow, window: usize) -> bool {
        let fits = !self.is_for(row) || self.rows.len() < window;
        if row.sequence != self.known + 1 || !fits {
            return false;
        }
        self.known = row.sequence;
        if self.is_for(row) {
            self.rows.push_back(row.clone());
        }
        true
    }

    fn is_for(&self, row: &OutboxRow) -> bool {
        row.target.lane() == self.lane
    }

    fn owed(&self) -> Owed {
        Owed {
            rows: self.rows.len() as u64 + self.unread,
            oldest: self.rows.front().map(|row| row.at),
        }
    }

    /// The next row of the run, or the first of a new one.
    fn send(&mut self) -> Option<OutboxRow> {
        if self.busy == Busy::No && !self.rows.is_empty() {
            self.busy = Busy::Sending;
            if self.run.is_empty() {
                self.run = vec![Sending::No; self.together()];
            }
        }
        if self.busy != Busy::Sending {
            return None;
        }
        let next = self.run.iter().position(|row| *row == Sending::No)?;
        self.run[next] = Sending::OnTheWire;
        self.rows.get(next).cloned()
    }

    /// How many of the first rows may be on the wire together.
    fn together(&self) -> usize {
        let mut targets = HashSet::new();
        let together = self.rows.iter().take(RUN).take_while(|row| {
            let needs_no_order = match &row.target {
                Target::Entity(id) => self.side_by_side.contains(&id.kind.as_str()),
                Target::Topic(_) | Target::Table(_) => false,
            };
            needs_no_order && targets.insert(&row.target)
        });
        together.count().max(1)
    }

    fn wants_to_read(&self, owed: u64) -> bool {
        self.busy == Busy::No && self.rows.is_empty() && self.known < owed
    }

    /// Which row of the run it is, if it is on the wire.
    fn sending(&self, sequence: u64) -> Option<usize> {
        let mut run = self.rows.iter().zip(&self.run);
        run.position(|(row, state)| row.sequence == sequence && *state == Sending::OnTheWire)
    }

    fn fails(&self, failures: u32) -> bool {
        matches!(self.busy, Busy::Waiting(_)) && !self.rows.is_empty() && self.backoff.failures() >= failures
    }

    /// Whether more is delivered now.
    fn sent(&mut self, now: BootInstant, index: usize, delivered: bool) -> bool {
        self.run[index] = if delivered {
            Sending::Taken
        } else {
            Sending::Failed
        };
        let is_under_way = |row: &Sending| matches!(row, Sending::No | Sending::OnTheWire);
        if self.run.iter().any(is_under_way) {
            return false;
        }
        let taken = self.run.iter().take_while(|row| **row == Sending::Taken).count();
        self.run.drain(..taken);
        if let Some(last) = self.rows.drain(..taken).next_back() {
            self.taken = last.sequence;
            self.backoff.reset();
        }
        for row in self.run.iter_mut().filter(|row| **row == Sending::Failed) {
            *row = Sending::No;
        }
        self.busy = if self.run.is_empty() {
            Busy::No
        } else {
            Busy::Waiting(now + self.backoff.fail())
        };
        taken > 0
    }

    fn wake(&self) -> Option<BootInstant> {
        match self.busy {
            Busy::Waiting(until) => Some(until),
            Busy::No | Busy::Sending => None,
        }
    }
}
