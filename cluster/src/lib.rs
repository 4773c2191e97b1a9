//! Entities by shard, leases, epochs, commits, outbox and timers: a cluster of one that is ready for many.

mod call;
mod entity;
mod id;
mod membership;
mod metrics;
mod node;
mod protocol;
#[cfg(test)]
mod simulation;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod transport;
pub mod wire;

pub use call::{AskError, Call, TRACE_BYTES, Trace};
pub use entity::{
    Context, Decision, DecodeError, Effects, Entity, MESSAGE_BYTES, Outgoing, Phase, ROWS_PER_DECISION,
    STATE_BYTES, Source, Stamp, TIMERS_PER_STATE, Target, Timer, Urgent,
};
pub use id::{EntityId, Epoch, KEY_BYTES, Kind, NAME_BYTES, NodeId, RequestId, SHARDS, ShardId, WriteId};
pub use membership::{LocalMembership, Member, Membership};
pub use metrics::Metrics;
pub use node::{
    Builder, Cluster, Config, ConfigError, Service, ServiceError, ShardListener, StartError, Status,
};
pub use store::{Cas, Ports, StoreError};
pub use time::{BootInstant, Clock, Hour, SystemClock, Timestamp};
pub use transport::{Inbound, LocalTransport, Request, Response, Transport, TransportError};
