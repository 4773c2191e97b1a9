//! What the domain needs from the outside, beside what `cluster` already asks for.
//!
//! Adapters live in `src`; memory ones for tests, and one contract suite per port that every adapter runs, are in
//! `testing` (feature `testing`).

mod allow_list;
mod dead_letters;
mod event_source;
mod ledger;
mod push;
mod reads;
mod sms;

pub use allow_list::{AllowEntry, AllowList};
pub use dead_letters::{DeadLetter, DeadLetters, LetterId, NoLetter};
pub use event_source::{Batch, Delivered, EventSource, Mark, Place, Subscription};
pub use ledger::Ledger;
pub use push::{PUSHES_UNDER_WAY, Push, PushError, PushMessage, Said};
pub use reads::{BlockCount, FollowCounts, MANY, PeoplePage, Reads, Seen};
pub use sms::{EventKey, Message, Sms, SmsError, SmsMessage};
