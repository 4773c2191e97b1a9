//! Blocks of tickets behind those that the service gave.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use mitalk_actors::id::Home;
use mitalk_actors::waitlist::seed;
use mitalk_cluster::EntityId;
use mitalk_cluster::store::{Cas, EntityStore, EntityWrite, ReadTables};

use crate::BLOCK;

/// Writes under way at once.
const AT_ONCE: usize = 512;

pub(crate) struct Tail {
    blocks: Range<u32>,
}

impl Tail {
    pub(crate) fn new(blocks: Range<u32>) -> Self {
        Self { blocks }
    }

    /// Through the ports that the service writes through. Nobody may own anything meanwhile.
    pub(crate) async fn write(self, store: &(impl EntityStore + ReadTables)) -> Result<()> {
        let home = Home::default();
        for block in self.blocks.clone() {
            let (row, event) = seed::full(home, block);
            write(store, row).await?;
            store.apply("ticket_block", &event).await?;
        }
        let tickets = u64::from(self.blocks.start) * BLOCK as u64..u64::from(self.blocks.end) * BLOCK as u64;
        futures::stream::iter(tickets)
            .map(|before| write(store, seed::ticket(home, before + 1)))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let id = EntityId::new("waitlist", home.as_str());
        let row = EntityStore::read(store, &id)
            .await?
            .context("there is a waitlist")?;
        let tickets = u64::from(self.blocks.end) * BLOCK as u64;
        println!("  {tickets} tickets");
        write(store, seed::grown(home, &row, tickets)?).await
    }
}

async fn write(store: &impl EntityStore, write: EntityWrite) -> Result<()> {
    let id = write.id.clone();
    let outcome = EntityStore::write(store, Arc::new(write)).await?;
    ensure!(outcome == Cas::Applied, "{id} is there already");
    Ok(())
}
