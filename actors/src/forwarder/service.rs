//! The node's letter box: what other nodes, and this one, ask of its forwarders.

use super::actor::Message;
use super::node::Forwarders;
use super::protocol::{Answer, Body, Letter, Refusal, Request};
use crate::id::RoomId;
use async_trait::async_trait;
use mitalk_cluster::{Call, NodeId, ServiceError, wire};
use tokio::sync::oneshot;

/// A request that was in the mailbox of a forwarder that stopped is put to the next one, once.
const TRIES: usize = 2;

/// See the [module](self).
pub(crate) struct Service(pub(crate) Forwarders);

#[async_trait]
impl mitalk_cluster::Service for Service {
    async fn handle(&self, _from: NodeId, payload: Vec<u8>, _call: Call) -> Result<Vec<u8>, ServiceError> {
        let Letter { room, body } = wire::decode(&payload).map_err(|_| ServiceError::Corrupt)?;
        let message = match body {
            Body::Ask(request) => return Ok(wire::encode(&self.ask(room, request).await)),
            Body::Told(changes) => Message::Told(changes),
            Body::Cut { at, user, cut } => Message::Cut { at, user, cut },
            Body::Evict { user, session, why } => Message::Evict { user, session, why },
        };
        self.0.deliver_if_running(room, message);
        Ok(vec![])
    }
}

impl Service {
    async fn ask(&self, room: RoomId, request: Request) -> Result<Answer, Refusal> {
        for _ in 0..TRIES {
            let (reply, answer) = oneshot::channel();
            self.0.deliver(room, Message::Ask(request.clone(), reply)).await?;
            if let Ok(answer) = answer.await {
                return answer;
            }
        }
        Err(Refusal::Unavailable("the forwarder stopped meanwhile".into()))
    }
}
