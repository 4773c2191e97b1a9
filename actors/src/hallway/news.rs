//! What homes tell the nodes of their region about rooms, and what live sockets are told: that the hallway changed.

use super::Hallway;
use crate::id::RoomId;
use crate::live::{LiveMessage, Sockets};
use crate::room::Card;
use async_trait::async_trait;
use mitalk_cluster::{Call, NodeId, ServiceError, wire};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The name of the service that takes news.
pub(crate) const SERVICE: &str = "hallway";
/// Sockets are told at most once in this time.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// From a home to every node of its region.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum News {
    /// The room looks like this now.
    Card(Box<Card>),
    /// The room ended.
    Ended(RoomId),
}

/// Takes the news of this node.
pub(crate) struct Service {
    hallway: Arc<Hallway>,
    changed: Arc<Notify>,
}

impl Service {
    /// A service that fills `hallway`.
    pub(crate) fn new(hallway: Arc<Hallway>) -> Self {
        Self {
            hallway,
            changed: Arc::default(),
        }
    }

    /// Tells the node's sockets about changes, until the task that runs it is dropped.
    pub(crate) fn teller(&self, sockets: Arc<Sockets>) -> impl Future<Output = ()> + Send + use<> {
        let changed = self.changed.clone();
        async move {
            loop {
                changed.notified().await;
                for sink in sockets.all() {
                    // A socket that is too slow closes, and asks when it is back.
                    let _ = sink.send(LiveMessage::Hallway);
                }
                tokio::time::sleep(TELL_EVERY).await;
            }
        }
    }

    /// The rooms that are shown.
    pub(crate) fn rooms(&self) -> Vec<RoomId> {
        self.hallway.all().into_iter().map(|card| card.room).collect()
    }

    /// Takes one piece of news.
    pub(crate) fn take(&self, news: News) {
        let changed = match news {
            News::Card(card) => self.hallway.put(*card),
            News::Ended(room) => self.hallway.remove(room),
        };
        if changed {
            self.changed.notify_one();
        }
    }
}

#[async_trait]
impl mitalk_cluster::Service for Service {
    async fn handle(&self, _from: NodeId, payload: Vec<u8>, _call: Call) -> Result<Vec<u8>, ServiceError> {
        self.take(wire::decode(&payload).map_err(|_| ServiceError::Corrupt)?);
        Ok(vec![])
    }
}
