//! `mitalk-load`: simulates many people in live audio rooms and judges what each of them hears.
//!
//! Accounts come from the server's test admission, rooms and the stage from its ordinary API, and every listener is a
//! session of its own: a live socket for the room's changes, a UDP socket, ICE, DTLS and SRTP by the light client of
//! `mitalk_media`. HTTP and live sockets run on tokio; media
//! runs on threads of its own, which own their sockets and sessions and share nothing but a queue of orders.
//!
//! Invariants
//! - A join is measured from the time it was due, not from when it was begun (no coordinated omission).
//! - Every packet of every listener is judged; a run in which one was lost fails.
//! - Load is bounded by flags, and flags by named constants.
//!
//! Lacks on purpose: a codec (payloads are a pattern, nobody could listen to them), video, a bad network.

pub mod cli;
pub mod ear;
pub mod joins;
pub mod media;
pub mod pattern;
pub mod peer;
pub mod people;
pub mod progress;
pub mod report;
pub mod room;
pub mod run;
pub mod socket;
pub mod sockets;
pub mod usage;
pub mod worker;
