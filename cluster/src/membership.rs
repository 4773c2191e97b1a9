//! Who is in the cluster, as far as this node knows.

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// A node as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub node: NodeId,
    /// Where it stands.
    pub region: String,
    /// Entities activated there; a measure, not a promise.
    pub load: u64,
    /// It hands its shards over and takes nothing new.
    pub draining: bool,
}

/// Knows the members. An opinion, never a proof: ownership is decided in the lease store.
pub trait Membership: Send + Sync + 'static {
    /// All living members, this node included.
    fn members(&self) -> Vec<Member>;
}

/// The membership of a cluster of one.
pub struct LocalMembership(Member);

impl LocalMembership {
    /// Only `node`.
    pub fn new(node: NodeId, region: &str) -> Self {
        Self(Member {
            node,
            region: region.to_owned(),
            load: 0,
            draining: false,
        })
    }
}

impl Membership for LocalMembership {
    fn members(&self) -> Vec<Member> {
        vec![self.0.clone()]
    }
}
