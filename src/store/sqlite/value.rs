//! How ids and numbers look in a column.
//!
//! SQLite's integers are signed 64-bit. Counters and times never come near the sign, but `u64::MAX` is how code says
//! "no bound", so numbers saturate instead of failing; order is kept. Write ids are 16 bytes, most significant first,
//! so that they sort like the numbers they are.

use mitalk_cluster::{EntityId, WriteId};
use rusqlite::Row;

use super::fault::Fault;

pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(super) fn bytes(id: WriteId) -> [u8; 16] {
    id.0.to_be_bytes()
}

/// Reads what [`integer`] wrote.
pub(super) fn unsigned(row: &Row, column: usize) -> Result<u64, Fault> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Fault::Corrupt(format!("a stored number is negative ({value})")))
}

pub(super) fn from_bytes(bytes: [u8; 16]) -> WriteId {
    WriteId(u128::from_be_bytes(bytes))
}

/// Reads what [`bytes`] wrote.
pub(super) fn write_id(row: &Row, column: usize) -> Result<WriteId, Fault> {
    Ok(from_bytes(row.get(column)?))
}

/// Reads an entity's kind and key from two columns.
pub(super) fn entity(row: &Row, kind: usize) -> Result<EntityId, Fault> {
    Ok(EntityId::new(
        row.get_ref(kind)?.as_str().map_err(from_sql)?,
        row.get_ref(kind + 1)?.as_str().map_err(from_sql)?,
    ))
}

fn from_sql(error: rusqlite::types::FromSqlError) -> Fault {
    Fault::Corrupt(format!("a stored name is not text ({error})"))
}

/// All rows of a query, decoded.
pub(super) fn collect<T>(
    mut rows: rusqlite::Rows,
    decode: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(row)?);
    }
    Ok(found)
}

/// The first row of a query, decoded, if there is one.
pub(super) fn first<T>(
    mut rows: rusqlite::Rows,
    decode: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    rows.next()?.map(decode).transpose()
}
