//! The node's letter box: what other nodes, and this one, ask of its forwarders.

use super::actor::Message;
use super::node::Forwarders;
use super::protocol::{Answer, Body, Letter, Refusal};
use async_trait::async_trait;
use mitalk_cluster::{Call, NodeId, ServiceError, wire};
use tokio::sync::oneshot;

/// See the [module](self).
pub(crate) struct Service(pub(crate) Forwarders);

#[async_trait]
impl mitalk_cluster::Service for Service {
    async fn handle(&self, _from: NodeId, payload: Vec<u8>, _call: Call) -> Result<Vec<u8>, ServiceError> {
        let Letter { room, body } = wire::decode(&payload).map_err(|_| ServiceError::Corrupt)?;
        let message = match body {
            Body::Ask(request) => {
                let (reply, answer) = oneshot::channel();
                let answer: Result<Answer, Refusal> =
                    match self.0.deliver(room, Message::Ask(request, reply)).await {
                        Ok(()) => answer.await.unwrap_or_else(|_| Err(stopped())),
                        Err(refusal) => Err(refusal),
                    };
                return Ok(wire::encode(&answer));
            }
            Body::Told(changes) => Message::Told(changes),
            Body::Cut { user, cut } => Message::Cut(user, cut),
            Body::Evict { user, session } => Message::Evict { user, session },
        };
        self.0.deliver_if_running(room, message);
        Ok(vec![])
    }
}

fn stopped() -> Refusal {
    Refusal::Unavailable("the forwarder stopped meanwhile".into())
}
