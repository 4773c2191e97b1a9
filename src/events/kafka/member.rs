//! A member of a consumer group, for one topic.
//!
//! Invariants:
//! - what the client has handed over and the group has not got yet is kept: a call that is dropped loses nothing;
//! - a partition that is full is paused at the client, so that it fetches no more of it, and still asks in time for the
//!   others: whoever does not ask is put out of the group. What is wanted is written down before the client is asked, and
//!   whoever asks it, however late, asks for what is wanted by then;
//! - a rebalance takes place where events are asked for: whoever repeats a call that fails asks as well, or the call might
//!   wait for the rebalance, and the rebalance for whoever repeats the call;
//! - marks are in the ledger before the place is committed; neither goes back. What belongs to partitions that this member has
//!   lost is forgotten: if one comes back, only what was handed out since then moves its place. The brokers would take any.

use super::client::Context;
use super::record;
use super::to_store_error;
use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mitalk_actors::ports::{Batch, Delivered, Ledger, Mark, Place, Subscription};
use mitalk_cluster::EntityId;
use mitalk_cluster::store::StoreError;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A poll waits so long for the first event.
const WAIT: Duration = Duration::from_millis(250);
/// Marks that are written to the ledger at a time.
const AT_ONCE: usize = 16;
/// Messages that wait here, beyond which no more are taken over together: two batches of a consumer.
const KEPT: usize = 128;
/// Events and complaints that one poll takes over.
const TAKEN_OVER: usize = 4_096;

/// The member. Leaving the group blocks for a moment, so that happens on a thread of its own.
pub(super) struct Member {
    consumer: Option<Arc<StreamConsumer<Context>>>,
    group: String,
    /// As the service calls it.
    topic: String,
    /// As the brokers call it.
    wire_topic: String,
    ledger: Arc<dyn Ledger>,
    /// One call at a time asks the client for events.
    kept: tokio::sync::Mutex<Kept>,
    pauses: Arc<Pauses>,
    /// The first offset that a commit may pass, by partition: what was handed out first since the partition is ours, and then
    /// what lies behind the newest commit.
    next: Mutex<HashMap<u32, u64>>,
}

#[derive(Default)]
struct Kept {
    waiting: VecDeque<Delivered>,
    /// Certainly paused at the client, and nothing else; not known while a call, perhaps a dropped one, changes that.
    paused: Option<BTreeSet<u32>>,
}

/// Partitions that are paused. The client keeps a pause even while another member has the partition.
#[derive(Default)]
struct Pauses {
    wanted: Mutex<BTreeSet<u32>>,
    /// Whatever may be paused at the client; locked while it is asked to change that.
    paused: Mutex<BTreeSet<u32>>,
}

impl Pauses {
    fn want(&self, full: &BTreeSet<u32>) {
        full.clone_into(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes the client do what is wanted now. Blocks.
    fn apply(&self, consumer: &StreamConsumer<Context>, topic: &str) -> Result<(), KafkaError> {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        consumer.resume(&list(topic, &(&*paused - &wanted)))?;
        let more = &wanted - &*paused;
        *paused = wanted;
        consumer.pause(&list(topic, &more))
    }
}

impl Member {
    pub(super) fn new(
        consumer: StreamConsumer<Context>,
        ledger: Arc<dyn Ledger>,
        group: &str,
        topic: &str,
        wire_topic: String,
    ) -> Result<Self, KafkaError> {
        consumer.subscribe(&[&wire_topic])?;
        consumer.context().link.joined();
        Ok(Self {
            consumer: Some(Arc::new(consumer)),
            group: group.to_owned(),
            topic: topic.to_owned(),
            wire_topic,
            ledger,
            kept: tokio::sync::Mutex::default(),
            pauses: Arc::default(),
            next: Mutex::default(),
        })
    }

    fn consumer(&self) -> &Arc<StreamConsumer<Context>> {
        self.consumer.as_ref().expect("it is only taken by drop")
    }

    /// Takes over what the client has, waiting for the first of it. While no broker answers it complains again and again,
    /// faster than it is asked here, and what it has to complain of lies before what comes afterwards: all of it is passed
    /// over together. The link's state has told already.
    async fn fill(&self, kept: &mut Kept) {
        for taken in 0..TAKEN_OVER {
            let next = match taken {
                0 => tokio::time::timeout(WAIT, self.consumer().recv()).await.ok(),
                _ => self.consumer().recv().now_or_never(),
            };
            match next {
                Some(Ok(message)) => self.keep(kept, &message),
                Some(Err(error)) => {
                    tracing::debug!(%error, group = self.group, topic = self.topic, "nothing received");
                }
                None => break,
            }
            if kept.waiting.len() >= KEPT {
                break;
            }
        }
        self.forget_lost(kept);
    }

    fn keep(&self, kept: &mut Kept, message: &rdkafka::message::BorrowedMessage<'_>) {
        // The partitions change inside of a receiving, before the first message that comes by the new order.
        self.forget_lost(kept);
        kept.waiting.push_back(record::delivered(message));
    }

    fn forget_lost(&self, kept: &mut Kept) {
        let lost = self.consumer().context().take_lost();
        if lost.is_empty() {
            return;
        }
        kept.waiting
            .retain(|delivered| !lost.contains(&delivered.place.partition));
        self.next().retain(|partition, _| !lost.contains(partition));
    }

    /// Stops fetching what is full, goes on with what is not any more. Dropped in the middle, it is done again.
    async fn pause(&self, kept: &mut Kept, full: &[u32]) -> Result<(), StoreError> {
        let full: BTreeSet<u32> = full.iter().copied().collect();
        if kept.paused.as_ref() == Some(&full) {
            return Ok(());
        }
        kept.paused = None;
        self.pauses.want(&full);
        let (pauses, topic) = (self.pauses.clone(), self.wire_topic.clone());
        self.aside(move |consumer| pauses.apply(consumer, &topic))
            .await?
            .map_err(to_store_error)?;
        kept.paused = Some(full);
        Ok(())
    }

    /// Lets the client do what it does only where events are asked for, after a call that failed and will be repeated. All
    /// partitions are paused meanwhile, so that repeats pile up nothing; the next poll that asks for more takes that back.
    async fn serve(&self, kept: &mut Kept) {
        let Ok(Ok(all)) = self.aside(assigned).await else {
            return;
        };
        let all: Vec<u32> = all.into_iter().collect();
        if self.pause(kept, &all).await.is_ok() {
            self.fill(kept).await;
        }
    }

    /// Runs what waits for the client off the runtime's workers.
    async fn aside<T: Send + 'static>(
        &self,
        run: impl FnOnce(&StreamConsumer<Context>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<Result<T, KafkaError>, StoreError> {
        let consumer = self.consumer().clone();
        tokio::task::spawn_blocking(move || run(&consumer))
            .await
            .map_err(|error| StoreError::Unknown(error.to_string()))
    }

    async fn try_commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError> {
        let record = |mark: Mark| async move {
            let Mark { source, sequence } = mark;
            self.ledger
                .record(&self.group, &self.topic, &source, sequence)
                .await
        };
        stream::iter(dealt.to_vec())
            .map(record)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        self.forget_lost(&mut *self.kept.lock().await);
        let moves = self.moves(places);
        if moves.is_empty() {
            return Ok(());
        }
        let (topic, places) = (self.wire_topic.clone(), moves.clone());
        match self
            .aside(move |consumer| commit(consumer, &topic, &places))
            .await?
        {
            Ok(()) => {}
            // Whoever has the partitions now begins where we were before, and finds in the ledger what we did.
            Err(error) if is_lost(&error) => return Ok(()),
            Err(error) => return Err(to_store_error(error)),
        }
        let behind = moves.into_iter().map(|place| (place.partition, place.offset + 1));
        self.next().extend(behind);
        Ok(())
    }

    /// Those that lie in what was handed out since their partitions are ours, behind what was committed.
    fn moves(&self, places: &[Place]) -> Vec<Place> {
        let next = self.next();
        let is_new = |place: &&Place| {
            let next = next.get(&place.partition);
            next.is_some_and(|next| *next <= place.offset)
        };
        places.iter().filter(is_new).copied().collect()
    }

    fn next(&self) -> MutexGuard<'_, HashMap<u32, u64>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn assigned(consumer: &StreamConsumer<Context>) -> Result<BTreeSet<u32>, KafkaError> {
    let assignment = consumer.assignment()?;
    let partitions = assignment.elements().into_iter();
    Ok(partitions
        .filter_map(|element| u32::try_from(element.partition()).ok())
        .collect())
}

fn list(topic: &str, partitions: &BTreeSet<u32>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, number(*partition));
    }
    list
}

/// Commits those places whose partitions are ours, as the brokers want them: the next offset.
fn commit(consumer: &StreamConsumer<Context>, topic: &str, places: &[Place]) -> Result<(), KafkaError> {
    let (assigned, mut list) = (assigned(consumer)?, TopicPartitionList::new());
    for place in places.iter().filter(|place| assigned.contains(&place.partition)) {
        let next = i64::try_from(place.offset + 1).unwrap_or(i64::MAX);
        list.add_partition_offset(topic, number(place.partition), Offset::Offset(next))?;
    }
    if list.count() == 0 {
        return Ok(());
    }
    consumer.commit(&list, CommitMode::Sync)
}

#[async_trait]
impl Subscription for Member {
    async fn poll(&self, max: usize, full: &[u32]) -> Result<Batch, StoreError> {
        let mut kept = self.kept.lock().await;
        // A call that was dropped may have heard of it.
        self.forget_lost(&mut kept);
        let is_free = |delivered: &Delivered| !full.contains(&delivered.place.partition);
        if !kept.waiting.iter().any(is_free) {
            self.pause(&mut kept, full).await?;
            self.fill(&mut kept).await;
        }
        let given: Vec<usize> = (0..kept.waiting.len())
            .filter(|index| is_free(&kept.waiting[*index]))
            .take(max)
            .collect();
        if given.is_empty() {
            return Ok(vec![]);
        }
        let sources: Vec<EntityId> = given
            .iter()
            .map(|index| kept.waiting[*index].event.source.clone())
            .collect();
        let recorded = match self.ledger.recorded(&self.group, &self.topic, &sources).await {
            Ok(recorded) => recorded,
            Err(error) => {
                self.serve(&mut kept).await;
                return Err(error);
            }
        };
        // Nothing is awaited from here on: a call that was dropped has handed out nothing.
        let mut recorded = recorded.into_iter();
        let (mut batch, mut rest) = (Vec::with_capacity(given.len()), VecDeque::new());
        for (index, mut delivered) in mem::take(&mut kept.waiting).into_iter().enumerate() {
            if given.binary_search(&index).is_ok() {
                delivered.recorded = recorded.next().unwrap_or_default();
                let Place { partition, offset } = delivered.place;
                self.next().entry(partition).or_insert(offset);
                batch.push(delivered);
            } else {
                rest.push_back(delivered);
            }
        }
        kept.waiting = rest;
        Ok(batch)
    }

    async fn commit(&self, dealt: &[Mark], places: &[Place]) -> Result<(), StoreError> {
        let outcome = self.try_commit(dealt, places).await;
        if outcome.is_err() {
            self.serve(&mut *self.kept.lock().await).await;
        }
        outcome
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        let leave = move || {
            let link = consumer.as_ref().map(|consumer| consumer.context().link.clone());
            drop(consumer);
            if let Some(link) = link {
                link.left();
            }
        };
        // Without a thread for it, the consumer is dropped here and blocks for that moment.
        let _ = std::thread::Builder::new()
            .name("kafka-leave".to_owned())
            .spawn(leave);
    }
}

/// Whether a commit failed because this member is none any more.
fn is_lost(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::AssignmentLost
        )
    )
}

fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
