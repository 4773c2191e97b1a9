//! One suite per port of this crate: what every adapter must do, whatever it is made of.
//!
//! As in `mitalk_cluster::testing::contract`, a suite takes an empty store, panics at the first broken promise, and repeats
//! what failed or whose outcome is unknown, so that it also passes over a `Faulty` adapter.

mod allow_list;
mod events;
mod ledger;
mod push;
mod sms;
mod tables;

pub use allow_list::allow_list;
pub use events::{OTHER, TOPIC, events};
pub use ledger::ledger;
pub use push::push;
pub use sms::sms;
pub use tables::tables;

use crate::id::{Home, UserId};
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, Timestamp, Trace};

fn user(n: u64) -> UserId {
    UserId::new(Home::default(), u128::from(n))
}

/// The `sequence`-th row of an entity.
fn event(kind: &str, key: &str, sequence: u64, payload: &[u8]) -> Event {
    Event {
        source: EntityId::new(kind, key),
        sequence,
        at: Timestamp(1_800_000_000_000 + sequence),
        payload: payload.to_vec(),
        trace: Trace::new("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    }
}
