//! The real shells over the memory store, in virtual time where it works: one binary.

mod gate;
mod toy;

mod commands;
mod faults;
mod ownership;
