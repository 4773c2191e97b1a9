//! Whether the brokers answer. A broker that is away is a state, not an end: the service goes on, and says so.

use super::metrics::Metrics;
use mitalk_cluster::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often it is looked while all is well.
const LOOK: Duration = Duration::from_secs(5);
/// And while it is not.
const LOOK_AWAY: Duration = Duration::from_secs(1);

/// How it stands with the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// They answer, and the topics are there.
    Connected {
        /// What is not as configured, explained.
        mismatches: Vec<String>,
    },
    /// They do not, or the topics could not be made.
    Away {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
}

/// The state, and those who wait for it.
pub(super) struct Link {
    state: watch::Sender<State>,
    /// Members of groups that have not left.
    members: watch::Sender<usize>,
    /// What a broker that answered turned us away for, since they answered otherwise.
    refusal: watch::Sender<Option<String>>,
    look: Notify,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Link {
    pub(super) fn new(clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        let away = State::Away {
            since: clock.wall(),
            reason: "no broker has answered yet".to_owned(),
        };
        Self {
            state: watch::Sender::new(away),
            members: watch::Sender::new(0),
            refusal: watch::Sender::new(None),
            look: Notify::new(),
            clock,
            metrics,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(*self.state.borrow(), State::Connected { .. })
    }

    /// Waits until the brokers answer.
    pub(super) async fn connected(&self) {
        let is_connected = |state: &State| matches!(state, State::Connected { .. });
        // The sender is ours.
        let _ = self.state.subscribe().wait_for(is_connected).await;
    }

    pub(super) fn joined(&self) {
        self.members.send_modify(|members| *members += 1);
    }

    pub(super) fn left(&self) {
        self.members.send_modify(|members| *members -= 1);
    }

    /// Waits until all members have left their groups, or for as long as that may take.
    pub(super) async fn all_left(&self, limit: Duration) {
        let mut members = self.members.subscribe();
        // The sender is ours; who has not left by then is put out by the brokers.
        let _ = tokio::time::timeout(limit, members.wait_for(|members| *members == 0)).await;
    }

    /// Somebody thinks that the brokers went away.
    pub(super) fn look_now(&self) {
        if self.is_connected() {
            self.look.notify_one();
        }
    }

    /// Waits until it is time to look again.
    pub(super) async fn next_look(&self) {
        let wait = if self.is_connected() { LOOK } else { LOOK_AWAY };
        // Either is a reason.
        let _ = tokio::time::timeout(wait, self.look.notified()).await;
    }

    /// A broker turned us away.
    pub(super) fn refused(&self, why: String) {
        self.refusal.send_replace(Some(why));
    }

    /// `reason`, with what a broker said: the library tells it only to its log, and as a time-out to whoever asked.
    pub(super) fn explained(&self, reason: String) -> String {
        match self.refusal.borrow().as_deref() {
            Some(why) => format!("{reason}; {why}"),
            None => reason,
        }
    }

    /// Waits until a broker turned us away, or for as long as that is told after a failure.
    pub(super) async fn heard(&self, limit: Duration) {
        let mut refusal = self.refusal.subscribe();
        // The sender is ours; most failures are no refusal.
        let _ = tokio::time::timeout(limit, refusal.wait_for(Option::is_some)).await;
    }

    /// The brokers answered, and the topics are there.
    pub(super) fn answered(&self, mismatches: Vec<String>) {
        self.refusal.send_replace(None);
        if !self.is_connected() {
            tracing::info!("kafka brokers answer");
            for mismatch in &mismatches {
                tracing::warn!(mismatch, "a kafka topic is not as configured");
            }
        }
        self.metrics.connected.set(1);
        let count = i64::try_from(mismatches.len()).unwrap_or(i64::MAX);
        self.metrics.mismatches.set(count);
        self.state.send_replace(State::Connected { mismatches });
    }

    /// They did not.
    pub(super) fn failed(&self, reason: String) {
        self.metrics.connected.set(0);
        let reason = self.explained(reason);
        let since = match self.state() {
            State::Away { since, reason: known } => {
                if known != reason {
                    tracing::warn!(reason, "kafka brokers do not answer");
                }
                since
            }
            State::Connected { .. } => {
                tracing::warn!(reason, "kafka brokers went away, events wait in the outboxes");
                self.metrics.away.inc();
                self.clock.wall()
            }
        };
        self.state.send_replace(State::Away { since, reason });
    }
}
