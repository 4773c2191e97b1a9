//! Whole tables, page by page in the order of their keys, and notes beside them: for whoever moves them elsewhere.

use mitalk_cluster::store::StoreError;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::Store;
use super::fault::Fault;
use super::value::{collect, limit};
use crate::store::row::{Cell, Row};

/// What is read of a table.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The table.
    pub table: &'static str,
    /// The columns; the first of them are its key.
    pub columns: &'static [&'static str],
    /// How many.
    pub key: usize,
    /// Which rows; all: `true`.
    pub only: &'static str,
}

impl Store {
    /// Up to `rows` rows behind `after`, of which only the key counts.
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &self,
        source: Source,
        after: Option<Row>,
        rows: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.read(move |connection| page(connection, source, after.as_deref(), rows))
            .await
    }

    /// A note of this name.
    ///
    /// # Errors
    /// The store's.
    pub async fn noted(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection| {
            let mut query = connection.prepare_cached("SELECT value FROM identity WHERE name = ?1")?;
            Ok(query.query_row([name], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Keeps a note, in place of the one before.
    ///
    /// # Errors
    /// The store's.
    pub async fn note(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_vec());
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO identity (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![name, value])?;
            Ok(())
        })
        .await
    }

    /// Removes all notes whose names begin like this.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, prefix: &'static str) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM identity WHERE substr(name, 1, length(?1)) = ?1")?
                .execute([prefix])?;
            Ok(())
        })
        .await
    }
}

fn page(
    connection: &Connection,
    source: Source,
    after: Option<&[Cell]>,
    rows: usize,
) -> Result<Vec<Row>, Fault> {
    let Source { table, only, .. } = source;
    let (columns, key) = (source.columns.join(", "), source.columns[..source.key].join(", "));
    let places = vec!["?"; source.key].join(", ");
    let behind = match after {
        Some(_) => format!("({key}) > ({places})"),
        None => "true".to_owned(),
    };
    let mut query = connection.prepare_cached(&format!(
        "SELECT {columns} FROM {table} WHERE {behind} AND {only} ORDER BY {key} LIMIT {}",
        limit(rows)
    ))?;
    let bound = after.map_or(&[][..], |after| &after[..source.key]);
    let count = source.columns.len();
    collect(query.query(params_from_iter(bound))?, |row| {
        (0..count).map(|column| cell(row.get_ref(column)?)).collect()
    })
}

fn cell(value: ValueRef<'_>) -> Result<Cell, Fault> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Cell::Blob(blob.to_vec()),
        ValueRef::Real(_) => return Err(Fault::Corrupt("no column is a fraction".to_owned())),
    })
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Blob(blob) => ToSqlOutput::Borrowed(ValueRef::Blob(blob)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{Metrics, Options};
    use mitalk_actors::ports::Ledger as _;
    use mitalk_cluster::EntityId;
    use prometheus::Registry;

    const CONSUMED: Source = Source {
        table: "consumed",
        columns: &["name", "topic", "kind", "key", "sequence"],
        key: 4,
        only: "sequence > 1",
    };

    #[tokio::test]
    async fn pages_follow_each_other_without_gap_or_repeat() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let store = Store::open(&directory.path().join("mitalk.db"), &Options::default(), metrics).unwrap();
        for n in 1..=23 {
            let source = EntityId::new(["a", "b"][n % 2], &n.to_string());
            store.record("g", "t", &source, n as u64).await.unwrap();
        }
        let (mut after, mut found) = (None, vec![]);
        loop {
            let page = store.page(CONSUMED, after.clone(), 5).await.unwrap();
            assert!(page.len() <= 5);
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            found.extend(page);
        }
        let mut sequences: Vec<_> = found.iter().map(|row| row[4].clone()).collect();
        sequences.sort();
        assert_eq!(sequences, (2..=23).map(Cell::Integer).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn notes_are_replaced_and_forgotten_by_their_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let store = Store::open(&directory.path().join("mitalk.db"), &Options::default(), metrics).unwrap();
        store.note_key(b"key").await.unwrap();
        store.note("copy-a", b"1").await.unwrap();
        store.note("copy-a", b"2").await.unwrap();
        assert_eq!(store.noted("copy-a").await.unwrap().as_deref(), Some(&b"2"[..]));
        store.forget("copy").await.unwrap();
        assert_eq!(store.noted("copy-a").await.unwrap(), None);
        assert_eq!(
            store.noted("lookup-key").await.unwrap().as_deref(),
            Some(&b"key"[..])
        );
    }
}
