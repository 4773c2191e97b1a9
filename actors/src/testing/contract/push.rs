//! The suite of [`Push`].

use crate::ports::{EventKey, Push, PushError, PushMessage, Said};
use crate::user::push::{Kind, Subscription};
use mitalk_cluster::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// Every kind of message is taken, also again, and each reaches the device with its own key, by which a repeat is recognised;
/// what goes to a subscription that is over says so. `at` is one that is alive, `over` one that its push service has ended;
/// `keys` are those that reached the devices so far, in any order.
///
/// # Panics
/// If the adapter refuses one, loses a key, or takes what it cannot send for a subscription.
pub async fn push(
    push: &impl Push,
    at: Subscription,
    over: Subscription,
    keys: impl AsyncFn() -> Vec<EventKey>,
) {
    assert!(push.server_key().is_some() && push.accepts(&at) && push.accepts(&over));
    let elsewhere = Subscription {
        endpoint: "https://169.254.169.254/latest".into(),
        ..at.clone()
    };
    assert!(!push.accepts(&elsewhere), "only push services that are known");
    let mut sent = BTreeSet::new();
    for kind in Kind::ALL {
        let message = message(kind, at.clone());
        for _ in 0..2 {
            assert_eq!(take(push, message.clone()).await, Ok(()));
        }
        sent.insert(message.key);
    }
    let ended = take(push, message(Kind::Pinged, over)).await;
    assert_eq!(ended, Err(PushError::Gone));
    let reached: BTreeSet<_> = keys().await.into_iter().collect();
    assert_eq!(reached, sent, "each message arrives, by its own key");
}

fn message(kind: Kind, to: Subscription) -> PushMessage {
    PushMessage {
        to,
        said: Said {
            kind,
            count: 1,
            who: Some("Ada".into()),
            room: None,
            title: None,
            at: Timestamp(1_800_000_000_000),
        },
        ttl: Duration::from_secs(60),
        is_urgent: kind.is_urgent(),
        topic: "contract".into(),
        key: EventKey(format!("contract/{}", kind.name())),
    }
}

/// As accounts do: again until it is taken, or never will be.
async fn take(push: &impl Push, message: PushMessage) -> Result<(), PushError> {
    loop {
        match push.push(message.clone()).await {
            Err(PushError::Busy { .. } | PushError::Unavailable { .. }) => {}
            done => return done,
        }
    }
}
