//! Comparing: how many rows there are on both sides, and what they come to.

use super::tables::Table;
use super::{Error, Line, PAGE, of};
use crate::store::row::Digest;
use crate::store::sqlite::Source;
use crate::store::{scylla, sqlite};
use mitalk_cluster::store::StoreError;

/// A table, unless it is not compared.
pub(super) async fn table(
    source: &sqlite::Store,
    target: &scylla::Store,
    table: &Table,
) -> Result<Option<Line>, Error> {
    let Some(scan) = table.scan else { return Ok(None) };
    let read = Source {
        only: table.compared,
        ..table.source
    };
    let mut here = Digest::default();
    let scanned = target.scan(scan.cql, |row| {
        if let Some(row) = (scan.pick)(row) {
            here.add(&row);
        }
    });
    let (there, ()) = futures::try_join!(digest(source, read), scanned).map_err(of(table.name))?;
    Ok(Some(line(table.name, there, here)))
}

pub(super) fn line(name: &str, there: Digest, here: Digest) -> Line {
    Line {
        name: name.to_owned(),
        source: there.rows,
        target: here.rows,
        same: there == here,
    }
}

async fn digest(source: &sqlite::Store, read: Source) -> Result<Digest, StoreError> {
    let (mut digest, mut after) = (Digest::default(), None);
    loop {
        let page = source.page(read, after, PAGE).await?;
        page.iter().for_each(|row| digest.add(row));
        match page.last() {
            Some(last) => after = Some(last.clone()),
            None => return Ok(digest),
        }
    }
}
