//! How a request reaches a node: bytes out, bytes back. The local implementation knows one node, itself.
//!
//! Requests and replies cross as versioned MessagePack also where nothing leaves the process, so that the network
//! comes as one more implementation of [`Transport`] and nothing above changes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use crate::id::NodeId;

/// A request on its way: opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// How long the caller still waits.
    pub deadline: Duration,
    /// A versioned MessagePack envelope.
    pub bytes: Vec<u8>,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// A versioned MessagePack envelope.
    pub bytes: Vec<u8>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The node is not known or not reachable: the request was not delivered.
    #[error("node {0} cannot be reached")]
    Unreachable(NodeId),
    /// The request may have been delivered.
    #[error("no answer in time")]
    TimedOut,
}

/// What a node offers to the transport that it is bound to.
#[async_trait]
pub trait Inbound: Send + Sync + 'static {
    /// Carries out a request.
    async fn handle(&self, from: NodeId, request: Request) -> Response;
    /// Takes a one-way message; drops it where too much is under way.
    fn cast(&self, from: NodeId, bytes: Vec<u8>);
}

/// Reaches nodes, this one included.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Gives the transport what answers on this node; called once, at the start.
    fn bind(&self, node: NodeId, inbound: Arc<dyn Inbound>);
    /// Delivers a request and waits for the answer, at most for its deadline.
    async fn call(&self, node: &NodeId, request: Request) -> Result<Response, TransportError>;
    /// Delivers a one-way message, best effort and bounded.
    fn cast(&self, node: &NodeId, bytes: Vec<u8>);
}

/// The transport of a cluster of one.
#[derive(Default)]
pub struct LocalTransport {
    here: OnceLock<(NodeId, Arc<dyn Inbound>)>,
}

#[async_trait]
impl Transport for LocalTransport {
    fn bind(&self, node: NodeId, inbound: Arc<dyn Inbound>) {
        let fresh = self.here.set((node, inbound)).is_ok();
        debug_assert!(fresh, "a transport belongs to one node");
    }

    async fn call(&self, node: &NodeId, request: Request) -> Result<Response, TransportError> {
        match self.here.get() {
            Some((here, inbound)) if here == node => {
                tokio::time::timeout(request.deadline, inbound.handle(here.clone(), request))
                    .await
                    .map_err(|_| TransportError::TimedOut)
            }
            _ => Err(TransportError::Unreachable(node.clone())),
        }
    }

    fn cast(&self, node: &NodeId, bytes: Vec<u8>) {
        if let Some((here, inbound)) = self.here.get()
            && here == node
        {
            inbound.cast(here.clone(), bytes);
        }
    }
}
