//! Something that is read again when it has grown old, once for all who want it.

use mitalk_cluster::{BootInstant, StoreError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The last read of it. What a read gives, be it a failure, counts for all who came while it was under way: a slow store has one
/// read at a time, and nobody waits for more than two.
pub(super) struct Latest<T> {
    last: Mutex<Option<Read<T>>>,
    /// Held by whoever reads.
    reading: tokio::sync::Mutex<()>,
}

struct Read<T> {
    /// When it was asked for.
    at: BootInstant,
    /// Counts the reads.
    number: u64,
    result: Result<Arc<T>, StoreError>,
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        Self {
            result: self.result.clone(),
            ..*self
        }
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }
}

impl<T> Latest<T> {
    /// What is younger than `fresh_for`, or else what `read` gives.
    pub(super) async fn get(
        &self,
        now: BootInstant,
        fresh_for: Duration,
        read: impl AsyncFnOnce() -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let before = self.last();
        let number = before.as_ref().map_or(0, |read| read.number);
        if let Some(Read {
            at,
            result: Ok(value),
            ..
        }) = before
            && now.since(at) < fresh_for
        {
            return Ok(value);
        }
        let _reading = self.reading.lock().await;
        if let Some(meanwhile) = self.last().filter(|read| read.number > number) {
            return meanwhile.result;
        }
        let result = read().await.map(Arc::new);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Read {
            at: now,
            number: number + 1,
            result: result.clone(),
        });
        result
    }

    fn last(&self) -> Option<Read<T>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::{AtomicU32, Ordering};

    const FRESH: Duration = Duration::from_secs(1);
    /// Longer than what it reads stays fresh.
    const SLOW: Duration = Duration::from_secs(3);

    /// A hundred come one after the other while a slow store is read; gives how often it was.
    async fn crowd(result: Result<u32, StoreError>) -> u32 {
        let (latest, reads) = (Latest::default(), AtomicU32::new(0));
        let begun = tokio::time::Instant::now();
        let all = (0..100).map(|n| {
            let (latest, reads, result) = (&latest, &reads, result.clone());
            async move {
                tokio::time::sleep(SLOW * n / 100).await;
                let now = BootInstant::default() + begun.elapsed();
                let read = async || {
                    reads.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(SLOW).await;
                    result.clone()
                };
                let got = latest.get(now, FRESH, read).await;
                assert_eq!(got.map(|value| *value), result);
            }
        });
        join_all(all).await;
        assert!(
            begun.elapsed() <= SLOW * 2,
            "nobody waits for more than two reads"
        );
        reads.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_is_read_once_for_all() {
        assert_eq!(crowd(Ok(7)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_for_all_who_waited() {
        let down = StoreError::Unavailable("of the test".to_owned());
        assert_eq!(crowd(Err(down)).await, 1);
    }

    #[tokio::test]
    async fn what_is_fresh_is_not_read_again_and_what_is_old_is() {
        let (latest, reads) = (Latest::default(), AtomicU32::new(0));
        let read = async || Ok(reads.fetch_add(1, Ordering::SeqCst));
        for (at, expected) in [(0, 0), (999, 0), (1_000, 1), (1_500, 1)] {
            let now = BootInstant::default() + Duration::from_millis(at);
            assert_eq!(*latest.get(now, FRESH, read).await.unwrap(), expected);
        }
    }
}
