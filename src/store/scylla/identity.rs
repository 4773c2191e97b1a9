//! What the keyspace belongs to: the fingerprint of the key that numbers are hashed with. It is noted with the first start
//! and compared at each later one (see [`crate::secrets`]).

use mitalk_cluster::store::StoreError;
use scylla::DeserializeRow;

use super::Store;
use super::bind::bind;
use super::statements::statements;
use crate::store::WrittenWith;

/// The row with the fingerprint of the lookup key.
const LOOKUP_KEY: &str = "lookup-key";

statements! {
    read: prepare_serial "SELECT value FROM @identity WHERE name = ?";
    note: prepare_write "INSERT INTO @identity (name, value) VALUES (?, ?) IF NOT EXISTS";
    replace: prepare_write "UPDATE @identity SET value = ? WHERE name = ? IF value = ?";
    remove: prepare_write "DELETE FROM @identity WHERE name = ? IF value = ?";
    node: prepare_read "SELECT node FROM @node_lease LIMIT 1";
}

#[derive(DeserializeRow)]
struct StoredIdentity {
    value: Vec<u8>,
}

impl Store {
    /// Which lookup key the keyspace was written with.
    ///
    /// # Errors
    /// The store's.
    pub async fn written_with(&self) -> Result<WrittenWith, StoreError> {
        let found = self.mark(LOOKUP_KEY).await?;
        Ok(found.map_or(WrittenWith::Nothing, WrittenWith::Key))
    }

    /// Notes the fingerprint of the lookup key that it is written with from now on; gives what is noted: of two nodes that
    /// start at once with different keys the later one finds the other's.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_key(&self, fingerprint: &[u8]) -> Result<WrittenWith, StoreError> {
        self.put_mark(LOOKUP_KEY, fingerprint).await.map(WrittenWith::Key)
    }

    /// What is noted under a name.
    ///
    /// # Errors
    /// The store's.
    pub async fn mark(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let values = bind![name];
        let found: Option<StoredIdentity> = self.client.first(&self.statements.identity.read, values).await?;
        Ok(found.map(|found| found.value))
    }

    /// Notes a value under a name that has none; gives what is noted then.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_mark(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let values = bind![name, value];
        let own = &self.statements.identity;
        if self.client.conditional(&own.note, values).await? {
            return Ok(value.to_vec());
        }
        Ok(self.mark(name).await?.unwrap_or_default())
    }

    /// Replaces what is noted, if that is `before`; whether it is `next` now.
    ///
    /// # Errors
    /// The store's.
    pub async fn replace_mark(&self, name: &str, before: &[u8], next: &[u8]) -> Result<bool, StoreError> {
        let values = bind![next, name, before];
        let own = &self.statements.identity;
        Ok(self.client.conditional(&own.replace, values).await?
            || self.mark(name).await?.as_deref() == Some(next))
    }

    /// Removes what is noted, if that is `before`.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_mark(&self, name: &str, before: &[u8]) -> Result<(), StoreError> {
        let values = bind![name, before];
        self.client
            .conditional(&self.statements.identity.remove, values)
            .await
            .map(drop)
    }

    /// Whether a service ever started on this keyspace.
    ///
    /// # Errors
    /// The store's.
    pub async fn has_served(&self) -> Result<bool, StoreError> {
        let found: Option<scylla::value::Row> =
            self.client.first(&self.statements.identity.node, bind![]).await?;
        Ok(found.is_some())
    }
}
