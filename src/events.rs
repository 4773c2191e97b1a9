//! The event log outside the store: how an event looks there ([`cloud_event`]), and the Kafka adapter ([`kafka`]).

pub mod cloud_event;
pub mod kafka;
