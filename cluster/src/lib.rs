//! Entities by shard, leases, epochs, commits, outbox and timers: a cluster of one that is ready for many.
//!
//! This crate knows neither rooms nor users. Somebody above registers [`Entity`] types, pure decisions over a state,
//! gives the stores ([`Ports`]) and asks entities by key through a [`Cluster`]. The single node goes through all of the
//! protocol; only transport and membership are local so far, and nothing above changes when the network comes.
//!
//! # Map
//!
//! | where | what |
//! |---|---|
//! | [`Entity`], [`Decision`], [`Context`] | what an entity type is: `decide`, `fold`, and a few questions |
//! | [`Cluster`], [`Builder`], [`Config`] | the node: registration, start, ask, drain |
//! | [`store`] | the ports to what is stored, and what an adapter must hold to |
//! | [`Transport`], [`Membership`] | how a request reaches a node, who is there; local implementations |
//! | `protocol` | the rules, as machines without I/O: lease, watch, ownership, open list, scan, shard, activation, relay |
//! | `node` | the ractor shells that drive the machines: root, lease keeper, shards, entities |
//! | `simulation` | tests: the same machines under seeded faults in virtual time |
//! | `testing` (feature) | memory store, failing wrapper, test clock, contract suites of the ports |
//!
//! # Invariants
//!
//! * An acknowledged command is in the chain of its entity's row, exactly once as far as the command is idempotent by
//!   state, remembered by request id, or kept by source.
//! * Nobody hears of anything that is not committed, except effects of urgent commands, which only take rights away.
//! * Every outbox row is delivered at least once and in the order of its lane, but for neighbours of which their sender says
//!   that they need none ([`Entity::SIDE_BY_SIDE`]); every timer that a committed state waits for fires.
//! * None of this rests on clocks. Time only decides who may act now ([`Status::holds`]); write ids and epochs decide
//!   what counts. No two machines' clocks are compared.
//! * Everything is bounded: commands under way in the node and in an entity, entities in memory, batches, sizes, rows on
//!   the wire.
//!
//! # One ask, followed through
//!
//! 1. [`Cluster::ask`] encodes the command and looks up the shard of `hash(kind, key)`: open here, else where the shard
//!    rows say, else where rendezvous hashing says. The request crosses the [`Transport`] as bytes also when it stays.
//! 2. The owner admits it: a place in the node, then in the entity, before anything is cast; without one the answer is an
//!    immediate `Overloaded`. The shard's actor spawns the entity's actor if it is not in memory.
//! 3. The entity reads its row. If the open list names it, a fence changes the row's write id before anything else
//!    (rule 5): no write of an earlier owner or of an earlier life of the actor can land any more.
//! 4. Waiting commands, up to 128, are decided on a working copy. The first commit notes the entity in the open list
//!    (rule 8); new timers get their rows (rule 13); then one conditional write carries state, outbox rows and the move
//!    of `published`. An unknown outcome is settled by the identical write. Commands go on arriving meanwhile, and
//!    urgent ones act at once.
//! 5. Committed: effects on rights, replies, live effects, then the relay sends the next rows of the outbox, one on
//!    the wire per entity and lane (rule 10), or one for each of several targets that need no order: what the event
//!    log gets, and what entities and read tables get, do not wait for each other. The hold is asked before each of
//!    these (rule 2).
//! 6. Idle, with nothing owed: the entity leaves the open list (rule 9), and after a while memory. With nothing but rows
//!    that their target does not take it leaves memory and stays in the list; its shard brings it back, one of many at
//!    first, until rows get through, and has the other shards of the node look then.
//!
//! # What it lacks
//!
//! A network transport and gossip; homes and regions; dead letters (an outbox row that its target cannot read blocks its
//! lane of its entity's outbox and is reported); per-entity rate limits.

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
    Context, DECISION_BYTES, Decision, DecodeError, Effects, Entity, Lane, MESSAGE_BYTES, Outgoing,
    PAYLOAD_BYTES, Phase, ROWS_PER_DECISION, STATE_BYTES, Source, Stamp, TIMERS_PER_STATE, Target, Timer,
    Urgent,
};
pub use id::{EntityId, Epoch, KEY_BYTES, Kind, NAME_BYTES, NodeId, RequestId, SHARDS, ShardId, WriteId};
pub use membership::{LocalMembership, Member, Membership};
pub use metrics::{Backlog, Holds, Metrics};
pub use node::{
    Builder, Cluster, Config, ConfigError, Service, ServiceError, ShardListener, StartError, Status,
};
pub use store::{Cas, Ports, StoreError};
pub use time::{BootInstant, Clock, Hour, SystemClock, Timestamp};
pub use transport::{Inbound, LocalTransport, Request, Response, Transport, TransportError};
