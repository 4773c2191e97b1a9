//! Everything that a store or a topic keeps, cell by cell, for tests that look for what must not be there.
//!
//! What is looked at are values, whatever they came from: each kind of parts has a function that gives its cells.

pub mod cql;
pub mod sqlite;
pub mod topics;

use std::collections::BTreeSet;

/// A value and where it lies: `table.column`, for entities `entity[kind].column`, for topics `topic.part`.
#[derive(Clone, Debug)]
pub struct Cell {
    /// See the type.
    pub place: String,
    /// Text and blobs as they are, numbers as their digits.
    pub bytes: Vec<u8>,
}

impl Cell {
    fn new(table: &str, column: &str, bytes: Vec<u8>) -> Self {
        let place = format!("{table}.{column}");
        Self { place, bytes }
    }
}

/// What a row of this table is told apart by: entities of all kinds share one table.
fn table_of(table: &str, kind: Option<&str>) -> String {
    match (table, kind) {
        ("entity", Some(kind)) => format!("entity[{kind}]"),
        _ => table.to_owned(),
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
