//! How rows look once they are read.

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
