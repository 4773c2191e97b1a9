//! The machine by itself, input by input: the rules by number.

mod commit;
mod desk;
mod fence;
mod memory;
mod parking;
mod queue;
mod size;
mod timers;
