//! A row as every store shows it, so that what lies in one can be compared with what lies in another.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// A column's value. Booleans are 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cell {
    /// None.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The columns in the order in which they were asked for.
pub type Row = Vec<Cell>;

/// What a set of rows comes to, in whatever order they were read: how many, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many.
    pub rows: u64,
    sum: u128,
}

impl Digest {
    /// One more row.
    pub fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash(row));
    }
}

/// The first half of a row's SHA-256. Every value says its type and length, so no two rows have the same bytes.
pub fn hash(row: &[Cell]) -> u128 {
    let mut bytes = Vec::new();
    for cell in row {
        let (kind, value): (u8, &[u8]) = match cell {
            Cell::Null => (0, &[]),
            Cell::Integer(number) => (1, &number.to_be_bytes()),
            Cell::Text(text) => (2, text.as_bytes()),
            Cell::Blob(blob) => (3, blob),
        };
        bytes.push(kind);
        bytes.extend((value.len() as u64).to_be_bytes());
        bytes.extend(value);
    }
    let hashed = digest(&SHA256, &bytes);
    let half = hashed.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    u128::from_be_bytes(*half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[Row]) -> Digest {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest
    }

    #[test]
    fn the_order_of_rows_does_not_count_and_everything_else_does() {
        let text = |text: &str| Cell::Text(text.into());
        let (a, b) = (vec![text("a"), Cell::Integer(1)], vec![text("b"), Cell::Null]);
        assert_eq!(of(&[a.clone(), b.clone()]), of(&[b.clone(), a.clone()]));
        assert_ne!(of(&[a.clone(), a.clone()]), of(&[a.clone(), b]));
        assert_ne!(of(std::slice::from_ref(&a)), of(&[a.clone(), a]));
        let (split, joined) = (vec![text("a"), text("bc")], vec![text("ab"), text("c")]);
        assert_ne!(hash(&split), hash(&joined));
        assert_ne!(hash(&[Cell::Blob(vec![])]), hash(&[Cell::Null]));
    }
}
