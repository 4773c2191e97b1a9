//! What several test binaries need: a running server, and a light client to play with.
//!
//! Only for tests: an `expect` here is an assertion. What one binary needs alone lives beside it.

pub mod disk;
pub mod events;
pub mod kafka;
pub mod light;
pub mod measure;
pub mod parts;
pub mod provider;
pub mod push;
pub mod scan;
pub mod server;
pub mod stores;
