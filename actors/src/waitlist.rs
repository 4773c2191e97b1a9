//! The waitlist of a home: tickets in order of arrival, and who is called next.
//!
//! Three entities share the work, so that none grows with the crowd: the [`Waitlist`] counts tickets and admissions, a
//! [`Block`] keeps who of 4,096 tickets still waits (its bitmap is also a read row, of which positions are
//! made), and a [`Ticket`] remembers whose it is.
//!
//! Somebody who joins gets the next number; the message may be repeated, and then a number is given twice. The account
//! keeps the first and has the other crossed out, so nothing is counted twice and no memory of everybody is needed.
//! Admitting the next N is a walk over the blocks from the head, one bounded call at a time; it goes on by itself after any
//! crash, because each step is a row of an outbox. Nobody is called twice: a call clears the bit.
//!
//! Somebody who has just been told to wait may still be on the way here. So what an operator's admission finds nobody for
//! is kept for a moment: with N people waiting, admitting N admits N.

pub mod block;
mod latest;
pub mod position;
mod rate;
#[cfg(feature = "testing")]
pub mod seed;
pub mod ticket;

use crate::events::{Actor, Audit, Message};
use crate::id::UserId;
use crate::tables::BLOCK_TICKETS;
use block::Block;
use mitalk_cluster::{Context, Decision, Entity, Outgoing, Timer, Timestamp};
use rate::Rate;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;
use ticket::Ticket;

/// People called by one commit of a block: each is an outbox row of it.
const CALLED_AT_ONCE: u64 = 64;
/// People who signed up before an operator's admission arrive here within so long: their accounts' outboxes are delivered at
/// once, or by the restart after a crash.
const LATE_WITHIN: Duration = Duration::from_secs(5);
/// So many of them are let in at most.
const LATE_MOST: u64 = 1_000;
/// The newest arrivals are remembered, so that most repeats get their number again.
const RECENT: usize = 64;
const RATE: &str = "rate";

/// The entity type; its key is the home.
pub enum Waitlist {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Tickets given, which is also the newest one's number.
    issued: u64,
    /// The block that is called from; all before it are empty.
    head: u32,
    /// People still to be called.
    owed: u64,
    /// Until then `owed` may be for people who are not here yet.
    late_until: Timestamp,
    /// Number of the newest call to a block.
    calls: u64,
    /// Its answer is not here yet.
    calling: bool,
    /// Tickets given when it was made: what was given since it may not have found.
    called_of: u64,
    /// Called, ever.
    admitted: u64,
    rate: Option<Rate>,
    /// The newest change of the phase that was heard of.
    phase_change: u64,
    /// The phase admits nobody by ticket. Before the first change of the phase it is the facade that knows.
    shut: bool,
    recent: VecDeque<(UserId, u64)>,
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Somebody waits from now on.
    Take {
        /// Who.
        user: UserId,
    },
    /// Somebody waits no more, and may come back: for another ticket then.
    Left {
        /// Who.
        user: UserId,
    },
    /// An operator admits the next ones.
    AdmitNext {
        /// How many.
        count: u64,
    },
    /// As `Open`, from before changes of the phase were counted; obsolete once one was heard of.
    AdmitAll,
    /// The phase is open: admit everybody who waits.
    Open {
        /// Which change of the phase says so; one before the newest is obsolete.
        change: u64,
    },
    /// The phase is not open (any more): nobody else is called until an operator says so again.
    Hold {
        /// Which change of the phase says so.
        change: u64,
        /// Nor then: in this phase nobody comes in by a ticket.
        #[serde(default)]
        shut: bool,
    },
    /// An operator admits so many per hour; 0 stops it.
    SetRate {
        /// How many.
        per_hour: u32,
    },
    /// Some are due by the rate.
    RateDue,
    /// A block has carried out a call.
    Called {
        /// Which call.
        call: u64,
        /// How many people it called.
        count: u64,
        /// Nobody waits in it, and nobody ever will.
        empty: bool,
    },
    /// How does it stand?
    Show,
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Tickets given, ever.
    pub issued: u64,
    /// The block that is called from.
    pub head: u32,
    /// People still to be called.
    pub owed: u64,
    /// Called, ever.
    pub admitted: u64,
    /// Per hour; 0 without a rate.
    pub rate_per_hour: u32,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// In this phase nobody comes in by a ticket.
    #[error("the phase admits nobody who waits")]
    Shut,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Somebody has the next number.
    Issued {
        /// Who.
        user: UserId,
    },
    /// Somebody waits no more.
    Left {
        /// Who.
        user: UserId,
    },
    /// More people are to be called, or none any more.
    Owed {
        /// All that are to be called now.
        owed: u64,
        /// Until then also people who are not here yet.
        late_until: Timestamp,
    },
    /// A block is asked to call.
    Calling,
    /// A block has called.
    Called {
        /// How many.
        count: u64,
        /// The head moves on.
        next: bool,
    },
    /// The operator's rate.
    RateSet {
        /// 0 without.
        per_hour: u32,
        /// When.
        at: Timestamp,
    },
    /// So many were due by it.
    RateGiven {
        /// How many.
        count: u64,
    },
    /// The phase changed.
    PhaseChanged {
        /// So many times.
        change: u64,
        /// Nobody comes in by a ticket.
        shut: bool,
    },
    /// Only said to the audit.
    Recorded,
}

impl Entity for Waitlist {
    const KIND: &'static str = "waitlist";
    const VERSION: u16 = 1;
    /// Whoever gets a ticket gets it whatever others get.
    const SIDE_BY_SIDE: &'static [&'static str] = &[Ticket::KIND];
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = crate::effects::None;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        Ok(match command {
            Command::Take { user } => take(state, user, cx),
            Command::Left { user } => left(state, user, cx),
            Command::AdmitNext { .. } | Command::SetRate { per_hour: 1.. } if state.shut => {
                return Err(Refusal::Shut);
            }
            Command::AdmitNext { count } => {
                let audit = Audit::new(Actor::Operator, "waitlist_admitted")
                    .count(count)
                    .outgoing();
                let late = Late {
                    until: cx.now + LATE_WITHIN,
                    most: LATE_MOST,
                };
                owe(state, state.owed_at(cx.now).saturating_add(count), late, cx)
                    .event(Event::Recorded)
                    .send(audit)
            }
            Command::Open { change } | Command::Hold { change, .. } if change <= state.phase_change => {
                Decision::reply(state.view(cx.now))
            }
            Command::Open { change } => {
                let shut = false;
                owe(state, u64::MAX, Late::default(), cx).event(Event::PhaseChanged { change, shut })
            }
            Command::Hold { change, shut } => hold(state, change, shut, cx),
            Command::AdmitAll if state.phase_change > 0 => Decision::reply(state.view(cx.now)),
            Command::AdmitAll => owe(state, u64::MAX, Late::default(), cx),
            Command::SetRate { per_hour } => set_rate(state, per_hour, cx),
            Command::RateDue => rate_due(state, cx),
            Command::Called { call, count, empty } => called(state, call, count, empty, cx),
            Command::Show => Decision::reply(state.view(cx.now)),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match *event {
            Event::Issued { user } => {
                state.issued += 1;
                state.recent.push_back((user, state.issued));
                if state.recent.len() > RECENT {
                    state.recent.pop_front();
                }
            }
            Event::Left { user } => state.recent.retain(|(recent, _)| *recent != user),
            Event::Owed { owed, late_until } => {
                state.owed = owed;
                state.late_until = late_until;
            }
            Event::Calling => {
                state.calls += 1;
                state.calling = true;
                state.called_of = state.issued;
            }
            Event::Called { count, next } => {
                state.calling = false;
                state.admitted += count;
                state.owed = state.owed.saturating_sub(count);
                state.head += u32::from(next);
            }
            Event::RateSet { per_hour: 0, .. } => state.rate = None,
            Event::RateSet { per_hour, at } => {
                state.rate = Some(Rate {
                    per_hour,
                    since: at,
                    given: 0,
                })
            }
            Event::RateGiven { count } => {
                if let Some(rate) = &mut state.rate {
                    rate.given += count;
                }
            }
            Event::PhaseChanged { change, shut } => {
                state.phase_change = change;
                state.shut = shut;
            }
            Event::Recorded => {}
        }
    }

    fn timers(state: &State) -> Vec<Timer> {
        let due = state.rate.iter().map(|rate| rate.next());
        // One name per due time: a timer's row is never written again under the same key.
        due.map(|due| Timer {
            name: RATE.to_owned(),
            due,
        })
        .collect()
    }

    fn on_timer(name: &str) -> Option<Command> {
        (name == RATE).then_some(Command::RateDue)
    }

    fn remembers(command: &Command) -> bool {
        matches!(command, Command::AdmitNext { .. })
    }
}

impl State {
    /// People still to be called, less those who did not come in time.
    fn owed_at(&self, now: Timestamp) -> u64 {
        if self.calling || now < self.late_until {
            self.owed
        } else {
            0
        }
    }

    fn view(&self, now: Timestamp) -> Reply {
        Reply {
            issued: self.issued,
            head: self.head,
            owed: self.owed_at(now),
            admitted: self.admitted,
            rate_per_hour: self.rate.map_or(0, |rate| rate.per_hour),
        }
    }
}

/// The block that a ticket is in.
pub fn block_of(ticket: u64) -> u32 {
    u32::try_from((ticket - 1) / BLOCK_TICKETS).expect("2^44 tickets are more than there are people")
}

/// The key of a block or a ticket: both are numbered within their home.
pub fn key(home: &str, number: u64) -> String {
    format!("{home}-{number}")
}

fn take(state: &State, user: UserId, cx: &Context) -> Decision<Waitlist> {
    if state.recent.iter().any(|(recent, _)| *recent == user) {
        // The number is on its way, or was taken back: the first message of this person did everything.
        return Decision::reply(state.view(cx.now));
    }
    let ticket = state.issued + 1;
    let home = &cx.id.key;
    let decision = Decision::reply(state.view(cx.now))
        .event(Event::Issued { user })
        // The block first: nobody may be called, or leave, before they are counted.
        .send(
            Outgoing::to::<Block>(
                &key(home, u64::from(block_of(ticket))),
                &block::Command::FillTo { ticket },
            )
            .covering(),
        )
        .send(Outgoing::to::<Ticket>(
            &key(home, ticket),
            &ticket::Command::Issue { number: ticket, user },
        ));
    match state.owed_at(cx.now) {
        // Their block is asked after it was filled: the rows go in this order.
        owed if owed > 0 && !state.calling => call(decision, state.head, state.calls + 1, owed, cx),
        _ => decision,
    }
}

/// Their block is told by themselves.
fn left(state: &State, user: UserId, cx: &Context) -> Decision<Waitlist> {
    let decision = Decision::reply(state.view(cx.now));
    if state.recent.iter().any(|(recent, _)| *recent == user) {
        decision.event(Event::Left { user })
    } else {
        decision
    }
}

/// Who may still be on the way when people are called.
#[derive(Clone, Copy, Default)]
struct Late {
    /// They come before this.
    until: Timestamp,
    /// How many.
    most: u64,
}

/// Owes so many calls, and begins to call unless that is under way.
fn owe(state: &State, owed: u64, late: Late, cx: &Context) -> Decision<Waitlist> {
    // More than there are tickets, and will be in a moment, can not be called.
    let tickets = state.issued.saturating_sub(state.admitted);
    let owed = owed.min(tickets.saturating_add(late.most));
    let view = state.view(cx.now);
    let decision = Decision::reply(Reply { owed, ..view }).event(Event::Owed {
        owed,
        late_until: late.until,
    });
    if state.calling || owed == 0 {
        decision
    } else {
        call(decision, state.head, state.calls + 1, owed, cx)
    }
}

fn call(decision: Decision<Waitlist>, head: u32, call: u64, owed: u64, cx: &Context) -> Decision<Waitlist> {
    let count = owed.min(CALLED_AT_ONCE);
    decision.event(Event::Calling).send(Outgoing::to::<Block>(
        &key(&cx.id.key, u64::from(head)),
        &block::Command::Call { call, count },
    ))
}

fn called(state: &State, answered: u64, count: u64, empty: bool, cx: &Context) -> Decision<Waitlist> {
    if !state.calling || answered != state.calls {
        return Decision::reply(state.view(cx.now));
    }
    let last = state.issued == 0 || state.head == block_of(state.issued);
    let next = empty && !last;
    let owed = state.owed.saturating_sub(count);
    let decision = Decision::reply(state.view(cx.now)).event(Event::Called { count, next });
    let is_end = count == 0 && !next && state.called_of == state.issued;
    if owed == 0 || is_end {
        // Everybody, or the end of the line: what is still owed finds nobody, unless somebody comes in a moment.
        return decision;
    }
    call(decision, state.head + u32::from(next), state.calls + 1, owed, cx)
}

/// What a block is calling just now, it calls; the rate of another phase is not this one's.
fn hold(state: &State, change: u64, shut: bool, cx: &Context) -> Decision<Waitlist> {
    let view = Reply {
        owed: 0,
        rate_per_hour: 0,
        ..state.view(cx.now)
    };
    let decision = Decision::reply(view)
        .event(Event::PhaseChanged { change, shut })
        .event(Event::Owed {
            owed: 0,
            late_until: Timestamp::default(),
        });
    if state.rate.is_none() {
        return decision;
    }
    let (per_hour, at) = (0, cx.now);
    decision.event(Event::RateSet { per_hour, at })
}

fn set_rate(state: &State, per_hour: u32, cx: &Context) -> Decision<Waitlist> {
    let audit = Audit::new(Actor::Operator, "waitlist_rate_set")
        .count(u64::from(per_hour))
        .outgoing();
    Decision::reply(Reply {
        rate_per_hour: per_hour,
        ..state.view(cx.now)
    })
    .event(Event::RateSet { per_hour, at: cx.now })
    .send(audit)
}

fn rate_due(state: &State, cx: &Context) -> Decision<Waitlist> {
    let count = state.rate.map_or(0, |rate| rate.due(cx.now));
    if count == 0 {
        return Decision::reply(state.view(cx.now));
    }
    // Owed, and called soon: a rate that finds nobody waiting does not save itself up. It takes nothing from an operator
    // who waits for late ones.
    let late = Late {
        until: state.late_until,
        most: if cx.now < state.late_until { LATE_MOST } else { 0 },
    };
    owe(state, state.owed_at(cx.now).saturating_add(count), late, cx).event(Event::RateGiven { count })
}

#[cfg(test)]
mod tests;
