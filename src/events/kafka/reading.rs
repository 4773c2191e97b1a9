//! Reading a topic for no group: for the export of the audit and for lists of dead letters. Blocks.

use super::client::Context;
use mitalk_actors::ports::Place;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A page takes no longer.
const LIMIT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

/// Why a page was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The brokers stopped answering in the middle.
    #[error("the topic was not read in time")]
    Slow,
}

/// Hands `take` up to `max` messages that lie behind these places now.
pub(super) fn read(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    after: &[Place],
    max: usize,
    mut take: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), Error> {
    let mut ends = assign(consumer, topic, after)?;
    let (began, mut taken) = (Instant::now(), 0);
    while !ends.is_empty() && taken < max {
        if began.elapsed() > LIMIT {
            return Err(Error::Slow);
        }
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let partition = message.partition();
                let Some(end) = ends.get(&partition).copied() else {
                    continue;
                };
                // What came since the page was begun is for the next one.
                if message.offset() < end {
                    take(&message);
                    taken += 1;
                }
                if message.offset() + 1 >= end {
                    ends.remove(&partition);
                }
            }
            // Compaction may have removed the last ones.
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ends.remove(&partition)),
            Some(Err(error)) => tracing::debug!(%error, "nothing received"),
            None => {}
        }
    }
    Ok(())
}

/// Points the consumer behind the places; where each partition with something to read ends.
fn assign(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    after: &[Place],
) -> Result<HashMap<i32, i64>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let partitions = metadata
        .topics()
        .first()
        .map_or(&[][..], |topic| topic.partitions());
    let (mut list, mut ends) = (TopicPartitionList::new(), HashMap::new());
    for partition in partitions.iter().map(|partition| partition.id()) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER)?;
        let passed = after
            .iter()
            .find(|place| i64::from(place.partition) == i64::from(partition));
        let next = passed
            .and_then(|place| i64::try_from(place.offset + 1).ok())
            .unwrap_or(0);
        let from = next.max(low);
        if from < high {
            list.add_partition_offset(topic, partition, Offset::Offset(from))?;
            ends.insert(partition, high);
        }
    }
    consumer.assign(&list)?;
    Ok(ends)
}
