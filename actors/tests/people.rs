//! People over the real cluster runtime with stores in memory, in virtual time: one binary.
//!
//! The media engine is real, too (rooms are part of the node), but nobody joins here.

// The helpers of a test binary are tests, too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "people/admission.rs"]
mod admission;
#[path = "people/invites.rs"]
mod invites;
#[path = "people/leaving.rs"]
mod leaving;
#[path = "people/ports.rs"]
mod ports;
#[path = "people/profiles.rs"]
mod profiles;
#[path = "people/sign_in.rs"]
mod sign_in;
#[path = "people/sunset.rs"]
mod sunset;
#[path = "people/told.rs"]
mod told;
#[path = "people/world.rs"]
mod world;
