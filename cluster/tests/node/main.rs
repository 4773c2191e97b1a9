//! The real shells over the memory store, in virtual time where it works: one binary.

mod gate;
mod toy;

mod bounds;
mod commands;
mod faults;
mod outage;
mod ownership;
