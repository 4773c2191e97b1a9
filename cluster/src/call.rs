//! What a caller gives with a command and what it may get back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{NodeId, RequestId};

/// The longest traceparent that is kept, in bytes; W3C's has 55.
pub const TRACE_BYTES: usize = 64;

/// W3C `traceparent` text; empty where nobody traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace(String);

impl Trace {
    /// Keeps `traceparent` unless it is longer than [`TRACE_BYTES`].
    pub fn new(traceparent: &str) -> Self {
        Self(if traceparent.len() <= TRACE_BYTES {
            traceparent.to_owned()
        } else {
            String::new()
        })
    }

    /// The text, possibly empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `trace-id` part, empty where nobody traces: what a request and all that follows from it have in common in the
    /// logs, over nodes, entities and the outbox.
    pub fn id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }
}

/// How a command is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How long the caller waits; the owner checks it when it takes the command from its queue.
    pub deadline: Duration,
    /// Recognises a repeat of a command that creates or spends.
    pub request: Option<RequestId>,
    /// Passed on to the outbox.
    pub trace: Trace,
}

impl Call {
    /// A call that waits for `deadline` and carries nothing else.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline,
            request: None,
            trace: Trace::default(),
        }
    }

    /// The same with a request id.
    #[must_use]
    pub fn request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }

    /// The same with a trace.
    #[must_use]
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }
}

/// Why a command got no reply. Whatever is not `Refused` is about the cluster, not about the domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError<R: std::error::Error> {
    /// The domain's own answer.
    #[error(transparent)]
    Refused(R),
    /// Too much is under way; nothing was done.
    #[error("too busy, retry after {retry_after:?}")]
    Overloaded {
        /// A guess at when it helps to try again.
        retry_after: Duration,
    },
    /// The deadline passed. The command may or may not have been, or still become, carried out.
    #[error("timed out")]
    TimedOut,
    /// The node asked does not own the shard (any more). The command may have been carried out if the owner was
    /// replaced while it was under way.
    #[error("another node owns it")]
    NotOwner {
        /// Who does, as far as the node knows.
        hint: Option<NodeId>,
    },
    /// The store, the node or the entity does not answer. Nothing was done where the store refused the command's commit
    /// or read; where the entity or the node was lost while it had the command, whether it was carried out is unknown,
    /// and this error does not tell the one from the other.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// For operators, not for users.
        reason: String,
        /// A guess at when it helps to try again.
        retry_after: Duration,
    },
    /// Key, command, reply, state or outbox over its bound; nothing was done.
    #[error("over a size limit")]
    TooLarge,
    /// What is stored or was sent cannot be decoded, or nobody knows the entity's kind.
    #[error("cannot be decoded")]
    Corrupt,
    /// The node is shutting down; nothing was done.
    #[error("the node is stopping")]
    Stopping,
}

impl<R: std::error::Error> AskError<R> {
    /// Whether the same command may succeed later. `TimedOut`, `NotOwner` and `Unavailable` leave open whether it
    /// already did: repeat with the same request id.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(_) | Self::TooLarge | Self::Corrupt => false,
            Self::Overloaded { .. }
            | Self::TimedOut
            | Self::NotOwner { .. }
            | Self::Unavailable { .. }
            | Self::Stopping => true,
        }
    }

    /// How long to wait before trying again, where this is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}
