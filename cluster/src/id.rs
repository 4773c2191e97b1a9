//! Names of things: nodes, shards, epochs, writes, entities, requests.
//!
//! Every id is a newtype that serialises as its bare content, so stored and sent forms stay readable. The shard
//! of an entity is a pure function of its id: changing [`EntityId::shard`] moves every entity of a home, so its
//! values are pinned by a test.

use std::fmt;
use std::sync::Arc;

use rand::RngCore;
use serde::{Deserialize, Serialize};

/// How many shards a home has; fixed when the home is created.
pub const SHARDS: u16 = 1024;

/// The longest entity key, in bytes; longer ones are answered with `TooLarge`.
pub const KEY_BYTES: usize = 96;

/// The longest timer name, in bytes.
pub const NAME_BYTES: usize = 96;

/// A node's name, unique in the cluster and stable over restarts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The node of that name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the [`SHARDS`] parts that entities are spread over; the unit of ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

impl ShardId {
    /// All shards of a home.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..SHARDS).map(Self)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Counts the owners of a shard: raised by every claim, never lowered. 0 is before the first owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the next owner.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Names one conditional write; random, never used twice (protocol rules 5 and 8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteId(pub u128);

impl WriteId {
    /// A fresh one: 128 random bits.
    pub fn random(rng: &mut impl RngCore) -> Self {
        Self((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64()))
    }
}

impl fmt::Debug for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{:08x}", self.0 >> 96)
    }
}

/// An entity type's name, the [`Entity::KIND`](crate::Entity::KIND) of a registered type.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(Arc<str>);

impl Kind {
    /// The kind of that name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entity: its kind and an opaque key of at most [`KEY_BYTES`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntityId {
    /// The entity type.
    pub kind: Kind,
    /// Opaque to this crate.
    pub key: Arc<str>,
}

impl EntityId {
    /// The entity of that kind and key.
    pub fn new(kind: &str, key: &str) -> Self {
        Self {
            kind: Kind::new(kind),
            key: key.into(),
        }
    }

    /// The entity of type `E` with that key.
    pub fn of<E: crate::Entity>(key: &str) -> Self {
        Self::new(E::KIND, key)
    }

    /// The shard this entity lives in: FNV-1a over `kind`, a zero byte and `key`, mixed, modulo [`SHARDS`].
    pub fn shard(&self) -> ShardId {
        let hash = stable_hash(&[self.kind.as_str().as_bytes(), &[0], self.key.as_bytes()]);
        ShardId((hash % u64::from(SHARDS)) as u16)
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)
    }
}

/// Recognises a client's repeated request: a collision-resistant hash of (caller, Idempotency-Key).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "r{:02x}{:02x}{:02x}{:02x}",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

/// FNV-1a over all parts with splitmix64's finaliser, the same on every machine and in every release.
pub(crate) fn stable_hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().copied().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
