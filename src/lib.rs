//! Mi Talk, the service: API, adapters, wire types, typed client, configuration, telemetry and the composition root.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod copy;
pub mod doctor;
pub mod events;
pub mod failpoints;
pub mod node;
mod ops;
pub mod outbound;
pub mod push;
pub mod secrets;
pub mod server;
pub mod sms;
pub mod store;
pub mod telemetry;
pub mod wire;
