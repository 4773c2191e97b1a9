//! Where somebody stands: the waiting of all earlier blocks, and of their own block before them.
//!
//! The counts of all blocks are summed up once and kept for a second or so; whoever finds them old reads them again, for all
//! others as well. A block is read when somebody of it asks. So a place costs a look into memory and at most one row, however
//! many wait: with 10 M tickets the counts are 2,442 rows, read once a second by each node that is asked. A session shows
//! the least it has seen: two reads of different age never make a place rise.

use super::block_of;
use super::latest::Latest;
use crate::id::Home;
use crate::person::Ticket;
use crate::ports::{BlockCount, Reads};
use crate::tables::{BLOCK_TICKETS, TicketBlock};
use mitalk_cluster::{BootInstant, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Blocks whose bitmaps are kept; 512 bytes each.
const CACHED_BLOCKS: usize = 1_024;

/// Computes places from the read tables.
pub struct Positions {
    reads: Arc<dyn Reads>,
    cache_for: Duration,
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    counts: HashMap<Home, Arc<Latest<Counts>>>,
    blocks: HashMap<(Home, u32), (BootInstant, Arc<TicketBlock>)>,
}

impl Positions {
    /// Over these reads.
    pub fn new(reads: Arc<dyn Reads>, cache_for: Duration) -> Self {
        Self {
            reads,
            cache_for,
            cached: Mutex::default(),
        }
    }

    /// The place of a ticket; absent if its block is not in the tables yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn place(
        &self,
        home: Home,
        number: u64,
        now: BootInstant,
    ) -> Result<Option<Ticket>, StoreError> {
        let counts = self.counts(home, now).await?;
        let Some(block) = self.block(home, block_of(number), now).await? else {
            return Ok(None);
        };
        Ok(Some(Ticket {
            number,
            ahead: ahead(&counts, &block, number),
        }))
    }

    /// How many wait in all.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting(&self, home: Home, now: BootInstant) -> Result<u64, StoreError> {
        Ok(self.counts(home, now).await?.waiting)
    }

    async fn counts(&self, home: Home, now: BootInstant) -> Result<Arc<Counts>, StoreError> {
        let latest = self.lock().counts.entry(home).or_default().clone();
        let read = async || Ok(Counts::of(self.reads.block_counts(home).await?));
        latest.get(now, self.cache_for, read).await
    }

    async fn block(
        &self,
        home: Home,
        block: u32,
        now: BootInstant,
    ) -> Result<Option<Arc<TicketBlock>>, StoreError> {
        let cached = self.lock().blocks.get(&(home, block)).cloned();
        if let Some((_, block)) = cached.filter(|(at, _)| now.since(*at) < self.cache_for) {
            return Ok(Some(block));
        }
        let Some(read) = self.reads.block(home, block).await? else {
            return Ok(None);
        };
        let read = Arc::new(read);
        let mut cached = self.lock();
        if cached.blocks.len() >= CACHED_BLOCKS {
            cached.blocks.clear();
        }
        cached.blocks.insert((home, block), (now, read.clone()));
        Ok(Some(read))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many wait in all blocks, summed up.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    /// By block: how many wait in all earlier ones.
    earlier: Vec<(u32, u64)>,
    waiting: u64,
}

impl Counts {
    fn of(mut blocks: Vec<BlockCount>) -> Self {
        blocks.sort_unstable_by_key(|count| count.block);
        let mut waiting = 0;
        let sum = |count: BlockCount| {
            let earlier = (count.block, waiting);
            waiting += u64::from(count.waiting);
            earlier
        };
        Self {
            earlier: blocks.into_iter().map(sum).collect(),
            waiting,
        }
    }

    /// Who waits in blocks before this one.
    fn before(&self, block: u32) -> u64 {
        let next = self.earlier.partition_point(|(known, _)| *known < block);
        self.earlier
            .get(next)
            .map_or(self.waiting, |(_, earlier)| *earlier)
    }
}

/// Who waits before `number`: earlier blocks by their counts, the own block by its bits.
fn ahead(counts: &Counts, block: &TicketBlock, number: u64) -> u64 {
    let index = ((number - 1) % BLOCK_TICKETS) as usize;
    let whole: u32 = block.bitmap[..index / 8]
        .iter()
        .map(|byte| byte.count_ones())
        .sum();
    let partial = (block.bitmap[index / 8] & ((1 << (index % 8)) - 1)).count_ones();
    counts.before(block.block) + u64::from(whole + partial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::BLOCK_BYTES;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_exactly_those_before(
            bitmap in prop::collection::vec(any::<u8>(), BLOCK_BYTES),
            index in 0..BLOCK_TICKETS,
            earlier in prop::collection::vec(0..4_096u32, 0..4),
        ) {
            let number = earlier.len() as u64 * BLOCK_TICKETS + index + 1;
            let slow = (0..index).filter(|i| bitmap[(i / 8) as usize] & (1 << (i % 8)) != 0).count() as u64;
            let block = block_of(number);
            let counts: Vec<_> = earlier.iter().enumerate()
                .map(|(block, waiting)| BlockCount { block: block as u32, waiting: *waiting })
                .chain([BlockCount { block, waiting: 9 }, BlockCount { block: block + 1, waiting: 9 }])
                .collect();
            let own = TicketBlock { home: Home::default(), block, waiting: 9, bitmap };
            let expected = slow + earlier.iter().map(|waiting| u64::from(*waiting)).sum::<u64>();
            prop_assert_eq!(ahead(&Counts::of(counts), &own, number), expected);
        }
    }

    #[test]
    fn blocks_may_be_missing_and_come_in_any_order() {
        let count = |block, waiting| BlockCount { block, waiting };
        let counts = Counts::of(vec![count(7, 4), count(2, 10), count(4, 1)]);
        let before = [0, 2, 3, 4, 5, 7, 8].map(|block| counts.before(block));
        assert_eq!(before, [0, 0, 10, 10, 11, 11, 15]);
        assert_eq!(counts.waiting, 15);
    }
}
