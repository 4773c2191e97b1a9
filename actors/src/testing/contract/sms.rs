//! The suite of [`Sms`].

use crate::ports::{EventKey, Message, Sms, SmsError, SmsMessage};
use crate::testing::number;
use std::collections::BTreeSet;

/// Every kind of message is taken, also again, and each reaches the provider with its own key, by which a repeat is
/// recognised. `keys` are those that reached it so far, in any order.
///
/// # Panics
/// If the adapter refuses one, or loses a key.
pub async fn sms(sms: &impl Sms, keys: impl AsyncFn() -> Vec<EventKey>) {
    let code = "012345".to_owned();
    let messages = [
        Message::Code { code },
        Message::Invited { by: None },
        Message::Admitted,
    ];
    let mut sent = BTreeSet::new();
    for (n, message) in messages.into_iter().enumerate() {
        let key = EventKey(format!("contract/{n}"));
        for _ in 0..2 {
            let text = SmsMessage {
                to: number(1),
                message: message.clone(),
                language: None,
                key: key.clone(),
            };
            take(sms, text).await;
        }
        sent.insert(key);
    }
    let reached: BTreeSet<_> = keys().await.into_iter().collect();
    assert_eq!(reached, sent, "each message arrives, by its own key");
}

/// As consumers do: again until it is taken.
async fn take(sms: &impl Sms, message: SmsMessage) {
    loop {
        match sms.send(message.clone()).await {
            Ok(()) => return,
            Err(SmsError::Busy { .. } | SmsError::Unavailable { .. }) => {}
            Err(error @ SmsError::Refused { .. }) => panic!("{error}"),
        }
    }
}
