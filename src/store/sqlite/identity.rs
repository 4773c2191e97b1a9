//! What the database belongs to, beside the tables of any port.
//!
//! Numbers are found by a keyed hash (see [`crate::secrets`]), so a database is worth nothing with another key, and worse:
//! people would sign up anew beside their old accounts. The key's fingerprint is written once, with the first start, and
//! compared at each later one.

use mitalk_cluster::store::StoreError;
use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::fault::Fault;
use crate::store::WrittenWith;

/// The row with the fingerprint of the lookup key.
const LOOKUP_KEY: &str = "lookup-key";

impl Store {
    /// Which lookup key the database was written with.
    ///
    /// # Errors
    /// The store's.
    pub async fn written_with(&self) -> Result<WrittenWith, StoreError> {
        self.read(|connection| Ok(written_with(connection)?)).await
    }

    /// Notes the fingerprint of the lookup key that it is written with from now on.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_key(&self, fingerprint: &[u8]) -> Result<(), StoreError> {
        let fingerprint = fingerprint.to_vec();
        self.write(move |connection| note_key(connection, &fingerprint))
            .await
    }
}

pub(super) fn written_with(connection: &Connection) -> rusqlite::Result<WrittenWith> {
    let key = connection
        .query_row(
            "SELECT value FROM identity WHERE name = ?1",
            [LOOKUP_KEY],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(key) = key {
        return Ok(WrittenWith::Key(key));
    }
    // The cluster's own rows come with the first start; people's numbers are behind entities of this kind only.
    let used: bool = connection.query_row(
        "SELECT exists(SELECT 1 FROM entity WHERE kind = 'phone')",
        [],
        |row| row.get(0),
    )?;
    Ok(if used {
        WrittenWith::Unknown
    } else {
        WrittenWith::Nothing
    })
}

fn note_key(connection: &Connection, fingerprint: &[u8]) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT INTO identity (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")?
        .execute(rusqlite::params![LOOKUP_KEY, fingerprint])?;
    Ok(())
}
