//! A block of 4,096 tickets: who of them still waits.
//!
//! Tickets are filled in order by the waitlist, so the highest one filled is memory enough to ignore repeats, and stands for
//! all before it. Every commit writes the block's read row. A call takes the first that wait, clears them and tells their
//! tickets.

use super::ticket::{self, Ticket};
use super::{Waitlist, key};
use crate::id::Home;
use crate::tables::{self, BLOCK_BYTES, BLOCK_TICKETS, Change};
use mitalk_cluster::{Context, Decision, Entity, Outgoing};
use serde::{Deserialize, Serialize};

/// The entity type; its key is `<home>-<block>`.
pub enum Block {}

/// As stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Tickets of this block that were given.
    filled: u64,
    /// [`BLOCK_BYTES`], a bit per ticket, set while it waits.
    #[serde(with = "serde_bytes")]
    bitmap: Vec<u8>,
    /// The newest call that was carried out.
    last_call: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            filled: 0,
            bitmap: vec![0; BLOCK_BYTES],
            last_call: 0,
        }
    }
}

impl State {
    /// Of a block in which everybody waits.
    #[cfg(feature = "testing")]
    pub(super) fn full() -> Self {
        Self {
            filled: BLOCK_TICKETS,
            bitmap: vec![u8::MAX; BLOCK_BYTES],
            last_call: 0,
        }
    }

    fn waits(&self, index: u64) -> bool {
        self.bitmap[(index / 8) as usize] & (1 << (index % 8)) != 0
    }

    fn waiting(&self) -> u32 {
        self.bitmap.iter().map(|byte| byte.count_ones()).sum()
    }
}

/// What is asked of it. Tickets are numbers of the whole waitlist.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// As `FillTo`, from before one stood for many: an older release, which would fill that one alone, refuses the newer
    /// name, and its rows wait.
    Fill {
        /// Which.
        ticket: u64,
    },
    /// This ticket was given, and with it all before it.
    FillTo {
        /// Which.
        ticket: u64,
    },
    /// Its owner does not wait any more, or had one already.
    Leave {
        /// Which.
        ticket: u64,
    },
    /// Calls the first that wait.
    Call {
        /// Counts the waitlist's calls.
        call: u64,
        /// How many.
        count: u64,
    },
}

/// Done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done;

/// It never refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

/// What happened; indexes count from 0 within the block.
#[derive(Clone, Debug)]
pub enum Event {
    /// All tickets up to this one wait that were not given before.
    Filled(u64),
    /// A ticket waits no more.
    Cleared(u64),
    /// A call was carried out.
    Called(u64),
}

impl Entity for Block {
    const KIND: &'static str = "ticket_block";
    const VERSION: u16 = 1;
    /// Nobody need be told before another.
    const SIDE_BY_SIDE: &'static [&'static str] = &[Ticket::KIND];
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Done;
    type Refusal = Refusal;
    type Effect = crate::effects::None;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        Ok(match command {
            Command::Fill { ticket } | Command::FillTo { ticket } => {
                let index = index(ticket);
                if index < state.filled {
                    return Ok(Decision::reply(Done));
                }
                changed(state, vec![Event::Filled(index)], cx)
            }
            Command::Leave { ticket } if state.waits(index(ticket)) => {
                changed(state, vec![Event::Cleared(index(ticket))], cx)
            }
            Command::Leave { .. } => Decision::reply(Done),
            Command::Call { call, .. } if call <= state.last_call => Decision::reply(Done),
            Command::Call { call, count } => carry_out(state, call, count, cx),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match *event {
            Event::Filled(last) => {
                for index in state.filled..=last {
                    state.bitmap[(index / 8) as usize] |= 1 << (index % 8);
                }
                state.filled = last + 1;
            }
            Event::Cleared(index) => state.bitmap[(index / 8) as usize] &= !(1 << (index % 8)),
            Event::Called(call) => state.last_call = call,
        }
    }
}

fn carry_out(state: &State, call: u64, count: u64, cx: &Context) -> Decision<Block> {
    let (home, block) = names(cx);
    let first: Vec<_> = (0..state.filled)
        .filter(|index| state.waits(*index))
        .take(count as usize)
        .collect();
    let events: Vec<_> = first
        .iter()
        .map(|index| Event::Cleared(*index))
        .chain([Event::Called(call)])
        .collect();
    let count = first.len() as u64;
    let empty = state.filled == BLOCK_TICKETS && u64::from(state.waiting()) == count;
    let decision = first.iter().fold(changed(state, events, cx), |decision, index| {
        let ticket = u64::from(block) * BLOCK_TICKETS + index + 1;
        decision.send(Outgoing::to::<Ticket>(
            &key(home.as_str(), ticket),
            &ticket::Command::Call,
        ))
    });
    // Last, so that all of this call is on its way before the next one is made.
    let answer = super::Command::Called { call, count, empty };
    decision.send(Outgoing::to::<Waitlist>(home.as_str(), &answer))
}

/// The events, and the read row as it is after them.
fn changed(state: &State, events: Vec<Event>, cx: &Context) -> Decision<Block> {
    let mut after = state.clone();
    events.iter().for_each(|event| Block::fold(&mut after, event));
    let (home, block) = names(cx);
    let row = tables::TicketBlock {
        home,
        block,
        waiting: after.waiting(),
        bitmap: after.bitmap,
    };
    let decision = Decision::reply(Done).send(Change::TicketBlock(row).outgoing().covering());
    events.into_iter().fold(decision, Decision::event)
}

fn index(ticket: u64) -> u64 {
    (ticket - 1) % BLOCK_TICKETS
}

fn names(cx: &Context) -> (Home, u32) {
    let (home, block) = cx.id.key.split_once('-').unwrap_or_default();
    (
        home.parse().unwrap_or_default(),
        block.parse().unwrap_or_default(),
    )
}
