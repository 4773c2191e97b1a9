//! The records of topics, as the brokers keep them: also what no consumer of ours would look at.

use super::Cell;
use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::{Duration, Instant};

const ANSWER: Duration = Duration::from_secs(10);
/// For everything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keys, values and headers of everything in a topic up to now; places are `name.key` and so on. It waits for the brokers
/// without letting go of its thread.
///
/// # Errors
/// The brokers do not answer.
pub fn cells(brokers: &str, topic: &str, name: &str) -> Result<Vec<Cell>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "scan")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let found = metadata.topics().first().context("the topic")?;
    ensure!(found.error().is_none(), "{name}: {:?}", found.error());
    let partitions = found.partitions();
    ensure!(!partitions.is_empty(), "{name} has no partitions");
    let mut cells = Vec::new();
    for partition in partitions {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), ANSWER)?;
        if first < end {
            let mut from = TopicPartitionList::new();
            from.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
            consumer.assign(&from)?;
            cells.extend(read(&consumer, end, name)?);
        }
    }
    Ok(cells)
}

/// Of the one partition that is assigned.
fn read(consumer: &BaseConsumer, end: i64, name: &str) -> Result<Vec<Cell>> {
    let (begun, mut cells) = (Instant::now(), Vec::new());
    loop {
        ensure!(begun.elapsed() < PATIENCE, "{name} did not come to its end");
        let Some(message) = consumer.poll(ANSWER) else {
            continue;
        };
        let message = message?;
        cells.extend(record(&message, name));
        if message.offset() + 1 >= end {
            return Ok(cells);
        }
    }
}

fn record(message: &BorrowedMessage<'_>, name: &str) -> Vec<Cell> {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.flat_map(|header| {
        let value = header.value.unwrap_or_default();
        [header.key.as_bytes(), value].map(|bytes| Cell::new(name, "headers", bytes.to_vec()))
    });
    let key = message.key().unwrap_or_default().to_vec();
    let value = message.payload().unwrap_or_default().to_vec();
    headers
        .chain([Cell::new(name, "key", key), Cell::new(name, "value", value)])
        .collect()
}
