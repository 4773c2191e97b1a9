//! The suite of [`Sms`].

use crate::ports::{EventKey, Message, Sms, SmsMessage};
use crate::testing::number;

/// Every kind of message is taken, and one with a known key again.
///
/// # Panics
/// If the adapter refuses one.
pub async fn sms(sms: &impl Sms) {
    let messages = [
        Message::Code {
            code: "012345".into(),
        },
        Message::Invited { by: None },
        Message::Admitted,
        Message::Admitted,
    ];
    for message in messages {
        let key = EventKey(format!("contract/{message:?}"));
        let sent = sms
            .send(SmsMessage {
                to: number(1),
                message,
                key,
            })
            .await;
        sent.expect("the provider takes the message");
    }
}
