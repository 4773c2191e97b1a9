//! Where somebody stands: the waiting of all earlier blocks, and of their own block before them.
//!
//! The counts of all blocks are cached for a second or so; a block is read when somebody of it asks. A session shows the
//! least it has seen: two reads of different age never make a place rise.

use super::block_of;
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
    counts: HashMap<Home, (BootInstant, Arc<[BlockCount]>)>,
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
        Ok(self
            .counts(home, now)
            .await?
            .iter()
            .map(|count| u64::from(count.waiting))
            .sum())
    }

    async fn counts(&self, home: Home, now: BootInstant) -> Result<Arc<[BlockCount]>, StoreError> {
        let cached = self.lock().counts.get(&home).cloned();
        if let Some((_, counts)) = cached.filter(|(at, _)| now.since(*at) < self.cache_for) {
            return Ok(counts);
        }
        let counts: Arc<[BlockCount]> = self.reads.block_counts(home).await?.into();
        self.lock().counts.insert(home, (now, counts.clone()));
        Ok(counts)
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

/// Who waits before `number`: earlier blocks by their counts, the own block by its bits.
fn ahead(counts: &[BlockCount], block: &TicketBlock, number: u64) -> u64 {
    let earlier: u64 = counts
        .iter()
        .filter(|count| count.block < block.block)
        .map(|count| u64::from(count.waiting))
        .sum();
    let index = ((number - 1) % BLOCK_TICKETS) as usize;
    let whole: u32 = block.bitmap[..index / 8]
        .iter()
        .map(|byte| byte.count_ones())
        .sum();
    let partial = (block.bitmap[index / 8] & ((1 << (index % 8)) - 1)).count_ones();
    earlier + u64::from(whole + partial)
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
            prop_assert_eq!(ahead(&counts, &own, number), expected);
        }
    }
}
