//! The operator's allow-list. Plain writes: operators change it seldom, and the later change wins by the coordinators'
//! clocks. An import is a batch per partition, so a failure leaves some of it written.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use mitalk_actors::number::PhoneKey;
use mitalk_actors::ports::{AllowEntry, AllowList};
use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;

use super::Store;
use super::bind::bind;
use super::statements::statements;

/// Partitions of the list.
const BUCKETS: i32 = 256;
/// Rows in one batch, which has one partition.
const TOGETHER: usize = 100;
/// Partitions under way at once.
const AT_ONCE: usize = 16;

statements! {
    put: prepare_write "INSERT INTO @allow_list (bucket, phone, enabled) VALUES (?, ?, ?)";
    find: prepare_read "SELECT enabled FROM @allow_list WHERE bucket = ? AND phone = ?";
    remove: prepare_write "DELETE FROM @allow_list WHERE bucket = ? AND phone = ?";
    all: prepare_read "SELECT enabled FROM @allow_list WHERE bucket = ?";
}

#[derive(DeserializeRow)]
struct StoredEntry {
    enabled: bool,
}

#[async_trait]
impl AllowList for Store {
    async fn import(&self, entries: &[AllowEntry]) -> Result<(), StoreError> {
        // Of equal numbers the last one counts: within a batch all writes have the same time.
        let entries: BTreeMap<&str, bool> = entries
            .iter()
            .map(|entry| (entry.phone.as_str(), entry.enabled))
            .collect();
        let mut buckets = BTreeMap::<i32, Vec<_>>::new();
        for (phone, enabled) in entries {
            let bucket = bucket(phone);
            buckets
                .entry(bucket)
                .or_default()
                .push(bind![bucket, phone, enabled]);
        }
        let put = &self.statements.allow_list.put;
        let batches = buckets.values().flat_map(|rows| rows.chunks(TOGETHER));
        let writes: Vec<_> = batches
            .map(|rows| self.client.write_together(put, rows.to_vec()))
            .collect();
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn find(&self, phone: &PhoneKey) -> Result<Option<AllowEntry>, StoreError> {
        let values = bind![bucket(phone.as_str()), phone.as_str()];
        let found: Option<StoredEntry> = self
            .client
            .first(&self.statements.allow_list.find, values)
            .await?;
        Ok(found.map(|found| AllowEntry {
            phone: phone.clone(),
            enabled: found.enabled,
        }))
    }

    async fn remove(&self, phone: &PhoneKey) -> Result<bool, StoreError> {
        let was_there = self.find(phone).await?.is_some();
        let values = bind![bucket(phone.as_str()), phone.as_str()];
        self.client
            .write(&self.statements.allow_list.remove, values)
            .await?;
        Ok(was_there)
    }

    async fn count(&self) -> Result<(u64, u64), StoreError> {
        let buckets: Vec<_> = (0..BUCKETS)
            .map(|bucket| {
                self.client
                    .all::<StoredEntry>(&self.statements.allow_list.all, bind![bucket])
            })
            .collect();
        let mut buckets = stream::iter(buckets).buffer_unordered(AT_ONCE);
        let (mut all, mut enabled) = (0, 0);
        while let Some(rows) = buckets.try_next().await? {
            all += rows.len() as u64;
            enabled += rows.iter().filter(|row| row.enabled).count() as u64;
        }
        Ok((all, enabled))
    }
}

/// Spread by the text of the key, which is a hash already.
fn bucket(phone: &str) -> i32 {
    let mixed = phone.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    (mixed % BUCKETS.unsigned_abs()).cast_signed()
}
