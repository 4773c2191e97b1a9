//! The protocol as machines without I/O: time and randomness come in with each input, wishes go out as outputs.
//!
//! The rules quoted here are those of the protocol of ownership, commits, outbox and timers (`ARCHITECTURE.md`). Each
//! machine keeps some of them; the shells in [`node`](crate::node) and the simulation drive the very same machines.
//!
//! What every driver must do, because no machine can:
//! * ask [`Hold::holds`](lease::Hold::holds) before it hands an input to a machine of a shard and before it executes
//!   any of its outputs (rule 2); when the answer is no, drop the machine and its outputs and report the shard lost;
//! * execute outputs in order, each store call as one call with a time-out, whose answer comes back as an input;
//! * never repeat a store call by itself.

pub(crate) mod activation;
pub(crate) mod backoff;
pub(crate) mod lanes;
pub(crate) mod lease;
pub(crate) mod open_list;
pub(crate) mod outcome;
pub(crate) mod ownership;
pub(crate) mod placement;
pub(crate) mod relay;
pub(crate) mod scan;
pub(crate) mod shard;
pub(crate) mod stored;
pub(crate) mod watch;

use crate::time::{BootInstant, Timestamp};

/// Both clocks of the machine that an input arrives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) boot: BootInstant,
    pub(crate) wall: Timestamp,
}
