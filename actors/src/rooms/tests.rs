//! Rooms over the real cluster runtime (memory store), the real media engine and light clients on loopback.
//!
//! What is asserted is what is heard (packets by stage number) and seen (live messages). Every wait is for a condition.

mod ears;
mod reconnect;
mod roles;
mod seen;
mod store;
mod trouble;
mod world;
