//! What crosses the transport: versioned envelopes in MessagePack with named fields.

use serde::{Deserialize, Serialize};

use crate::call::Trace;
use crate::entity::Source;
use crate::id::{EntityId, RequestId};
use crate::protocol::outcome::Outcome;
use crate::transport::{Request, Response};
use crate::wire;

/// Of requests and answers; two releases that run side by side both know the older one's.
const VERSION: u16 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Envelope {
    version: u16,
    body: Body,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body {
    /// A command to an entity.
    Entity {
        id: EntityId,
        #[serde(with = "serde_bytes")]
        command: Vec<u8>,
        request: Option<RequestId>,
        source: Option<Source>,
        trace: Trace,
    },
    /// A request, or a one-way message, to a service of the node.
    Service {
        name: String,
        #[serde(with = "serde_bytes")]
        payload: Vec<u8>,
        request: Option<RequestId>,
        trace: Trace,
    },
}

#[derive(Serialize, Deserialize)]
struct Answer {
    version: u16,
    outcome: Outcome,
}

impl Body {
    pub(super) fn seal(self) -> Vec<u8> {
        wire::encode(&Envelope {
            version: VERSION,
            body: self,
        })
    }

    pub(super) fn open(bytes: &[u8]) -> Option<Self> {
        let envelope: Envelope = wire::decode(bytes).ok()?;
        (envelope.version == VERSION).then_some(envelope.body)
    }

    pub(super) fn request(self, deadline: std::time::Duration) -> Request {
        Request {
            deadline,
            bytes: self.seal(),
        }
    }
}

pub(super) fn answer(outcome: Outcome) -> Response {
    Response {
        bytes: wire::encode(&Answer {
            version: VERSION,
            outcome,
        }),
    }
}

pub(super) fn outcome(response: &Response) -> Outcome {
    match wire::decode::<Answer>(&response.bytes) {
        Ok(answer) if answer.version == VERSION => answer.outcome,
        _ => Outcome::Corrupt,
    }
}
