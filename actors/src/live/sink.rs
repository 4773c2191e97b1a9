//! The two halves of a live socket's queue.

use super::LiveMessage;
use crate::id::{DeviceId, SocketId, UserId};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// The client does not take its messages fast enough; its socket is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is too slow")]
pub struct TooSlow;

/// Why the service closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Its queue was full: reconnect and ask for what is missing.
    TooSlow,
    /// The same device opened another one, or the account has too many.
    OpenedElsewhere,
    /// The device was signed out.
    Revoked,
    /// An operator stopped the account.
    Suspended,
    /// The node goes away.
    Restart,
}

/// The sending half. Cheap to clone; sending never waits.
#[derive(Clone)]
pub struct LiveSink(Arc<Shared>);

struct Shared {
    id: SocketId,
    user: UserId,
    device: DeviceId,
    queue: mpsc::Sender<LiveMessage>,
    closed: OnceLock<CloseReason>,
    closing: Notify,
    lost_since: OnceLock<Instant>,
}

/// The receiving half, for the socket's own task.
pub struct LiveStream {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<LiveMessage>,
}

impl LiveSink {
    /// A socket's queue of `capacity` messages.
    pub fn new(id: SocketId, user: UserId, device: DeviceId, capacity: usize) -> (Self, LiveStream) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let shared = Arc::new(Shared {
            id,
            user,
            device,
            queue: sender,
            closed: OnceLock::new(),
            closing: Notify::new(),
            lost_since: OnceLock::new(),
        });
        (
            Self(shared.clone()),
            LiveStream {
                shared,
                queue: receiver,
            },
        )
    }

    /// The socket's id.
    pub fn id(&self) -> SocketId {
        self.0.id
    }

    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.0.user
    }

    /// On which device.
    pub fn device(&self) -> DeviceId {
        self.0.device
    }

    /// Messages that the queue takes before the socket counts as too slow.
    pub(crate) fn free(&self) -> usize {
        self.0.queue.capacity()
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`TooSlow`] if the queue is full; the socket closes then. A socket that is closed already takes everything: its
    /// owner finds out by itself.
    pub fn send(&self, message: LiveMessage) -> Result<(), TooSlow> {
        match self.0.queue.try_send(message) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.close(CloseReason::TooSlow);
                Err(TooSlow)
            }
        }
    }

    /// It has ended, and what was sent since then may not have come to the client.
    pub fn lost_since(&self, since: Instant) {
        // A socket ends once.
        let _ = self.0.lost_since.set(since);
    }

    /// For how long, by now, messages may have been lost; nothing if the client got all of them.
    pub(crate) fn lost(&self) -> Duration {
        self.0.lost_since.get().map(Instant::elapsed).unwrap_or_default()
    }

    /// Closes the socket; the first reason counts. Messages still queued are not sent.
    pub fn close(&self, reason: CloseReason) {
        if self.0.closed.set(reason).is_ok() {
            self.0.closing.notify_one();
        }
    }

    /// Whether it was closed, and why.
    pub fn closed(&self) -> Option<CloseReason> {
        self.0.closed.get().copied()
    }
}

impl LiveStream {
    /// The next message.
    ///
    /// # Errors
    /// The reason for which the service closes the socket.
    pub async fn next(&mut self) -> Result<LiveMessage, CloseReason> {
        if let Some(reason) = self.shared.closed.get() {
            return Err(*reason);
        }
        tokio::select! {
            biased;
            () = self.shared.closing.notified() => {
                Err(self.shared.closed.get().copied().unwrap_or(CloseReason::Restart))
            }
            message = self.queue.recv() => message.ok_or(CloseReason::Restart),
        }
    }

    /// The socket's id.
    pub fn id(&self) -> SocketId {
        self.shared.id
    }
}

impl fmt::Debug for LiveSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveSink({}, closed {:?})", self.0.id, self.closed())
    }
}

impl fmt::Debug for LiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveStream({})", self.shared.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;

    fn socket(capacity: usize) -> (LiveSink, LiveStream) {
        let home = Home::default();
        LiveSink::new(
            SocketId::new(home, 1),
            UserId::new(home, 2),
            DeviceId::new(home, 3),
            capacity,
        )
    }

    #[tokio::test]
    async fn a_full_queue_closes_the_socket() {
        let (sink, mut stream) = socket(1);
        assert_eq!(sink.send(LiveMessage::Hallway), Ok(()));
        assert_eq!(sink.send(LiveMessage::Hallway), Err(TooSlow));
        assert_eq!(stream.next().await, Err(CloseReason::TooSlow));
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let (sink, mut stream) = socket(4);
        sink.close(CloseReason::Suspended);
        sink.close(CloseReason::Restart);
        assert_eq!(stream.next().await, Err(CloseReason::Suspended));
        assert_eq!(sink.send(LiveMessage::Hallway), Ok(()));
    }

    #[tokio::test]
    async fn closing_wakes_a_waiting_socket() {
        let (sink, mut stream) = socket(4);
        let waiting = tokio::spawn(async move { stream.next().await });
        tokio::task::yield_now().await;
        sink.close(CloseReason::Revoked);
        assert_eq!(waiting.await.unwrap(), Err(CloseReason::Revoked));
    }
}
