//! Outbox rows that are not delivered yet, over all entities of a node.
//!
//! Each activation has an [`Account`] and says what it owes whenever that changes: sums are kept, nobody goes through all
//! entities. The oldest rows stand in one ordered set per lane, an entry per entity that owes; the age is taken when it
//! is asked for. An account outlives the activation while its entity is out of memory and still owes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

use crate::entity::Lane;
use crate::protocol::relay::Owed;
use crate::time::Timestamp;

/// When the oldest row of an account was decided, and whose account that is.
type Oldest = BTreeSet<(Timestamp, u64)>;
type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Rows not delivered and the age of the oldest, by lane. Rows of an inherited outbox count for both lanes until they are
/// read.
#[derive(Clone)]
pub struct Backlog {
    rows: IntGaugeVec,
    oldest_seconds: IntGaugeVec,
    /// In the order of [`Lane::ALL`].
    oldest: Arc<[Mutex<Oldest>; Lane::ALL.len()]>,
    accounts: Arc<AtomicU64>,
    now: Arc<OnceLock<Now>>,
}

impl Backlog {
    pub(super) fn new(rows: Opts, oldest: Opts) -> Result<Self, prometheus::Error> {
        let backlog = Self {
            rows: IntGaugeVec::new(rows, &["lane"])?,
            oldest_seconds: IntGaugeVec::new(oldest, &["lane"])?,
            oldest: Arc::default(),
            accounts: Arc::default(),
            now: Arc::default(),
        };
        for lane in Lane::ALL {
            backlog.rows.with_label_values(&[lane.label()]).set(0);
        }
        Ok(backlog)
    }

    /// By whose wall clock ages are taken: that of the node that these metrics were given to, once.
    pub(crate) fn tell_time(&self, now: impl Fn() -> Timestamp + Send + Sync + 'static) {
        let _already = self.now.set(Box::new(now));
    }

    /// For one entity.
    pub(crate) fn account(&self) -> Account {
        Account {
            number: self.accounts.fetch_add(1, Ordering::Relaxed),
            owed: Default::default(),
            backlog: self.clone(),
        }
    }

    /// Rows of this lane that are not delivered.
    pub fn rows(&self, lane: Lane) -> i64 {
        self.rows.with_label_values(&[lane.label()]).get()
    }

    /// The age of the oldest of them, by the wall clocks of whoever decided it and of this node.
    pub fn oldest(&self, lane: Lane) -> Duration {
        let first = self.set(lane).first().map(|(at, _)| *at);
        match (first, self.now.get()) {
            (Some(at), Some(now)) => now().since(at),
            _ => Duration::ZERO,
        }
    }

    fn set(&self, lane: Lane) -> MutexGuard<'_, Oldest> {
        self.oldest[lane as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, lane: Lane, account: u64, before: &Owed, after: &Owed) {
        if before.rows != after.rows {
            let added = after.rows.cast_signed() - before.rows.cast_signed();
            self.rows.with_label_values(&[lane.label()]).add(added);
        }
        if before.oldest != after.oldest {
            let mut set = self.set(lane);
            if let Some(at) = before.oldest {
                set.remove(&(at, account));
            }
            set.extend(after.oldest.map(|at| (at, account)));
        }
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Lane::ALL.map(|lane| (lane, self.rows(lane)));
        f.debug_tuple("Backlog").field(&rows).finish()
    }
}

impl Collector for Backlog {
    fn desc(&self) -> Vec<&Desc> {
        [self.rows.desc(), self.oldest_seconds.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for lane in Lane::ALL {
            let age = i64::try_from(self.oldest(lane).as_secs()).unwrap_or(i64::MAX);
            self.oldest_seconds.with_label_values(&[lane.label()]).set(age);
        }
        [self.rows.collect(), self.oldest_seconds.collect()].concat()
    }
}

/// What one entity owes; nothing any more when it is dropped.
pub(crate) struct Account {
    backlog: Backlog,
    number: u64,
    owed: [Owed; Lane::ALL.len()],
}

impl Account {
    pub(crate) fn owes(&mut self, owed: [Owed; Lane::ALL.len()]) {
        if self.owed == owed {
            return;
        }
        for lane in Lane::ALL {
            let (before, after) = (&self.owed[lane as usize], &owed[lane as usize]);
            self.backlog.change(lane, self.number, before, after);
        }
        self.owed = owed;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.owes(Default::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(rows: u64, oldest: Option<u64>) -> Owed {
        let oldest = oldest.map(Timestamp);
        Owed { rows, oldest }
    }

    #[test]
    fn what_entities_owe_is_summed_up() {
        let opts = |name: &str| Opts::new(name, "of the test");
        let backlog = Backlog::new(opts("rows"), opts("oldest")).unwrap();
        backlog.tell_time(|| Timestamp(100_000));
        let (mut a, mut b) = (backlog.account(), backlog.account());
        a.owes([owed(3, Some(40_000)), owed(1, Some(90_000))]);
        b.owes([owed(2, Some(40_000)), owed(0, None)]);
        let shown = |lane| (backlog.rows(lane), backlog.oldest(lane).as_secs());
        assert_eq!((shown(Lane::Topics), shown(Lane::Inside)), ((5, 60), (1, 10)));
        a.owes([owed(1, Some(95_000)), owed(0, None)]);
        assert_eq!((shown(Lane::Topics), shown(Lane::Inside)), ((3, 60), (0, 0)));
        drop(b);
        assert_eq!(shown(Lane::Topics), (1, 5));
        let families = backlog.collect();
        assert_eq!(families.len(), 2);
        assert_eq!(families[1].get_metric().len(), Lane::ALL.len());
    }
}
