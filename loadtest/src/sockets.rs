//! Live sockets of the listeners: each person in a room holds one, as the app does, and what it says is checked.
//!
//! A task per socket on the tokio runtime. Deltas of a room must be numbered without a gap (a snapshot begins anew), and no
//! socket may end before the run does.

use crate::people::Person;
use anyhow::Context;
use mitalk::client::{Live, LiveError};
use mitalk::wire::live::{ClientMessage, ServerMessage};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at};

/// The server closes a socket from which it hears nothing for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A socket that does not say welcome within this time has failed, and with it the join.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// What the sockets of a run said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Sockets that were opened.
    pub opened: u64,
    /// Those that ended before the run did.
    pub cut: u64,
    /// Messages of the server.
    pub messages: u64,
    /// Deltas of rooms that were missing between two others.
    pub gaps: u64,
}

impl Heard {
    /// Nothing was missing.
    pub fn clean(&self) -> bool {
        self.cut == 0 && self.gaps == 0
    }
}

#[derive(Debug, Default)]
struct Counters {
    opened: AtomicU64,
    cut: AtomicU64,
    messages: AtomicU64,
    gaps: AtomicU64,
}

/// The sockets of a run. They are closed when this is dropped.
#[derive(Debug)]
pub struct Sockets {
    counters: Arc<Counters>,
    end: watch::Sender<bool>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            counters: Arc::default(),
            end: watch::Sender::new(false),
        }
    }
}

impl Sockets {
    /// Opens one, and goes on listening to it. Returns its id, for the join.
    ///
    /// # Errors
    /// It was refused, or did not say welcome in time.
    pub async fn open(&self, person: &Person) -> anyhow::Result<String> {
        let welcome = async {
            let mut live = person.client.live(0).await?;
            loop {
                if let ServerMessage::Welcome { socket, .. } = live.next().await? {
                    return Ok::<_, LiveError>((live, socket));
                }
            }
        };
        let (live, socket) = tokio::time::timeout(WELCOME_TIMEOUT, welcome)
            .await
            .context("a live socket does not say welcome")?
            .context("no live socket")?;
        self.counters.opened.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(listen(live, self.counters.clone(), self.end.subscribe()));
        Ok(socket)
    }

    /// What they said so far.
    pub fn heard(&self) -> Heard {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Heard {
            opened: read(&self.counters.opened),
            cut: read(&self.counters.cut),
            messages: read(&self.counters.messages),
            gaps: read(&self.counters.gaps),
        }
    }
}

/// Reads a socket until it ends or the run does.
async fn listen(mut live: Live, counters: Arc<Counters>, mut end: watch::Receiver<bool>) {
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut newest = None;
    loop {
        let message = tokio::select! {
            message = live.next() => message,
            _ = ping.tick() => live.send(&ClientMessage::Ping {}).await.map(|()| ServerMessage::Pong {}),
            // Also when the sender is gone.
            _ = end.changed() => {
                // The server may have been faster.
                let _ = live.close().await;
                return;
            }
        };
        match message {
            Ok(message) => {
                counters.messages.fetch_add(1, Ordering::Relaxed);
                counters
                    .gaps
                    .fetch_add(gap(&mut newest, &message), Ordering::Relaxed);
            }
            Err(LiveError::Unreadable(_)) => {
                counters.gaps.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                counters.cut.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}

/// Deltas that are missing before this message. `newest` is the room's last delta.
fn gap(newest: &mut Option<u64>, message: &ServerMessage) -> u64 {
    match message {
        ServerMessage::RoomSnapshot { room } => {
            *newest = Some(room.seq);
            0
        }
        ServerMessage::Room { seq, .. } => {
            let before = newest.replace(*seq);
            before.map_or(0, |before| seq.saturating_sub(before + 1))
        }
        _ => 0,
    }
}
