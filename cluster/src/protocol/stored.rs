//! The blob of an entity's row: state, request memory, sequences per source and how far one lane of the outbox came,
//! versioned as a whole.
//!
//! Invariants: what is remembered is committed with the state that it belongs to; nothing is evicted early (rule 12):
//! where the memory is full the command is refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entity::{DecodeError, Entity, STATE_BYTES, Source};
use crate::id::RequestId;
use crate::time::Timestamp;
use crate::wire;

/// How long an answer is remembered, by the wall clocks of the owners.
pub(crate) const REMEMBER: Duration = Duration::from_secs(600);
/// Answers remembered at once.
pub(crate) const REQUESTS: usize = 256;
/// Their encoded replies, together, in bytes.
pub(crate) const REQUEST_BYTES: usize = 32 * 1024;
/// Sources whose sequences are kept. None is ever forgotten: that its rows cannot come again is known only where its
/// `published` is (rule 11).
pub(crate) const SOURCES: usize = 256;
/// What all of that comes to at most, encoded, in bytes: the state, the answers (the last of which may double them) and
/// the sources with their names.
pub(crate) const BLOB_BYTES: usize = 256 * 1024;
/// The version of this envelope.
const ENVELOPE: u16 = 1;

/// What an activation knows: the state and what is remembered beside it.
#[derive(Debug)]
pub(crate) struct Memory<E: Entity> {
    pub(crate) state: E::State,
    /// Answers by request, with the time of their commit.
    requests: BTreeMap<RequestId, Remembered>,
    request_bytes: usize,
    /// The highest sequence carried out, by `kind/key` of its source.
    sources: BTreeMap<String, u64>,
    /// Rows of [`Lane::Inside`](crate::entity::Lane) up to here were delivered before this was committed. `published`
    /// waits for the event log, however long that is away; without this a new activation would repeat all that entities
    /// and read tables got meanwhile.
    pub(crate) inside: u64,
}

impl<E: Entity> Clone for Memory<E> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            requests: self.requests.clone(),
            request_bytes: self.request_bytes,
            sources: self.sources.clone(),
            inside: self.inside,
        }
    }
}

impl<E: Entity> Default for Memory<E> {
    fn default() -> Self {
        Self {
            state: E::State::default(),
            requests: BTreeMap::new(),
            request_bytes: 0,
            sources: BTreeMap::new(),
            inside: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    at: Timestamp,
    #[serde(with = "serde_bytes")]
    reply: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Blob {
    envelope: u16,
    version: u16,
    #[serde(with = "serde_bytes")]
    state: Vec<u8>,
    requests: Vec<(RequestId, Remembered)>,
    sources: BTreeMap<String, u64>,
    /// Missing where there was one lane for all rows.
    #[serde(default)]
    inside: u64,
}

impl<E: Entity> Memory<E> {
    /// Reads a row's blob; an empty one is the default state.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let blob: Blob = wire::decode(bytes)?;
        if blob.envelope != ENVELOPE {
            return Err(DecodeError(format!("envelope version {}", blob.envelope)));
        }
        let request_bytes = blob.requests.iter().map(|(_, r)| r.reply.len()).sum();
        Ok(Self {
            state: E::upgrade(blob.version, &blob.state)?,
            requests: blob.requests.into_iter().collect(),
            request_bytes,
            sources: blob.sources,
            inside: blob.inside,
        })
    }

    /// The blob to store; `None` if the state is larger than [`STATE_BYTES`].
    pub(crate) fn encode(&self) -> Option<Arc<[u8]>> {
        let state = wire::encode(&self.state);
        if state.len() > STATE_BYTES {
            return None;
        }
        let blob = Blob {
            envelope: ENVELOPE,
            version: E::VERSION,
            state,
            requests: self.requests.iter().map(|(id, r)| (*id, r.clone())).collect(),
            sources: self.sources.clone(),
            inside: self.inside,
        };
        Some(wire::encode(&blob).into())
    }

    /// The encoded reply that this request got before.
    pub(crate) fn remembered(&self, request: &RequestId) -> Option<&[u8]> {
        self.requests.get(request).map(|r| r.reply.as_slice())
    }

    /// Room for one more answer, or how long until there may be.
    pub(crate) fn room_to_remember(&self, now: Timestamp) -> Result<(), Duration> {
        if self.requests.len() < REQUESTS && self.request_bytes < REQUEST_BYTES {
            return Ok(());
        }
        let oldest = self.requests.values().map(|r| r.at).min().unwrap_or(now);
        Err((oldest + REMEMBER).since(now).max(Duration::from_secs(1)))
    }

    pub(crate) fn remember(&mut self, request: RequestId, at: Timestamp, reply: Vec<u8>) {
        self.request_bytes += reply.len();
        self.requests.insert(request, Remembered { at, reply });
    }

    /// Forgets what is older than [`REMEMBER`]; written with the next commit.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.requests.retain(|_, r| now.since(r.at) < REMEMBER);
        self.request_bytes = self.requests.values().map(|r| r.reply.len()).sum();
    }

    /// Whether this row of the source was carried out before.
    pub(crate) fn knows(&self, source: &Source) -> bool {
        self.sources
            .get(&source.entity.to_string())
            .is_some_and(|highest| source.sequence <= *highest)
    }

    /// Whether the sequence of this source can be kept.
    pub(crate) fn room_for(&self, source: &Source) -> bool {
        self.sources.len() < SOURCES || self.sources.contains_key(&source.entity.to_string())
    }

    pub(crate) fn carried_out(&mut self, source: &Source) {
        self.sources.insert(source.entity.to_string(), source.sequence);
    }
}
