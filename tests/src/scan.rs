//! Everything that a store keeps, cell by cell, for tests that look for what must not be there.
//!
//! What is looked at are values, whatever store they came from: another store only needs a function of its own that gives
//! its cells under the same places.

use anyhow::Result;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeSet;
use std::path::Path;

/// A value and where it lies: `table.column`, for entities `entity[kind].column`.
#[derive(Clone, Debug)]
pub struct Cell {
    /// See the type.
    pub place: String,
    /// Text and blobs as they are, numbers as their digits.
    pub bytes: Vec<u8>,
}

/// All cells of an SQLite database.
///
/// # Errors
/// It cannot be read.
pub fn sqlite(path: &Path) -> Result<Vec<Cell>> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut cells = Vec::new();
    for table in tables {
        let mut rows = database.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let kind = match table.as_str() {
                "entity" => format!("entity[{}]", row.get::<_, String>("kind")?),
                _ => table.clone(),
            };
            for (index, column) in columns.iter().enumerate() {
                let place = format!("{kind}.{column}");
                let bytes = bytes(row.get_ref(index)?);
                cells.push(Cell { place, bytes });
            }
        }
    }
    Ok(cells)
}

fn bytes(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => Vec::new(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
    }
}

/// The places in which a text is found, in any case.
pub fn places(cells: &[Cell], text: &str) -> BTreeSet<String> {
    let found = cells.iter().filter(|cell| contains(&cell.bytes, text));
    found.map(|cell| cell.place.clone()).collect()
}

/// Whether the bytes have the text in them, in any case of its ASCII letters.
pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}
