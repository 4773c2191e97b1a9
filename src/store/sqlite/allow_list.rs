//! The operator's allow-list.

use async_trait::async_trait;
use mitalk_actors::number::PhoneKey;
use mitalk_actors::ports::{AllowEntry, AllowList};
use mitalk_cluster::store::StoreError;
use rusqlite::params;

use super::Store;
use super::value::{first, unsigned};

#[async_trait]
impl AllowList for Store {
    async fn import(&self, entries: &[AllowEntry]) -> Result<(), StoreError> {
        let entries = entries.to_vec();
        self.write(move |connection| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO allow_list (phone, enabled) VALUES (?1, ?2)
                 ON CONFLICT (phone) DO UPDATE SET enabled = excluded.enabled",
            )?;
            for entry in &entries {
                upsert.execute(params![entry.phone.as_str(), entry.enabled])?;
            }
            Ok(())
        })
        .await
    }

    async fn find(&self, phone: &PhoneKey) -> Result<Option<AllowEntry>, StoreError> {
        let phone = phone.clone();
        self.read(move |connection| {
            let mut query = connection.prepare_cached("SELECT enabled FROM allow_list WHERE phone = ?1")?;
            first(query.query([phone.as_str()])?, |row| {
                Ok(AllowEntry {
                    phone: phone.clone(),
                    enabled: row.get(0)?,
                })
            })
        })
        .await
    }

    async fn remove(&self, phone: &PhoneKey) -> Result<bool, StoreError> {
        let phone = phone.clone();
        self.write(move |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM allow_list WHERE phone = ?1")?
                .execute([phone.as_str()])?;
            Ok(removed == 1)
        })
        .await
    }

    async fn count(&self) -> Result<(u64, u64), StoreError> {
        self.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT count(*), coalesce(sum(enabled), 0) FROM allow_list")?;
            let counts = first(query.query([])?, |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))?;
            Ok(counts.unwrap_or_default())
        })
        .await
    }
}
