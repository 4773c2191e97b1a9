//! The tables of a keyspace.

use super::{Cell, table_of};
use anyhow::{Result, bail};
use futures::TryStreamExt as _;
use scylla::client::session::Session;
use scylla::value::{CqlValue, Row};

/// All cells of the tables that the cluster says are there.
///
/// # Errors
/// The cluster does not answer, or a column is of a type that the schema had not.
pub async fn cells(session: &Session, keyspace: &str) -> Result<Vec<Cell>> {
    let tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let tables = session.query_unpaged(tables, (keyspace,)).await?;
    let tables = tables.into_rows_result()?;
    let mut cells = Vec::new();
    for table in tables.rows::<(String,)>()? {
        let (table,) = table?;
        cells.extend(Box::pin(table_cells(session, keyspace, &table)).await?);
    }
    Ok(cells)
}

async fn table_cells(session: &Session, keyspace: &str, table: &str) -> Result<Vec<Cell>> {
    let rows = session
        .query_iter(format!("SELECT * FROM {keyspace}.{table}"), ())
        .await?;
    let columns: Vec<String> = rows
        .column_specs()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let kind = columns.iter().position(|column| column == "kind");
    let mut rows = rows.rows_stream::<Row>()?;
    let mut cells = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let kind = kind.and_then(|at| row.columns.get(at)?.as_ref()?.as_text());
        let place = table_of(table, kind.map(String::as_str));
        for (column, value) in columns.iter().zip(&row.columns) {
            cells.push(Cell::new(&place, column, bytes(value.as_ref())?));
        }
    }
    Ok(cells)
}

/// Of the types that the schema has. Another one must not be passed over.
fn bytes(value: Option<&CqlValue>) -> Result<Vec<u8>> {
    Ok(match value {
        None => Vec::new(),
        Some(CqlValue::Text(text)) => text.clone().into_bytes(),
        Some(CqlValue::Blob(bytes)) => bytes.clone(),
        Some(CqlValue::BigInt(number)) => number.to_string().into_bytes(),
        Some(CqlValue::Int(number)) => number.to_string().into_bytes(),
        Some(CqlValue::Boolean(yes)) => yes.to_string().into_bytes(),
        Some(other) => bail!("the scan does not know how {other:?} is written"),
    })
}
