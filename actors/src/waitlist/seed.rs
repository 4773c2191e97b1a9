//! Waitlists that are long from the start, for measurements: whole blocks of people behind those who are there. Only with the
//! feature `testing`.

use super::block::{self, Block};
use super::ticket::{self, Ticket};
use super::{Waitlist, key};
use crate::id::{Home, UserId};
use crate::tables::{BLOCK_BYTES, BLOCK_TICKETS, Change, TicketBlock};
use mitalk_cluster::store::{EntityWrite, Event, Row};
use mitalk_cluster::testing::{changed, first};
use mitalk_cluster::{DecodeError, EntityId, Outgoing, Timestamp, Trace};

/// The waitlist's row, with so many tickets given. They must be whole blocks, before and afterwards.
///
/// # Errors
/// The row cannot be read.
pub fn grown(home: Home, row: &Row, tickets: u64) -> Result<EntityWrite, DecodeError> {
    changed::<Waitlist>(home.as_str(), row, |state| state.issued = tickets)
}

/// A block in which everybody waits, and its row in the read table.
pub fn full(home: Home, block: u32) -> (EntityWrite, Event) {
    let key = key(home.as_str(), u64::from(block));
    let row = Change::TicketBlock(TicketBlock {
        home,
        block,
        waiting: u32::try_from(BLOCK_TICKETS).expect("4,096"),
        bitmap: vec![u8::MAX; BLOCK_BYTES],
    });
    let Outgoing { payload, .. } = row.outgoing();
    let event = Event {
        source: EntityId::new("ticket_block", &key),
        // Behind it the block's own rows begin with 1, and are newer only from there on.
        sequence: 0,
        at: Timestamp::default(),
        payload,
        trace: Trace::default(),
    };
    (first::<Block>(&key, block::State::full()), event)
}

/// A ticket of somebody who waits and has no account: it is never called in a measurement.
pub fn ticket(home: Home, number: u64) -> EntityWrite {
    let user = UserId::new(home, u128::from(number));
    first::<Ticket>(&key(home.as_str(), number), ticket::State::of(user))
}
