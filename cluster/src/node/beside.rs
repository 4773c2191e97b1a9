//! Calls beside an actor.
//!
//! No handler awaits a store or another actor: the call runs as a task of its own, and its answer comes back as a
//! message. The task always answers, because a machine that waits for an answer that never comes waits for ever: store
//! calls have a time-out and survive a panic of their adapter ([`Shared::store`](super::shared::Shared::store)).

use std::future::Future;

use ractor::{ActorRef, Message};

/// Runs `call`; the actor gets what it returns, if it still lives.
pub(super) fn beside<M: Message>(myself: &ActorRef<M>, call: impl Future<Output = M> + Send + 'static) {
    let myself = myself.clone();
    tokio::spawn(async move {
        let _gone = myself.cast(call.await);
    });
}
