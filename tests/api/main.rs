//! The API against the real binary: a process of its own on free ports and an empty directory for each test.
//!
//! What is asked over HTTP here is what clients and operators may rely on: every route in good and bad cases, problem
//! documents for everything that goes wrong, the live socket, the operations listener, and the process itself (bad
//! configuration, busy port, second process, signals, disks that are full or fail), and events with and without their brokers;
//! and a service that moves from its file to a cluster. Audio is not: the browser and cheat tests have it.

mod admin;
mod bad_input;
mod broken;
mod copy;
mod documented;
mod doors;
mod edge;
mod events;
mod gone;
mod invites;
mod leaving;
mod live;
mod live_ends;
mod offer;
mod people;
mod process;
mod push;
mod push_keys;
mod rooms;
mod sign_in;
mod sms;
mod sunset;
