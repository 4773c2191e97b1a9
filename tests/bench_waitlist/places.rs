//! What it costs to ask for one's place.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use hdrhistogram::Histogram;
use mitalk::client::Client;
use mitalk_tests::server::Server;

use crate::scaled;

/// People who ask at the same moment.
const AT_ONCE: usize = 32;
const QUESTIONS: usize = 20_000;
/// Microseconds, to a minute, in three digits.
const LONGEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// Of people all along the line, and of the last one, from a node that has answered once.
pub(crate) async fn measure(server: &Server, head: &[Client], last: &Client) -> Result<()> {
    let ticket = last.me().await?.ticket.context("the last one waits")?;
    println!(
        "  the last one has ticket {} and {} ahead",
        ticket.number, ticket.ahead
    );
    let http = ask(|_| async {
        server.client.service().await?;
        Ok(())
    });
    row("a request without the store", http.await?);
    let spread = ask(|n| {
        // A step that is prime to their number: from all over the head, so that blocks are found cold as well.
        let client = &head[n * 7_919 % head.len()];
        async move { Ok(client.me().await.map(drop)?) }
    });
    row("place, anybody of the head", spread.await?);
    row(
        "place, the last one",
        ask(|_| async { Ok(last.me().await.map(drop)?) }).await?,
    );
    Ok(())
}

async fn ask<F: Future<Output = Result<()>>>(question: impl Fn(usize) -> F) -> Result<(f64, Histogram<u64>)> {
    let mut latency = Histogram::new_with_max(LONGEST_US, DIGITS)?;
    let (begun, count) = (Instant::now(), scaled(QUESTIONS));
    let questions = (0..count).map(|n| {
        let question = question(n);
        async {
            let begun = Instant::now();
            question.await?;
            Ok::<_, anyhow::Error>(begun.elapsed())
        }
    });
    let mut questions = futures::stream::iter(questions).buffer_unordered(AT_ONCE);
    while let Some(took) = questions.next().await {
        latency.saturating_record(u64::try_from(took?.as_micros())?);
    }
    Ok((count as f64 / begun.elapsed().as_secs_f64(), latency))
}

fn row(what: &str, (per_second, latency): (f64, Histogram<u64>)) {
    let ms = |q| Duration::from_micros(latency.value_at_quantile(q)).as_secs_f64() * 1_000.0;
    println!(
        "  {what:<32}{per_second:>8.0} per s, p50 {:.2} ms, p99 {:.2} ms",
        ms(0.5),
        ms(0.99)
    );
}
