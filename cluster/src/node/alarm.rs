//! One pending tick per actor: set to the earliest wish, replaced only by an earlier one.

use std::time::Duration;

use ractor::{ActorRef, Message};
use tokio::task::JoinHandle;

use crate::time::BootInstant;

/// Sends a tick to its actor; what is pending ends with it.
#[derive(Default)]
pub(super) struct Alarm {
    pending: Option<(BootInstant, JoinHandle<()>)>,
}

impl Alarm {
    /// The tick came.
    pub(super) fn rang(&mut self) {
        self.pending = None;
    }

    /// Makes sure that `actor` gets `message` at `wake`, or before.
    pub(super) fn set<M: Message>(
        &mut self,
        wake: Option<BootInstant>,
        now: BootInstant,
        actor: &ActorRef<M>,
        message: M,
    ) {
        let Some(wake) = wake else { return };
        if let Some((at, task)) = &self.pending {
            if *at <= wake {
                return;
            }
            task.abort();
        }
        // Timers have a resolution of a millisecond; a tick that comes too early would only be asked for again.
        let wait = wake.since(now).max(Duration::from_millis(1));
        let actor = actor.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _gone = actor.cast(message);
        });
        self.pending = Some((wake, task));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.pending {
            task.abort();
        }
    }
}
