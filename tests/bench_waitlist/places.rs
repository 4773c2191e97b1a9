//! What it costs to ask for one's place.

use anyhow::{Context as _, Result};
use mitalk::client::Client;
use mitalk_tests::measure::{Table, times};
use mitalk_tests::server::Server;

/// People who ask at the same moment.
const AT_ONCE: usize = 32;
const QUESTIONS: usize = 20_000;

/// Of people all along the line, and of the last one, from a node that has answered once.
pub(crate) async fn measure(server: &Server, head: &[Client], last: &Client) -> Result<()> {
    let ticket = last.me().await?.ticket.context("the last one waits")?;
    println!(
        "  the last one has ticket {} and {} ahead",
        ticket.number, ticket.ahead
    );
    let (mut table, count) = (Table::default(), times(QUESTIONS));
    let http = async |_: usize| {
        server.client.service().await?;
        Ok(None)
    };
    table
        .row("a request without the store", count, AT_ONCE, http)
        .await?;
    // A step that is prime to their number: from all over the head, so that blocks are found cold as well.
    let anybody = async |n: usize| {
        head[n * 7_919 % head.len()].me().await?;
        Ok(None)
    };
    table
        .row("place, anybody of the head", count, AT_ONCE, anybody)
        .await?;
    let of_last = async |_: usize| {
        last.me().await?;
        Ok(None)
    };
    table.row("place, the last one", count, AT_ONCE, of_last).await?;
    Ok(())
}
