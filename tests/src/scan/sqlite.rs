//! The tables of the embedded store; its events are among them.

use super::{Cell, table_of};
use anyhow::Result;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// All cells of a database.
///
/// # Errors
/// It cannot be read.
pub fn cells(path: &Path) -> Result<Vec<Cell>> {
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
            let kind: Option<String> = match table.as_str() {
                "entity" => row.get("kind")?,
                _ => None,
            };
            let place = table_of(&table, kind.as_deref());
            for (index, column) in columns.iter().enumerate() {
                cells.push(Cell::new(&place, column, bytes(row.get_ref(index)?)));
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
