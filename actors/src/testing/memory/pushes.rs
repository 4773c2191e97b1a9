//! A push service that keeps what it is given.

use super::lock;
use crate::ports::{Push, PushError, PushMessage};
use crate::user::push::{Subscription, key_id};
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Where it takes messages.
const ORIGIN: &str = "https://push.example.org/";

/// See the module.
#[derive(Default)]
pub struct Pushes {
    sent: Mutex<Vec<PushMessage>>,
    arrived: Notify,
    /// None of them is taken.
    down: AtomicBool,
    /// Endpoints that are over.
    gone: Mutex<HashSet<String>>,
}

impl Pushes {
    /// The key that subscriptions are made for.
    pub const KEY: &str = "a-key-of-the-service";

    /// A subscription at it.
    pub fn subscription(name: &str) -> Subscription {
        Subscription {
            endpoint: format!("{ORIGIN}{name}"),
            p256dh: vec![4; crate::user::push::P256DH_BYTES],
            auth: vec![5; crate::user::push::AUTH_BYTES],
            language: "en".into(),
            made_for: key_id(Self::KEY),
        }
    }

    /// Whether it is out of order.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on this subscription is over.
    pub fn end(&self, to: &Subscription) {
        lock(&self.gone).insert(to.endpoint.clone());
    }

    /// All messages that were taken, repeats included.
    pub fn sent(&self) -> Vec<PushMessage> {
        lock(&self.sent).clone()
    }

    /// Waits until so many were taken.
    pub async fn taken(&self, count: usize) -> Vec<PushMessage> {
        loop {
            let arrived = self.arrived.notified();
            let sent = self.sent();
            if sent.len() >= count {
                return sent;
            }
            arrived.await;
        }
    }
}

#[async_trait]
impl Push for Pushes {
    fn server_key(&self) -> Option<&str> {
        Some(Self::KEY)
    }

    fn accepts(&self, to: &Subscription) -> bool {
        to.endpoint.starts_with(ORIGIN)
    }

    async fn push(&self, message: PushMessage) -> Result<(), PushError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(PushError::Unavailable {
                reason: "out of order".into(),
                retry_after: Duration::ZERO,
            });
        }
        if lock(&self.gone).contains(&message.to.endpoint) {
            return Err(PushError::Gone);
        }
        lock(&self.sent).push(message);
        self.arrived.notify_waiters();
        Ok(())
    }
}
