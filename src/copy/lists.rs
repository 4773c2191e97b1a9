//! Shard rows, handed over with the epoch that they had, and their open lists: everybody who may owe something.
//!
//! The lists are held in memory while they are written: a service that was stopped in peace leaves hardly any.

use super::insist::insist;
use super::tables::source;
use super::{AT_ONCE, Error, Line, PAGE, of, verify};
use crate::store::row::{Cell, Digest, Row};
use crate::store::scylla;
use crate::store::sqlite::{self, Source};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mitalk_actors::secrets::random;
use mitalk_cluster::store::{Cas, LeaseStore as _, ListWrite, ShardRow, ShardWrite, StoreError};
use mitalk_cluster::{EntityId, ShardId, WriteId};
use std::collections::{BTreeMap, BTreeSet};

/// Entities that are noted by one write.
const TOGETHER: usize = 64;
const NAME: &str = "open_list";

const NOTED: Source = source("open_list", 3, &["kind", "key", "shard"]);
/// Of each outbox only the key counts, so the next page begins behind it.
const OWING: Source = source("outbox", 2, &["kind", "key"]);

type Lists = BTreeMap<ShardId, BTreeSet<EntityId>>;

/// Writes what is missing.
pub(super) async fn copy(source: &sqlite::Store, target: &scylla::Store) -> Result<(), Error> {
    let shards = source.shards().await.map_err(of("shard"))?;
    let mut lists = all(source).await?;
    let of_shards: Vec<_> = shards
        .into_iter()
        .map(|(shard, row)| (shard, row, lists.remove(&shard).unwrap_or_default()))
        .collect();
    if !lists.is_empty() {
        let error = StoreError::Corrupt("entities owe something in a shard that nobody ever had".to_owned());
        return Err(of(NAME)(error));
    }
    let one = |(shard, row, list)| async move {
        insist(|| put_shard(target, shard, &row)).await?;
        insist(|| put_list(target, shard, &row, &list)).await
    };
    let written: Result<(), _> = stream::iter(of_shards)
        .map(one)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await;
    written.map_err(of(NAME))
}

/// Compares the lists.
pub(super) async fn verify(source: &sqlite::Store, target: &scylla::Store) -> Result<Line, Error> {
    let mut there = Digest::default();
    for (shard, list) in all(source).await? {
        for id in list {
            let cells = [Cell::Text(id.kind.to_string()), Cell::Text(id.key.to_string())];
            there.add(&[&[Cell::Integer(shard.0.into())], &cells[..]].concat());
        }
    }
    let mut here = Digest::default();
    let take = |row: Row| {
        // The shard's own row is the one without an entity.
        if row[1] != Cell::Text(String::new()) {
            here.add(&row);
        }
    };
    let scanned = target.scan("SELECT shard, kind, key FROM @shard", take).await;
    scanned.map_err(of(NAME))?;
    Ok(verify::line(NAME, there, here))
}

async fn all(source: &sqlite::Store) -> Result<Lists, Error> {
    let mut lists = Lists::new();
    for read in [NOTED, OWING] {
        let mut after = None;
        loop {
            let page = source.page(read, after, PAGE).await.map_err(of(NAME))?;
            let Some(last) = page.last().cloned() else { break };
            for row in page {
                let mut cells = super::put::Cells(row.into_iter());
                let id = cells.entity().map_err(of(NAME))?;
                lists.entry(id.shard()).or_default().insert(id);
            }
            after = Some(last);
        }
    }
    Ok(lists)
}

/// As its owner hands it over (rule 4), but for the epoch: nobody has claimed it here.
async fn put_shard(target: &scylla::Store, shard: ShardId, row: &ShardRow) -> Result<(), StoreError> {
    let write = ShardWrite {
        shard,
        seen: None,
        owner: None,
        incarnation: row.incarnation,
        epoch: row.epoch,
    };
    match target.put_shard(&write).await? {
        Cas::Applied => Ok(()),
        Cas::Refused(Some(found)) if found.owner.is_none() && found.epoch == row.epoch => Ok(()),
        Cas::Refused(_) => Err(claimed(shard)),
    }
}

/// Notes whoever is not noted yet (rule 8).
async fn put_list(
    target: &scylla::Store,
    shard: ShardId,
    row: &ShardRow,
    list: &BTreeSet<EntityId>,
) -> Result<(), StoreError> {
    if list.is_empty() {
        return Ok(());
    }
    let (found, noted) = target.list(shard).await?;
    let mut previous = found.and_then(|found| found.list_id);
    let noted: BTreeSet<_> = noted.into_iter().collect();
    let missing: Vec<_> = list.difference(&noted).cloned().collect();
    for add in missing.chunks(TOGETHER) {
        let list_id = WriteId(u128::from_be_bytes(random()));
        let write = ListWrite {
            shard,
            epoch: row.epoch,
            previous,
            list_id,
            add: add.to_vec(),
            remove: vec![],
        };
        match target.write_list(&write).await? {
            Cas::Applied => previous = Some(list_id),
            Cas::Refused(Some(found)) if found.list_id == Some(list_id) => previous = Some(list_id),
            // A write of an earlier try has landed meanwhile: this is read again.
            Cas::Refused(Some(found)) if found.owner.is_none() && found.epoch == row.epoch => {
                return Err(StoreError::Unavailable("an open list has changed".to_owned()));
            }
            Cas::Refused(_) => return Err(claimed(shard)),
        }
    }
    Ok(())
}

fn claimed(shard: ShardId) -> StoreError {
    StoreError::Corrupt(format!("somebody has claimed shard {} in the cluster", shard.0))
}
