//! Mi Talk, the service: API, adapters, wire types, typed client, configuration, telemetry and the composition root.

pub mod wire;
