//! The joins of a run: each at the time it is due, some of them at once, none of them without a limit.

use crate::cli::Join;
use crate::ear::Ear;
use crate::media::Media;
use crate::peer::Role;
use crate::people::Person;
use crate::report::Times;
use crate::run::Stop;
use crate::sockets::Sockets;
use anyhow::Context;
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Kinds of failure that are told apart; all others are one.
const MAX_KINDS: usize = 10;
const OTHER: &str = "other failures";

/// What became of the joins.
#[derive(Debug, Default)]
pub struct Joins {
    /// From due to first audio.
    pub first_audio: Times,
    /// From due to the answer of the request.
    pub request: Times,
    joined: u32,
    failed: BTreeMap<String, u32>,
    /// From the first due to the last done.
    took: Duration,
}

impl Joins {
    /// Listeners who heard a speaker.
    pub fn joined(&self) -> u32 {
        self.joined
    }

    /// Joins that were refused or took too long.
    pub fn failed(&self) -> u32 {
        self.failed.values().sum()
    }

    /// Joins done per second.
    pub fn per_second(&self) -> f64 {
        if self.took.is_zero() {
            0.0
        } else {
            f64::from(self.joined) / self.took.as_secs_f64()
        }
    }

    /// Why joins failed, and how often, the most frequent first.
    pub fn failures(&self) -> Vec<(String, u32)> {
        let mut all: Vec<_> = self.failed.clone().into_iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    fn note(&mut self, outcome: anyhow::Result<Timing>) {
        match outcome {
            Ok(times) => {
                self.joined += 1;
                self.request.note(times.request);
                self.first_audio.note(times.first_audio);
            }
            Err(error) => {
                let why = format!("{error:#}");
                let known = self.failed.len() < MAX_KINDS || self.failed.contains_key(&why);
                *self
                    .failed
                    .entry(if known { why } else { OTHER.to_owned() })
                    .or_default() += 1;
            }
        }
    }
}

/// Of one join, from when it was due.
struct Timing {
    request: Duration,
    first_audio: Duration,
}

/// Makes the joins.
#[derive(Debug)]
pub struct Arrivals<'a> {
    /// Rate, concurrency, time-out.
    pub args: &'a Join,
    /// Joins them.
    pub media: &'a Media,
    /// Holds their live sockets; none with `--no-sockets`.
    pub sockets: Option<&'a Sockets>,
    /// Ends it early.
    pub stop: Stop,
}

impl Arrivals<'_> {
    /// Makes all joins: who, into which room, and the ear that judges. `progress` is told how many joined and failed.
    pub async fn all(&self, plan: Vec<(Person, String, Ear)>, mut progress: impl FnMut(u32, u32)) -> Joins {
        let (mut joins, start) = (Joins::default(), Instant::now());
        let mut stop = self.stop.clone();
        let mut under_way = FuturesUnordered::new();
        let mut waiting = plan.into_iter().zip(0..).peekable();
        while !*stop.borrow() && (waiting.peek().is_some() || !under_way.is_empty()) {
            let room_for_more = under_way.len() < self.args.concurrency;
            let next_due = waiting
                .peek()
                .filter(|_| room_for_more)
                .map(|(_, n)| start + self.args.due(*n));
            tokio::select! {
                () = until(next_due) => {
                    if let (Some(due), Some(((person, room, ear), _))) = (next_due, waiting.next()) {
                        under_way.push(self.one(person, room, ear, due));
                    }
                }
                Some(outcome) = under_way.next() => {
                    joins.note(outcome);
                    joins.took = start.elapsed();
                    progress(joins.joined(), joins.failed());
                }
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
        joins
    }

    async fn one(&self, mut person: Person, room: String, ear: Ear, due: Instant) -> anyhow::Result<Timing> {
        let limit = self.args.join_timeout.saturating_sub(due.elapsed());
        let (first_audio, heard) = oneshot::channel();
        let role = Role::Listener {
            ear,
            first_audio: Some(first_audio),
        };
        let mut placed = None;
        let joining = async {
            person.stay_signed_in().await?;
            let socket = match self.sockets {
                Some(sockets) => Some(sockets.open(&person).await?),
                None => None,
            };
            placed = Some(self.media.join(&person, &room, role, socket).await?.0);
            let request = due.elapsed();
            let first_audio = heard.await.context("the media thread gave it up")?;
            anyhow::Ok(Timing {
                request,
                first_audio: first_audio.saturating_duration_since(due),
            })
        };
        let outcome = tokio::time::timeout(limit, joining).await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("nothing heard in time (--join-timeout)")));
        if let (Err(_), Some(placed)) = (&outcome, placed) {
            self.media.remove(placed).await?;
        }
        outcome
    }
}

/// Waits until then; for ever without a time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_kind_and_their_kinds_are_bounded() {
        let mut joins = Joins::default();
        for n in 0..100 {
            joins.note(Err(anyhow::anyhow!("kind {}", n % 20)));
        }
        joins.note(Ok(Timing {
            request: Duration::from_millis(5),
            first_audio: Duration::from_millis(50),
        }));
        assert_eq!((joins.joined(), joins.failed()), (1, 100));
        let failures = joins.failures();
        assert_eq!(failures.len(), MAX_KINDS + 1);
        assert_eq!(failures[0], (OTHER.to_owned(), 50));
    }
}
