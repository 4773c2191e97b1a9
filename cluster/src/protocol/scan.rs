//! A shard's timer scanner (rules 13 and 14).
//!
//! Invariants:
//! * Every pass reads from the low-water hour on, from the start of each hour: pages within a pass, no cursor between
//!   passes. What is kept of a pass that was cut short is the low water: hours that were read to their end, and empty.
//! * Rows of a higher epoch are left alone. Rows are deleted by the entity only, once it knows that they are done.
//! * The low water is this owner's before anything is armed: it is rewritten under the new epoch first, so that an
//!   older owner, whose clock may be ahead, can move it no more. It moves only to hours that are over by
//!   [`MARGIN_HOURS`] and before which everything was read empty; arming never uses an earlier bucket. A row that a
//!   passed owner still inserts before it is long overdue by this owner's clock: the entity, inherited and fenced, fires
//!   it from memory (rule 6).
//! * Nothing is inserted before the first low water of the shard is stored: that write comes before [`Output::Ready`],
//!   and whoever finds none knows that no owner came that far.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use super::Now;
use super::backoff::Backoff;
use crate::id::{Epoch, ShardId};
use crate::store::{Cas, DuePage, DueQuery, LowWater, StoreError, TimerKey, TimerRow};
use crate::time::{BootInstant, Hour, Timestamp};

/// Rows per page.
const PAGE: usize = 256;
/// Rows delivered for the first time by one pass, which stops there: the next one goes on behind those that are out.
/// As many that are still there are delivered again.
const OUT: usize = 1024;
/// Rows that are out and remembered; a pass stops there as well. Only so many that cannot be finished keep others from
/// being delivered.
const REMEMBERED: usize = 16 * OUT;
/// Pages of a pass that has seen no row yet, which stops there: the low water keeps what it has come to.
const EMPTY_PAGES: usize = 16;
/// A pass looks that far ahead, to know when the next one is due.
const AHEAD: Duration = Duration::from_secs(60);
/// The longest time between two passes: rows that others wrote late are found then.
const RESCAN: Duration = Duration::from_secs(60);
/// Between two passes of a crowd of more than [`OUT`] due rows.
const CROWDED: Duration = Duration::from_secs(1);
/// A delivered row that is still there is delivered again after that time.
const REDELIVER: Duration = Duration::from_secs(10);
/// The low water stays that far behind the clock; one that was never stored begins there, see [`inherited`].
const MARGIN_HOURS: u64 = 1;

#[derive(Debug)]
pub(crate) enum Input {
    /// The answer to [`Output::ReadLowWater`].
    LowWater(Result<LowWater, StoreError>),
    /// The answer to [`Output::PutLowWater`].
    Put(Result<Cas<LowWater>, StoreError>),
    /// The answer to [`Output::Query`].
    Page(Result<DuePage, StoreError>),
    /// A row due then was inserted by this owner.
    Armed(Timestamp),
    /// [`Scan::wake`] has come.
    Tick,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    ReadLowWater,
    PutLowWater {
        previous: LowWater,
        next: LowWater,
    },
    Query(DueQuery),
    /// Give the row to its entity.
    Deliver(TimerRow),
    /// The low water is this owner's: timers may be armed.
    Ready,
    /// Another owner has the shard.
    Passed,
}

/// The scanner of one shard.
#[derive(Debug)]
pub(crate) struct Scan {
    shard: ShardId,
    epoch: Epoch,
    low: LowWater,
    state: State,
    /// Delivered, and when.
    out: HashMap<TimerKey, BootInstant>,
    backoff: Backoff,
    wake: Option<BootInstant>,
}

#[derive(Debug)]
enum State {
    ReadingLow,
    /// The low water on its way; `on_wire` is false between two sends.
    Putting {
        previous: LowWater,
        next: LowWater,
        on_wire: bool,
    },
    Resting,
    Scanning(Pass),
}

#[derive(Debug)]
struct Pass {
    /// All buckets before this one were read to their end.
    from: Hour,
    to: Hour,
    until: Timestamp,
    after: Option<TimerKey>,
    pages: usize,
    /// The first bucket in which a row was seen.
    first: Option<Hour>,
    /// The earliest due that has not come.
    next_due: Option<Timestamp>,
    /// Due rows, and when they were delivered.
    seen: HashMap<TimerKey, BootInstant>,
    /// Delivered by this pass: for the first time, and again.
    fresh: usize,
    again: usize,
}

impl Scan {
    pub(crate) fn new(shard: ShardId, epoch: Epoch) -> (Self, Output) {
        let scan = Self {
            shard,
            epoch,
            low: LowWater::default(),
            state: State::ReadingLow,
            out: HashMap::new(),
            backoff: Backoff::store().apart(shard),
            wake: None,
        };
        (scan, Output::ReadLowWater)
    }

    /// The earliest bucket that may still be used.
    pub(crate) fn low_water(&self) -> Hour {
        self.low.hour
    }

    /// When it wants a [`Input::Tick`].
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        self.wake
    }

    pub(crate) fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        match input {
            Input::LowWater(Ok(stored)) => self.put(stored, inherited(now, stored)),
            Input::LowWater(Err(_)) => {
                self.wake = Some(now.boot + self.backoff.fail());
                vec![]
            }
            Input::Page(Err(_)) => {
                self.wake = Some(now.boot + self.backoff.fail());
                match std::mem::replace(&mut self.state, State::Resting) {
                    State::Scanning(mut pass) => {
                        // Or the next pass would deliver it all again, at once.
                        self.out.extend(pass.seen.drain());
                        self.raise(now, &pass)
                    }
                    other => {
                        self.state = other;
                        vec![]
                    }
                }
            }
            Input::Put(answer) => self.has_put(now, answer),
            Input::Page(Ok(page)) => self.page(now, page),
            Input::Armed(due) => {
                match &mut self.state {
                    State::Scanning(pass) => {
                        pass.next_due = Some(pass.next_due.map_or(due, |d| d.min(due)));
                    }
                    // Without a wish it looks at once when the low water is put.
                    State::Resting | State::Putting { .. } => {
                        let at = now.boot + due.since(now.wall);
                        self.wake = self.wake.map(|wake| wake.min(at));
                    }
                    State::ReadingLow => {}
                }
                vec![]
            }
            Input::Tick => self.tick(now),
        }
    }

    /// Writes the low water under this epoch; also where it does not move, once, at the start.
    fn put(&mut self, previous: LowWater, hour: Hour) -> Vec<Output> {
        if previous.epoch > self.epoch {
            return vec![Output::Passed];
        }
        let next = LowWater {
            epoch: self.epoch,
            hour,
        };
        self.state = State::Putting {
            previous,
            next,
            on_wire: true,
        };
        vec![Output::PutLowWater { previous, next }]
    }

    fn has_put(&mut self, now: Now, answer: Result<Cas<LowWater>, StoreError>) -> Vec<Output> {
        let State::Putting { next, on_wire, .. } = &mut self.state else {
            return vec![];
        };
        let next = *next;
        *on_wire = false;
        match answer {
            Err(_) => {
                self.wake = Some(now.boot + self.backoff.fail());
                vec![]
            }
            Ok(Cas::Refused(shown)) if shown != next => {
                // An older owner moved it meanwhile: its hour counts, under this epoch.
                let hour = if self.low.epoch == self.epoch {
                    next.hour.min(shown.hour)
                } else {
                    shown.hour
                };
                self.put(shown, hour)
            }
            Ok(_) => {
                let first = self.low.epoch != self.epoch;
                self.backoff.reset();
                self.low = next;
                self.state = State::Resting;
                // The time of the next pass may have come and gone meanwhile.
                self.wake.get_or_insert(now.boot);
                if first { vec![Output::Ready] } else { vec![] }
            }
        }
    }

    fn tick(&mut self, now: Now) -> Vec<Output> {
        if self.wake.is_none_or(|at| now.boot < at) {
            return vec![];
        }
        self.wake = None;
        match &mut self.state {
            State::ReadingLow => vec![Output::ReadLowWater],
            State::Putting {
                previous,
                next,
                on_wire,
            } if !*on_wire => {
                *on_wire = true;
                vec![Output::PutLowWater {
                    previous: *previous,
                    next: *next,
                }]
            }
            State::Resting => {
                let until = now.wall + AHEAD;
                // A clock behind an earlier owner's: its buckets are read as well.
                let to = until.hour().max(self.low.hour);
                let seen = HashMap::new();
                let pass = Pass {
                    from: self.low.hour,
                    to,
                    until,
                    after: None,
                    pages: 0,
                    first: None,
                    next_due: None,
                    seen,
                    fresh: 0,
                    again: 0,
                };
                let query = self.query(&pass);
                self.state = State::Scanning(pass);
                vec![Output::Query(query)]
            }
            State::Putting { .. } | State::Scanning(_) => vec![],
        }
    }

    fn query(&self, pass: &Pass) -> DueQuery {
        DueQuery {
            shard: self.shard,
            from: pass.from,
            to: pass.to,
            until: pass.until,
            after: pass.after.clone(),
            limit: PAGE,
        }
    }

    fn page(&mut self, now: Now, page: DuePage) -> Vec<Output> {
        let State::Scanning(mut pass) = std::mem::replace(&mut self.state, State::Resting) else {
            return vec![];
        };
        pass.pages += 1;
        pass.from = page.next.unwrap_or(Hour(pass.to.0 + 1));
        let mut out = vec![];
        for row in page.rows {
            pass.first.get_or_insert(row.key.hour);
            pass.after = Some(row.key.clone());
            self.consider(now, row, &mut pass, &mut out);
        }
        let full = pass.fresh >= OUT || pass.seen.len() >= REMEMBERED;
        let far = pass.first.is_none() && pass.pages >= EMPTY_PAGES;
        if page.next.is_some() && !full && !far {
            out.push(Output::Query(self.query(&pass)));
            self.state = State::Scanning(pass);
            return out;
        }
        let goes_on = page.next.is_some() && far;
        out.extend(self.end(now, pass, goes_on));
        out
    }

    fn consider(&mut self, now: Now, row: TimerRow, pass: &mut Pass, out: &mut Vec<Output>) {
        // Rule 14: rows of a higher epoch are left alone.
        if row.epoch > self.epoch {
            return;
        }
        if row.key.due > now.wall {
            pass.next_due = Some(pass.next_due.map_or(row.key.due, |d| d.min(row.key.due)));
            return;
        }
        // Rows that cannot be finished, however many come first, must not starve those behind them: those that are out
        // do not count, and those that are delivered again have places of their own.
        let delivered = self.out.get(&row.key).copied();
        let places = match delivered {
            Some(at) if now.boot.since(at) < REDELIVER || pass.again >= OUT => {
                pass.seen.insert(row.key, at);
                return;
            }
            Some(_) => &mut pass.again,
            None => &mut pass.fresh,
        };
        *places += 1;
        pass.seen.insert(row.key.clone(), now.boot);
        out.push(Output::Deliver(row));
    }

    fn end(&mut self, now: Now, mut pass: Pass, goes_on: bool) -> Vec<Output> {
        let waiting = !pass.seen.is_empty();
        let crowded = pass.fresh >= OUT || pass.again >= OUT;
        self.backoff.reset();
        self.out = std::mem::take(&mut pass.seen);
        let mut next = if goes_on { now.boot } else { now.boot + RESCAN };
        if waiting {
            next = next.min(now.boot + if crowded { CROWDED } else { REDELIVER });
        }
        if let Some(due) = pass.next_due {
            next = next.min(now.boot + due.since(now.wall));
        }
        self.wake = Some(next);
        self.raise(now, &pass)
    }

    /// Moves the low water to where everything before it was read empty, and never close to the clock.
    fn raise(&mut self, now: Now, pass: &Pass) -> Vec<Output> {
        let low = pass.first.unwrap_or(pass.from).min(past(now));
        if low > self.low.hour {
            self.put(self.low, low)
        } else {
            vec![]
        }
    }
}

/// The hour from which a new owner reads. Where no low water was ever stored there is no row either: every owner stores
/// one before anything is activated, hence before its first insert, and the write that follows is conditional on none
/// being there, so an owner that stored one meanwhile is noticed. Such a shard begins close to the clock: from hour 0 on
/// there would be half a million buckets to read. No margin is needed for that, since no insert uses a bucket before the
/// low water, whatever the clocks of this owner and the next say; the usual one keeps the scan from moving it at once.
fn inherited(now: Now, stored: LowWater) -> Hour {
    if stored == LowWater::default() {
        past(now)
    } else {
        stored.hour
    }
}

fn past(now: Now) -> Hour {
    Hour(now.wall.hour().0.saturating_sub(MARGIN_HOURS))
}
