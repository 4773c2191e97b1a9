//! The audio forwarding engine: it takes one person's voice in and sends it to the others of a room.
//!
//! A caller holds a cheap [`Handle`] and says who joins which room with which rights; the engine's own
//! threads do the rest: ICE and DTLS by str0m, the choice of the three loudest, and an egress of its own
//! that rewrites and encrypts each packet per listener. tokio is touched at the asynchronous edge only
//! (replies and events): no packet ever passes through it.
//!
//! Architecture invariants
//! - A shard (one thread, its sockets, its sessions) shares nothing with another; packets take no lock.
//! - Everything below the shell is sans-I/O: time comes in as an argument, datagrams go out as values.
//! - Rights are one atomic word per session, read for every packet; taking rights away never waits.
//! - Nobody is sent their own voice; str0m never sends RTP on an SSRC of ours.
//!
//! Lacks on purpose: actors, users, tokens, the meaning of a stage. It knows numbers.

// Shared parts are public for `light`, and unreachable without it.
#![cfg_attr(not(feature = "client"), allow(unreachable_pub))]

mod bucket;
mod config;
mod directory;
mod dtls;
mod egress;
mod engine;
mod error;
mod handle;
#[cfg(feature = "client")]
pub mod light;
mod metrics;
mod offer;
mod opus;
mod rights;
mod room;
mod rtp;
mod session;
mod shard;
mod srtp;
mod stun;
mod timeline;
mod types;
mod voice;
mod wire;

pub use config::{Announced, Config};
pub use error::{Error, StartError};
pub use handle::{Engine, Events, Handle, probe, reachable};
pub use metrics::Metrics;
pub use types::{
    Answer, Gone, Join, Link, Rights, RoomKey, SessionEvent, SessionKey, SessionStats, StageNumber, Stats,
};
