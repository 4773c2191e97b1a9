//! The real shells over the memory store, in virtual time where it works: one binary.

#[path = "node/gate.rs"]
mod gate;
#[path = "node/toy.rs"]
mod toy;

#[path = "node/commands.rs"]
mod commands;
#[path = "node/faults.rs"]
mod faults;
#[path = "node/ownership.rs"]
mod ownership;
