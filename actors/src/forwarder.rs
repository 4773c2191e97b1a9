//! Forwarders: what a node has of a room. One actor per room and node holds the node's people, their media sessions, the
//! live sockets that watch, and a replica of the room by which it decides who may come in and who may be heard.
//!
//! - The first join of a room on a node asks the room's home for everything; concurrent ones share that question; every
//!   later join is decided here, at once. In parallel the person's account is told: it orders the claims of a person's
//!   devices, and the loser is evicted.
//! - The home tells each change once per node, with a version. Older ones are refused, a gap asks for everything again.
//!   Rights are set before anybody is told. What takes rights away is also told before it is committed (a *cut*).
//! - The home can be gone: audio goes on by the replica. After [`limits::Rooms::orphan_s`](crate::limits::Rooms) without it
//!   nobody new is let in.
//! - Whoever can hear is in the roster. A lost network keeps its place for the grace; a removed or banned person's session
//!   is closed at once and their resume token refused by this forwarder, as long as it runs.
//!
//! **Restart policy** ([`node`]): a forwarder that fails is started again at once with its people and sockets from the
//! ledger, and asks the home for everything; media sessions never notice. After five failures within a minute the
//! room's sessions on this node are closed, and people come back by joining.
//!
//! **Bounds**: letters that wait ([`gate`]), joins under way, changes kept for healing, spent tokens. Letters are admitted
//! before they are cast, because mailboxes have no bound; a handler never awaits.
//!
//! It lacks packets (those are the media engine's) and judgement about follows (asked of the caller).

mod actor;
mod admission;
mod claims;
mod gate;
mod ledger;
mod link;
mod metrics;
mod node;
mod personal;
mod protocol;
mod replica;
mod roster;
mod service;
mod token;
mod watchers;

pub(crate) use admission::{Arrival, Verdict, admit};
pub(crate) use link::Links;
pub use metrics::Metrics;
pub(crate) use node::{Forwarders, Parts};
pub(crate) use personal::{Names, Shown};
pub(crate) use protocol::{Answer, Body, Join, Letter, Refusal, Request, Sight};
pub(crate) use service::Service;

use crate::id::UserId;
use crate::user::{Evicted, RoomClaim};
use mitalk_cluster::{Cluster, wire};

/// The name of the service that takes letters.
pub(crate) const SERVICE: &str = "forwarder";

/// Tells the forwarder of a claim that its session is over.
pub(crate) fn evict(cluster: &Cluster, user: UserId, claim: &RoomClaim, why: Evicted) {
    let letter = Letter {
        room: claim.room,
        body: Body::Evict {
            user,
            session: claim.session,
            why,
        },
    };
    cluster.cast_at(&claim.node, SERVICE, wire::encode(&letter));
}
