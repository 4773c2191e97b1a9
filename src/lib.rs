//! Mi Talk, the service: API, adapters, wire types, typed client, configuration, telemetry and the composition root.

pub mod failpoints;
pub mod sms;
pub mod store;
pub mod wire;
