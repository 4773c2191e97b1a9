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
        let values = bind![LOOKUP_KEY];
        let found: Option<StoredIdentity> = self.client.first(&self.statements.identity.read, values).await?;
        Ok(found.map_or(WrittenWith::Nothing, |found| WrittenWith::Key(found.value)))
    }

    /// Notes the fingerprint of the lookup key that it is written with from now on; gives what is noted: of two nodes that
    /// start at once with different keys the later one finds the other's.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_key(&self, fingerprint: &[u8]) -> Result<WrittenWith, StoreError> {
        let values = bind![LOOKUP_KEY, fingerprint];
        if self
            .client
            .conditional(&self.statements.identity.note, values)
            .await?
        {
            return Ok(WrittenWith::Key(fingerprint.to_vec()));
        }
        self.written_with().await
    }
}
