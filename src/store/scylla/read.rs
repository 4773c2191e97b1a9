//! How rows look once they are read.

use std::str::FromStr;

use mitalk_actors::id::ParseError;
use mitalk_actors::tables::Change;
use mitalk_cluster::WriteId;
use mitalk_cluster::store::StoreError;
use scylla::deserialize::row::DeserializeRow;

use super::fault::corrupt;

/// A row that owns what it holds; columns are found by their names.
pub(super) trait Stored: for<'f, 'm> DeserializeRow<'f, 'm> + Send + 'static {}

impl<R: for<'f, 'm> DeserializeRow<'f, 'm> + Send + 'static> Stored for R {}

pub(super) fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| corrupt(format!("a number is negative ({value})")))
}

pub(super) fn write_id(bytes: &[u8]) -> Result<WriteId, StoreError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| corrupt(format!("a write id has {} bytes", bytes.len())))?;
    Ok(WriteId(u128::from_be_bytes(bytes)))
}

/// A column that each row has.
pub(super) fn present<T>(column: Option<T>, name: &str) -> Result<T, StoreError> {
    column.ok_or_else(|| corrupt(format!("column {name} is missing")))
}

/// A row of a read table that is kept as it came.
#[derive(scylla::DeserializeRow)]
pub(super) struct StoredChange {
    pub(super) change: Option<Vec<u8>>,
}

impl StoredChange {
    pub(super) fn change(self) -> Option<Result<Change, StoreError>> {
        Some(read_change(&self.change?))
    }
}

pub(super) fn read_change(change: &[u8]) -> Result<Change, StoreError> {
    Change::read(change).map_err(corrupt)
}

pub(super) fn misplaced(change: &Change) -> StoreError {
    corrupt(format!(
        "a change of table {} lies in another table",
        change.table()
    ))
}

pub(super) fn id<T: FromStr<Err = ParseError>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(corrupt)
}

/// Where a page begins: ids are sorted as their text, and no id is the empty text.
pub(super) fn behind<T: ToString>(after: Option<T>) -> String {
    after.map(|id| id.to_string()).unwrap_or_default()
}
