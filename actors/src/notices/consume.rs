//! One group's reading of one topic: polls, deals with events side by side, records what is done.
//!
//! Each source has a lane, in which one event at a time is tried until it is done or a dead letter; a lane that waits before
//! the next try holds nobody up. Effect first, then the mark of its source, then the place, which moves over what is done
//! without a gap ([`Done`]). A crash anywhere in between repeats events that were not marked.
//!
//! Bounds: [`AT_ONCE`] tries at a time (of pushes [`PUSHES_AT_ONCE`]), [`UNDER_WAY`] events of a partition from its
//! oldest that is not done; at that bound the partition is not read any further, which
//! `mitalk_people_events_under_way` and `.._full_total` show.

use super::done::{Done, Ticket};
use super::lanes::{Item, Lanes, Turn};
use super::{Consumer, Failed};
use crate::events;
use crate::ports::{Batch, DeadLetter, Delivered, Mark, Place, Subscription};
use mitalk_cluster::EntityId;
use mitalk_cluster::store::Event;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;

/// Events that one poll takes.
const BATCH: usize = 64;
/// Tries at a time. Most of them wait for an entity or the provider.
const AT_ONCE: usize = 64;
/// The same of pushes: more than all push services but one can hold up, so the one that answers always gets its messages.
/// The adapter's bounds per push service are by this.
const PUSHES_AT_ONCE: usize = crate::ports::PUSHES_UNDER_WAY + AT_ONCE;
/// Events of a partition that are kept in memory, from the oldest that is not done.
const UNDER_WAY: usize = 512;
/// Before the log is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(1);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Of a recording, behind which everything of the member waits, and its group where members share partitions anew.
const LAST_RECORD_RETRY: Duration = Duration::from_secs(2);

/// An event that needs nothing more.
struct Finished {
    ticket: Ticket,
    /// Absent where nothing had to be done.
    mark: Option<Mark>,
}

/// A member of a group at work.
struct Member {
    consumer: Arc<Consumer>,
    group: &'static str,
    topic: &'static str,
    subscription: Box<dyn Subscription>,
    done: Done,
    lanes: Lanes,
    /// One task per lane with an event under way: bounded by what is under way.
    running: JoinSet<Finished>,
    tries: Arc<Semaphore>,
    was_full: bool,
}

impl Consumer {
    /// Consumes a topic for a group, for ever.
    pub(crate) async fn run(self: Arc<Self>, group: &'static str, topic: &'static str) {
        let subscription = loop {
            match self.source.subscribe(group, topic).await {
                Ok(subscription) => break subscription,
                Err(error) => tracing::warn!(group, topic, %error, "event log not read"),
            }
            tokio::time::sleep(AGAIN).await;
        };
        let member = Member {
            consumer: self,
            group,
            topic,
            subscription,
            done: Done::default(),
            lanes: Lanes::default(),
            running: JoinSet::new(),
            tries: Arc::new(Semaphore::new(tries_of(topic))),
            was_full: false,
        };
        member.work().await;
    }
}

impl Member {
    async fn work(mut self) {
        loop {
            let full = self.done.full(UNDER_WAY);
            self.show(!full.is_empty());
            tokio::select! {
                biased;
                // A poll is dropped for this: what it hands out afterwards was compared with what is recorded by then.
                Some(finished) = self.running.join_next() => self.finish(finished).await,
                batch = self.subscription.poll(BATCH, &full) => match batch {
                    Ok(batch) => self.take(batch).await,
                    Err(error) => {
                        tracing::warn!(group = self.group, topic = self.topic, %error, "event log not read");
                        tokio::time::sleep(AGAIN).await;
                    }
                },
            }
        }
    }

    async fn take(&mut self, batch: Batch) {
        let mut settled = vec![];
        for delivered in batch {
            let ticket = self.done.given(delivered.place);
            let turns = self.lanes.put(self.group, Item { delivered, ticket });
            self.turn(turns, &mut settled);
        }
        self.record(settled).await;
    }

    /// Takes in what is done by now and, once that is recorded, lets the next of each source begin.
    async fn finish(&mut self, first: Result<Finished, JoinError>) {
        let mut all = vec![undisturbed(first)];
        while let Some(finished) = self.running.try_join_next() {
            all.push(undisturbed(finished));
        }
        let marks: Vec<Mark> = all.iter().filter_map(|finished| finished.mark.clone()).collect();
        self.record(all).await;
        let mut settled = vec![];
        for Mark { source, sequence } in marks {
            let turns = self.lanes.finished(self.group, &source, sequence);
            self.turn(turns, &mut settled);
        }
        self.record(settled).await;
    }

    fn turn(&mut self, turns: Vec<Turn>, settled: &mut Vec<Finished>) {
        for turn in turns {
            match turn {
                Turn::Settled(Item { ticket, .. }) => settled.push(Finished { ticket, mark: None }),
                Turn::Deal(Item { delivered, ticket }) => {
                    let (consumer, tries) = (self.consumer.clone(), self.tries.clone());
                    let (group, topic) = (self.group, self.topic);
                    let span = span_of(group, &delivered.event);
                    let deal = async move {
                        let mark = consumer.deal(group, topic, &delivered, &tries).await;
                        let mark = Some(mark);
                        Finished { ticket, mark }
                    };
                    self.running.spawn(deal.instrument(span));
                }
            }
        }
    }

    /// Records what is done, as often as it takes: nothing goes on that a crash would repeat without end.
    async fn record(&mut self, finished: Vec<Finished>) {
        let mut places = BTreeMap::<u32, Place>::new();
        for Finished { ticket, .. } in &finished {
            if let Some(place) = self.done.done(*ticket) {
                places.insert(place.partition, place);
            }
        }
        let marks = newest(finished.into_iter().filter_map(|finished| finished.mark));
        let places: Vec<Place> = places.into_values().collect();
        if marks.is_empty() && places.is_empty() {
            return;
        }
        let mut delay = FIRST_RETRY;
        while let Err(error) = self.subscription.commit(&marks, &places).await {
            tracing::warn!(group = self.group, topic = self.topic, %error, "what was dealt with is not recorded");
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LAST_RECORD_RETRY);
        }
    }

    fn show(&mut self, is_full: bool) {
        let metrics = &self.consumer.mitalk.metrics;
        metrics.events_under_way(self.group, self.topic, self.done.under_way());
        if is_full && !self.was_full {
            tracing::warn!(
                group = self.group,
                topic = self.topic,
                "too much is under way, the topic is not read on"
            );
            metrics.events_full(self.group);
        }
        self.was_full = is_full;
    }
}

impl Consumer {
    /// Tries an event until it is dealt with, or until it is a dead letter.
    async fn deal(&self, group: &'static str, topic: &str, delivered: &Delivered, tries: &Semaphore) -> Mark {
        let event = &delivered.event;
        let mut texts = self.sms.tries();
        let mut delay = FIRST_RETRY;
        loop {
            let tried = {
                // Closed by nobody.
                let _permit = tries.acquire().await;
                self.try_once(group, topic, delivered).await
            };
            let failed = match tried {
                Ok(()) => break self.mitalk.metrics.event(group, "dealt_with"),
                Err(Failed::NotTaken(why, _)) if texts.failed() => Failed::Never(why),
                Err(failed) => failed,
            };
            let (why, wait) = match failed {
                Failed::Later(why, wait) | Failed::NotTaken(why, wait) => (why, wait),
                Failed::Never(why) => match self.give_up(group, topic, event, &why).await {
                    Ok(()) => break,
                    Err(error) => (error.to_string(), None),
                },
            };
            self.mitalk.metrics.event(group, "again");
            tracing::warn!(topic, event = event.id(), %why, "event is tried again");
            tokio::time::sleep(wait.unwrap_or(delay).max(delay)).await;
            delay = (delay * 2).min(LAST_RETRY);
        }
        Mark {
            source: event.source.clone(),
            sequence: event.sequence,
        }
    }

    async fn try_once(&self, group: &str, topic: &str, delivered: &Delivered) -> Result<(), Failed> {
        match &delivered.unreadable {
            Some(why) => Err(Failed::Never(why.clone())),
            None => self.tell(group, topic, &delivered.event).await,
        }
    }

    async fn give_up(
        &self,
        group: &str,
        topic: &str,
        event: &Event,
        why: &str,
    ) -> Result<(), mitalk_cluster::StoreError> {
        tracing::error!(topic, event = event.id(), %why, "event goes to the dead letters");
        let letter = DeadLetter {
            group: group.to_owned(),
            topic: topic.to_owned(),
            event: event.clone(),
            reason: why.to_owned(),
            at: self.mitalk.clock.wall(),
        };
        self.letters.put(&letter).await?;
        self.mitalk.metrics.event(group, "dead");
        Ok(())
    }
}

fn tries_of(topic: &str) -> usize {
    if topic == events::PUSHES {
        PUSHES_AT_ONCE
    } else {
        AT_ONCE
    }
}

/// The last mark of each source.
fn newest(marks: impl Iterator<Item = Mark>) -> Vec<Mark> {
    let mut newest = BTreeMap::<EntityId, u64>::new();
    for Mark { source, sequence } in marks {
        let known = newest.entry(source).or_default();
        *known = sequence.max(*known);
    }
    newest
        .into_iter()
        .map(|(source, sequence)| Mark { source, sequence })
        .collect()
}

/// A task ends by itself; its panic is this job's, which the supervisor starts again at the committed places.
fn undisturbed(finished: Result<Finished, JoinError>) -> Finished {
    match finished {
        Ok(finished) => finished,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn span_of(group: &str, event: &Event) -> tracing::Span {
    tracing::info_span!("event", group, trace_id = event.trace.id())
}
