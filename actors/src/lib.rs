//! The domain of Mi Talk: people, invites, the waitlist, rooms. Pure decisions under the entities of `mitalk-cluster`,
//! and one facade, [`Mitalk`], that the service's edge calls.
//!
//! - **Entities**: [`user`], [`phone`], [`handle`], [`invite`], [`waitlist`], [`phase`], [`fanout`],
//!   [`room`]: each decides
//!   alone over its own state, with time and randomness as arguments, and tells others through its outbox.
//! - **Facade**: [`mitalk`], grouped by family ([`auth`], [`account`], [`people`], [`invites`], [`operator`], [`sockets`],
//!   [`rooms`]).
//! - **What leaves**: [`events`] on the event log, [`tables`] that are read without a decision, [`live`] sockets.
//! - **What it needs**: [`ports`], [`secrets`], [`limits`].
//!
//! It names no database, no broker and no HTTP: those are the service's.

mod budgets;
pub mod caller;
pub mod effects;
pub mod error;
pub mod events;
pub mod fanout;
pub(crate) mod forwarder;
pub(crate) mod hallway;
pub mod handle;
pub mod id;
pub mod invite;
pub mod language;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod mitalk;
pub mod notices;
pub mod number;
pub mod person;
pub mod phase;
pub mod phone;
pub mod ports;
pub mod room;
pub mod rooms;
pub mod secrets;
#[cfg(test)]
mod stored;
pub mod sunset;
pub mod supervise;
pub mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod user;
pub mod waitlist;

pub use caller::{Caller, Stranger};
pub use language::Language;
pub use limits::Limits;
pub use mitalk::{Mitalk, account, auth, invites, operator, people, push, sockets};
pub use secrets::Secrets;
