//! A wrapper around any port that fails, repeats, delays and leaves outcomes unknown, by a seed.
//!
//! It does only what a real store may do. A conditional write may be lost, be applied with its answer lost, be applied
//! twice (the second copy is refused), or land at any later time, and so may an append to the event log; a plain write may be
//! lost, lose its answer or be repeated at once; a read may fail. `Unavailable` is answered only for what was certainly not applied.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::id::{EntityId, NodeId, ShardId};
use crate::store::{
    Cas, DuePage, DueQuery, EntityStore, EntityWrite, Event, EventLog, Head, LeaseStore, ListEntry,
    ListWrite, LowWater, NodeRow, NodeWrite, OutboxRow, ReadTables, Row, ShardRow, ShardWrite, StoreError,
    TimerKey, TimerRow, TimerStore,
};

/// Turns of the scheduler that a delayed call waits at most.
const DELAY_TURNS: u32 = 4;
/// Late copies that wait to land at most; further ones are lost.
const LATE_COPIES: usize = 16;

/// A port that misbehaves.
pub struct Faulty<P> {
    port: Arc<P>,
    chaos: Mutex<Chaos>,
}

struct Chaos {
    rng: StdRng,
    /// Of all calls, how many go wrong.
    rate: f64,
    late: Vec<BoxFuture<'static, ()>>,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    /// Certainly not applied, and said so.
    Refused,
    /// Not applied, and nobody knows.
    Lost,
    /// Applied, and nobody knows.
    AnswerLost,
    /// Applied by a later call, and nobody knows.
    Late,
    /// Applied two times; the first answer counts.
    Twice,
    /// Fine after others had their turns.
    Delayed,
}

impl<P: 'static> Faulty<P> {
    /// `port`, with a fault in `rate` (0 to 1) of its calls; the same seed gives the same faults for the same calls.
    pub fn new(port: P, seed: u64, rate: f64) -> Self {
        let chaos = Chaos {
            rng: StdRng::seed_from_u64(seed),
            rate,
            late: Vec::new(),
        };
        Self {
            port: Arc::new(port),
            chaos: Mutex::new(chaos),
        }
    }

    /// The port itself, for calls without faults.
    pub fn port(&self) -> &P {
        &self.port
    }

    /// Something that the port handed out, with faults of its own by this one's seed.
    pub fn over<Q: 'static>(&self, port: Q) -> Faulty<Q> {
        let (seed, rate) = {
            let mut chaos = self.chaos();
            (chaos.rng.random(), chaos.rate)
        };
        Faulty::new(port, seed, rate)
    }

    /// A call that changes nothing.
    ///
    /// # Errors
    /// As the seed wants, or as the port answers.
    pub async fn read<T, F>(&self, call: impl Fn(Arc<P>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        match self.fate(&[Fate::Refused, Fate::Lost, Fate::Delayed]).await {
            Fate::Refused => Err(refused()),
            Fate::Lost => Err(unknown()),
            _ => call(Arc::clone(&self.port)).await,
        }
    }

    /// An unconditional write.
    ///
    /// # Errors
    /// As the seed wants, or as the port answers.
    pub async fn plain<T, F>(&self, call: impl Fn(Arc<P>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let fates = [
            Fate::Refused,
            Fate::Lost,
            Fate::AnswerLost,
            Fate::Twice,
            Fate::Delayed,
        ];
        let fate = self.fate(&fates).await;
        self.write(fate, call).await
    }

    /// A conditional write, or another one whose copy may land at any later time.
    ///
    /// # Errors
    /// As the seed wants, or as the port answers.
    pub async fn conditional<T, F>(&self, call: impl Fn(Arc<P>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let fates = [
            Fate::Refused,
            Fate::Lost,
            Fate::AnswerLost,
            Fate::Late,
            Fate::Twice,
            Fate::Delayed,
        ];
        let fate = self.fate(&fates).await;
        if fate == Fate::Late {
            let copy = call(Arc::clone(&self.port));
            let mut chaos = self.chaos();
            if chaos.late.len() < LATE_COPIES {
                chaos.late.push(Box::pin(async move { drop(copy.await) }));
            }
            return Err(unknown());
        }
        self.write(fate, call).await
    }

    async fn write<T, F>(&self, fate: Fate, call: impl Fn(Arc<P>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        match fate {
            Fate::Refused => return Err(refused()),
            Fate::Lost => return Err(unknown()),
            _ => {}
        }
        let answer = call(Arc::clone(&self.port)).await;
        match fate {
            Fate::AnswerLost => Err(unknown()),
            Fate::Twice => {
                drop(call(Arc::clone(&self.port)).await);
                answer
            }
            _ => answer,
        }
    }

    /// Lets late copies land and others have their turns, then says what happens to this call.
    async fn fate(&self, faults: &[Fate]) -> Fate {
        let (fate, turns, late) = {
            let mut chaos = self.chaos();
            let rate = chaos.rate;
            let late = match chaos.late.len() {
                0 => None,
                waiting => chaos.rng.random_bool(0.5).then(|| waiting - 1),
            };
            let late = late.map(|last| {
                let one = chaos.rng.random_range(0..=last);
                chaos.late.swap_remove(one)
            });
            let is_fault = chaos.rng.random_bool(rate);
            let fate = if is_fault {
                faults[chaos.rng.random_range(0..faults.len())]
            } else {
                Fate::Fine
            };
            (fate, chaos.rng.random_range(1..=DELAY_TURNS), late)
        };
        if let Some(late) = late {
            late.await;
        }
        if fate == Fate::Delayed {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        }
        fate
    }

    fn chaos(&self) -> MutexGuard<'_, Chaos> {
        self.chaos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> fmt::Debug for Faulty<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

fn refused() -> StoreError {
    StoreError::Unavailable("a fault of the test".into())
}

fn unknown() -> StoreError {
    StoreError::Unknown("a fault of the test".into())
}

/// Passes a call of the port on, as a read, a plain or a conditional write. Each copy of the call owns its arguments,
/// because a late one outlives its caller: those marked `&` are borrowed by the port, the others are given to it.
macro_rules! pass_on {
    ($faulty:ident.$kind:ident => $method:ident($(&$lent:ident),* $(; $($given:ident),*)?)) => {{
        $(let $lent = $lent.to_owned();)*
        let call = move |port: Arc<P>| {
            $(let $lent = $lent.clone();)*
            $($(let $given = $given.clone();)*)?
            async move { port.$method($(&$lent,)* $($($given),*)?).await }
        };
        $faulty.$kind(call).await
    }};
}

#[async_trait]
impl<P: LeaseStore> LeaseStore for Faulty<P> {
    fn exclusive(&self) -> bool {
        self.port.exclusive()
    }

    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError> {
        pass_on!(self.read => node(&node))
    }

    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError> {
        pass_on!(self.conditional => put_node(&write))
    }

    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError> {
        pass_on!(self.read => shards())
    }

    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        pass_on!(self.conditional => put_shard(&write))
    }

    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<ListEntry>), StoreError> {
        pass_on!(self.read => list(; shard))
    }

    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        pass_on!(self.conditional => write_list(&write))
    }
}

#[async_trait]
impl<P: EntityStore> EntityStore for Faulty<P> {
    async fn read(&self, id: &EntityId) -> Result<Option<Row>, StoreError> {
        pass_on!(self.read => read(&id))
    }

    async fn write(&self, write: Arc<EntityWrite>) -> Result<Cas<Option<Head>>, StoreError> {
        pass_on!(self.conditional => write(; write))
    }

    async fn outbox(&self, id: &EntityId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        pass_on!(self.read => outbox(&id; after, limit))
    }
}

#[async_trait]
impl<P: TimerStore> TimerStore for Faulty<P> {
    async fn insert(&self, rows: &[TimerRow]) -> Result<(), StoreError> {
        pass_on!(self.plain => insert(&rows))
    }

    async fn due(&self, query: &DueQuery) -> Result<DuePage, StoreError> {
        pass_on!(self.read => due(&query))
    }

    async fn delete(&self, keys: &[TimerKey]) -> Result<(), StoreError> {
        pass_on!(self.plain => delete(&keys))
    }

    async fn low_water(&self, shard: ShardId) -> Result<LowWater, StoreError> {
        pass_on!(self.read => low_water(; shard))
    }

    async fn put_low_water(
        &self,
        shard: ShardId,
        previous: LowWater,
        next: LowWater,
    ) -> Result<Cas<LowWater>, StoreError> {
        pass_on!(self.conditional => put_low_water(; shard, previous, next))
    }
}

#[async_trait]
impl<P: EventLog> EventLog for Faulty<P> {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        // A message that timed out may still be under way to a broker: rule 10.
        pass_on!(self.conditional => append(&topic, &event))
    }
}

#[async_trait]
impl<P: ReadTables> ReadTables for Faulty<P> {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        pass_on!(self.plain => apply(&table, &event))
    }
}
