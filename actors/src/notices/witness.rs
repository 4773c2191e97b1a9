//! The provider of text messages, and whether it takes any: all texts of a node go through here, codes included.

use crate::ports::{Sms, SmsError, SmsMessage};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tries of a text, about half a minute, after which it is suspected that it never goes out.
const SUSPECT: u32 = 8;

/// A provider that counts what it takes.
pub(crate) struct Witness {
    sms: Arc<dyn Sms>,
    taken: AtomicU64,
}

impl Witness {
    pub(crate) fn new(sms: Arc<dyn Sms>) -> Self {
        Self {
            sms,
            taken: AtomicU64::new(0),
        }
    }

    /// The tries of one text begin.
    pub(super) fn tries(&self) -> Tries<'_> {
        Tries {
            witness: self,
            failures: 0,
            taken: self.taken(),
        }
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Sms for Witness {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        self.sms.send(message).await?;
        self.taken.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// What a text's failures tell.
pub(super) struct Tries<'a> {
    witness: &'a Witness,
    failures: u32,
    /// What the provider had taken when this text failed last.
    taken: u64,
}

impl Tries<'_> {
    /// The provider did not take it. True: it takes others, so it never will take this one.
    pub(super) fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        let before = std::mem::replace(&mut self.taken, self.witness.taken());
        self.failures >= SUSPECT && self.taken > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{EventKey, Message};
    use crate::testing::{memory::Messages, number};

    fn text() -> SmsMessage {
        SmsMessage {
            to: number(1),
            message: Message::Admitted,
            language: None,
            key: EventKey("a/b/1".into()),
        }
    }

    #[tokio::test]
    async fn a_text_is_given_up_only_when_another_goes_out_between_its_late_failures() {
        let provider = Arc::new(Messages::default());
        let witness = Witness::new(provider.clone());
        let mut tries = witness.tries();
        witness.send(text()).await.unwrap();
        for _ in 0..100 {
            assert!(!tries.failed(), "nobody else gets texts, either");
        }
        provider.set_down(true);
        witness.send(text()).await.unwrap_err();
        assert!(!tries.failed(), "that one was not taken");
        provider.set_down(false);
        witness.send(text()).await.unwrap();
        assert!(tries.failed());

        let mut young = witness.tries();
        for _ in 1..SUSPECT {
            witness.send(text()).await.unwrap();
            assert!(!young.failed(), "it may be chance");
        }
        witness.send(text()).await.unwrap();
        assert!(young.failed());
    }
}
