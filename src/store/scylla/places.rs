//! Who may be under way with the cluster, who waits, and who is refused.
//!
//! A node that cannot beat loses all its shards, and whoever takes them over has the same work to do: behind a queue of
//! that work each next owner would fall the same way. So a beat never waits behind anything, shard rows and open lists
//! have places of their own, and only the rest is refused. Whole open lists, which a node reads when it takes shards over,
//! have others again: hundreds of them at once must not keep it from noting what the shards that it has owe.

use mitalk_cluster::store::StoreError;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::metrics::{Counted, Metrics};

/// For each call that may be under way so many may wait.
const WAITING: i64 = 8;
/// Calls about shard rows, and writes of open lists, under way at once.
const OWNERSHIP: usize = 128;
/// Whole open lists that are read at once.
const LISTS: usize = 32;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Node leases, and the round of reads that goes with a beat: the protocol has one of each under way, and as many as
    /// there are nodes. They take no place.
    Beat,
    /// Shard rows, and writes of open lists: one call per shard is under way at most, so they are never refused.
    Ownership,
    /// A whole open list: one per shard at most, so never refused either.
    List,
    /// Everything else.
    Work,
}

/// The places of one client.
pub(super) struct Places {
    ownership: Semaphore,
    lists: Semaphore,
    work: Semaphore,
    waiting: i64,
    metrics: Metrics,
}

impl Places {
    pub(super) fn new(in_flight: u32, metrics: Metrics) -> Self {
        Self {
            ownership: Semaphore::new(OWNERSHIP),
            lists: Semaphore::new(LISTS),
            work: Semaphore::new(in_flight as usize),
            waiting: i64::from(in_flight) * WAITING,
            metrics,
        }
    }

    /// Waits for a place, which is given back when it is dropped; refused if too much work waits already.
    pub(super) async fn take(&self, rank: Rank) -> Result<Option<SemaphorePermit<'_>>, StoreError> {
        // A semaphore that is never closed.
        match rank {
            Rank::Beat => Ok(None),
            Rank::Ownership => Ok(self.ownership.acquire().await.ok()),
            Rank::List => Ok(self.lists.acquire().await.ok()),
            Rank::Work => {
                let _waits = Counted::new(&self.metrics.waiting);
                if self.metrics.waiting.get() > self.waiting {
                    self.metrics.overloaded.inc();
                    return Err(StoreError::Unavailable(
                        "too many calls wait for the CQL cluster: it is slow, or scylla.in_flight is too low"
                            .to_owned(),
                    ));
                }
                Ok(self.work.acquire().await.ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// A queue of work that is full to the brim keeps no node from beating, nor from taking and listing shards.
    #[test]
    fn what_keeps_a_node_alive_never_waits_behind_its_work() {
        let metrics = Metrics::new(&prometheus::Registry::new()).expect("a registry of its own");
        let places = Places::new(1, metrics);
        let work = places.take(Rank::Work).now_or_never().expect("there is a place");
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let mut waits = Box::pin(places.take(Rank::Work));
                assert!(waits.as_mut().now_or_never().is_none(), "it waits");
                waits
            })
            .collect();
        let refused = places.take(Rank::Work).now_or_never().expect("at once");
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");

        let lists: Vec<_> = (0..LISTS)
            .map(|_| places.take(Rank::List).now_or_never().expect("at once"))
            .collect();
        let mut another = Box::pin(places.take(Rank::List));
        assert!(another.as_mut().now_or_never().is_none(), "it waits");
        let shards: Vec<_> = (0..OWNERSHIP)
            .map(|_| places.take(Rank::Ownership).now_or_never().expect("at once"))
            .collect();
        assert!(shards.iter().all(Result::is_ok));
        let mut one_more = Box::pin(places.take(Rank::Ownership));
        assert!(one_more.as_mut().now_or_never().is_none(), "it waits");
        let beat = places.take(Rank::Beat).now_or_never().expect("at once");
        assert!(beat.is_ok());

        drop(lists);
        assert!(another.now_or_never().is_some_and(|place| place.is_ok()));
        drop(shards);
        assert!(one_more.now_or_never().is_some_and(|place| place.is_ok()));
        drop((work, waiting));
        let place = places.take(Rank::Work).now_or_never();
        assert!(place.is_some_and(|place| place.is_ok()), "all was given back");
    }
}
