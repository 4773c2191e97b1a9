//! Whole tables, for whoever compares them with what lies elsewhere. Partitions come in no order.

use mitalk_cluster::store::StoreError;
use scylla::value::CqlValue;

use super::Store;
use super::bind::bind;
use super::fault::corrupt;
use crate::store::row::{Cell, Row};

impl Store {
    /// Hands every row that a statement without values gives to `take`.
    ///
    /// # Errors
    /// The store's; a table that was not read to its end was not read.
    pub async fn scan(&self, text: &str, mut take: impl FnMut(Row)) -> Result<(), StoreError> {
        let prepared = self.client.prepare_read(text).await;
        let statement = prepared.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let taken = |row: scylla::value::Row| {
            let cells: Result<Row, _> = row.columns.into_iter().map(cell).collect();
            cells.map(&mut take)
        };
        self.client.each(&statement, bind![], taken).await
    }
}

fn cell(value: Option<CqlValue>) -> Result<Cell, StoreError> {
    Ok(match value {
        None => Cell::Null,
        Some(CqlValue::Int(number)) => Cell::Integer(number.into()),
        Some(CqlValue::BigInt(number)) => Cell::Integer(number),
        Some(CqlValue::Boolean(yes)) => Cell::Integer(yes.into()),
        Some(CqlValue::Text(text)) => Cell::Text(text),
        Some(CqlValue::Blob(blob)) => Cell::Blob(blob),
        Some(other) => return Err(corrupt(format!("a column has the type of {other:?}"))),
    })
}
