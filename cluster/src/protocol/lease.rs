//! A node's own lease: incarnation, beats, and until when it holds (rules 1 and 2).
//!
//! Invariants:
//! * `base` is the time before the **first** send of the confirmed beat, however often it was sent again.
//! * Once the hold ended, however shortly and whether or not anybody asked, the generation is raised: every shard
//!   of an older generation is lost (rule 2).
//! * A renewal that is refused ends the process: another one has the name.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::backoff::Backoff;
use crate::id::NodeId;
use crate::store::{Cas, NodeRow, NodeWrite, StoreError};
use crate::time::BootInstant;

/// Until when the lease holds, and in which generation. Cheap to copy and to share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Raised whenever the hold ended in between.
    pub(crate) generation: u64,
    /// Exclusive.
    pub(crate) until: BootInstant,
}

impl Hold {
    /// Rule 1: `now < base + 2/3 TTL`, for what was started in `generation`.
    pub(crate) fn holds(&self, generation: u64, now: BootInstant) -> bool {
        self.generation == generation && now < self.until
    }
}

#[derive(Debug)]
pub(crate) enum Input {
    /// The answer to [`Output::Read`].
    Read(Result<Option<NodeRow>, StoreError>),
    /// The answer to [`Output::Write`].
    Written(Result<Cas<Option<NodeRow>>, StoreError>),
    /// [`Lease::wake`] has come.
    Tick,
    /// All shards are stopped and handed over, or dropped: give the lease up.
    Release,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Read,
    Write(NodeWrite),
    /// The start's compare-and-set was applied.
    Started {
        incarnation: u64,
    },
    /// The hold changed; a higher generation means that all shards were lost.
    Held(Hold),
    /// Another process has this node's name, or the lease was released.
    Ended {
        refused: bool,
    },
}

/// The lease of this node.
#[derive(Debug)]
pub(crate) struct Lease {
    node: NodeId,
    ttl: Duration,
    interval: Duration,
    /// The store keeps all others out: the hold has no bound in time.
    exclusive: bool,
    state: State,
    hold: Hold,
    backoff: Backoff,
    wake: Option<BootInstant>,
    release: bool,
}

#[derive(Debug)]
enum State {
    Reading,
    Raising {
        incarnation: u64,
        first_sent: BootInstant,
    },
    Resting {
        incarnation: u64,
        beat: u64,
    },
    Renewing {
        write: NodeWrite,
        first_sent: BootInstant,
        on_wire: bool,
    },
    Ended,
}

impl Lease {
    /// A start, which reads its row first; its generations come after `generation`.
    pub(crate) fn new(
        node: NodeId,
        ttl: Duration,
        interval: Duration,
        exclusive: bool,
        generation: u64,
    ) -> (Self, Output) {
        let lease = Self {
            node,
            ttl,
            interval,
            exclusive,
            state: State::Reading,
            hold: Hold {
                generation,
                until: BootInstant::default(),
            },
            backoff: Backoff::store(),
            wake: None,
            release: false,
        };
        (lease, Output::Read)
    }

    /// When it wants a [`Input::Tick`].
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        self.wake
    }

    pub(crate) fn handle(&mut self, now: BootInstant, input: Input) -> Vec<Output> {
        match input {
            Input::Read(answer) => self.read(now, answer),
            Input::Written(answer) => self.written(now, answer),
            Input::Tick => self.tick(now),
            Input::Release => {
                self.release = true;
                // Rule 4: a released lease is taken over at once, so the hold ends before that is sent; a drain may
                // have given up on shards that still run.
                self.hold.until = BootInstant::default();
                let mut out = vec![Output::Held(self.hold)];
                if let State::Resting { .. } = self.state {
                    out.extend(self.renew(now));
                }
                out
            }
        }
    }

    fn read(&mut self, now: BootInstant, answer: Result<Option<NodeRow>, StoreError>) -> Vec<Output> {
        let row = match answer {
            Ok(row) => row,
            Err(_) => return self.wait(now),
        };
        // Rule 1: a start raises the incarnation by compare-and-set.
        let incarnation = row.as_ref().map_or(0, |r| r.incarnation) + 1;
        let previous = row.map(|r| (r.incarnation, r.beat));
        let next = NodeRow {
            incarnation,
            beat: 0,
            released: false,
        };
        self.state = State::Raising {
            incarnation,
            first_sent: now,
        };
        vec![Output::Write(NodeWrite {
            node: self.node.clone(),
            previous,
            next,
        })]
    }

    fn written(&mut self, now: BootInstant, answer: Result<Cas<Option<NodeRow>>, StoreError>) -> Vec<Output> {
        match &mut self.state {
            State::Raising {
                incarnation,
                first_sent,
            } => match answer {
                Ok(Cas::Applied) => {
                    let (incarnation, base) = (*incarnation, *first_sent);
                    let mut out = vec![Output::Started { incarnation }];
                    out.extend(self.confirmed(now, incarnation, 0, base));
                    out
                }
                // Unlike a renewal, a start is not settled by its identical statement: a second process of this name
                // may have raised to the very same number. It reads and raises again.
                Ok(Cas::Refused(_)) | Err(_) => {
                    self.state = State::Reading;
                    self.wait(now)
                }
            },
            State::Renewing {
                write,
                first_sent,
                on_wire,
            } => {
                *on_wire = false;
                let settled = match answer {
                    Ok(Cas::Applied) => true,
                    Ok(Cas::Refused(row)) if row.as_ref() == Some(&write.next) => true,
                    Ok(Cas::Refused(_)) => {
                        self.state = State::Ended;
                        self.wake = None;
                        return vec![Output::Ended { refused: true }];
                    }
                    Err(_) => false,
                };
                if !settled {
                    return self.wait(now);
                }
                let (next, base) = (write.next.clone(), *first_sent);
                if next.released {
                    self.state = State::Ended;
                    self.wake = None;
                    return vec![Output::Ended { refused: false }];
                }
                self.confirmed(now, next.incarnation, next.beat, base)
            }
            State::Reading | State::Resting { .. } | State::Ended => vec![],
        }
    }

    /// A beat is in the store: the hold counts from `base`.
    fn confirmed(&mut self, now: BootInstant, incarnation: u64, beat: u64, base: BootInstant) -> Vec<Output> {
        self.backoff.reset();
        self.state = State::Resting { incarnation, beat };
        if self.release {
            return self.renew(now);
        }
        let until = if self.exclusive {
            BootInstant(u64::MAX)
        } else {
            base + self.ttl * 2 / 3
        };
        // Rule 2: once it was false all shards are lost, also when nobody asked meanwhile.
        if now >= self.hold.until {
            self.hold.generation += 1;
        }
        self.hold.until = until;
        // A beat that took so long that it holds nothing any more is followed by the next at once.
        let holds = now < until;
        self.wake = Some(if holds { base + self.interval } else { now });
        vec![Output::Held(self.hold)]
    }

    fn tick(&mut self, now: BootInstant) -> Vec<Output> {
        if self.wake.is_none_or(|at| now < at) {
            return vec![];
        }
        self.wake = None;
        match &mut self.state {
            State::Reading => vec![Output::Read],
            State::Resting { .. } => self.renew(now),
            // Rule 1: an unknown renewal is settled by the identical statement; `first_sent` stays.
            State::Renewing { write, on_wire, .. } if !*on_wire => {
                *on_wire = true;
                vec![Output::Write(write.clone())]
            }
            State::Raising { .. } | State::Renewing { .. } | State::Ended => vec![],
        }
    }

    fn renew(&mut self, now: BootInstant) -> Vec<Output> {
        let State::Resting { incarnation, beat } = self.state else {
            return vec![];
        };
        let next = NodeRow {
            incarnation,
            beat: beat + 1,
            released: self.release,
        };
        let write = NodeWrite {
            node: self.node.clone(),
            previous: Some((incarnation, beat)),
            next,
        };
        self.state = State::Renewing {
            write: write.clone(),
            first_sent: now,
            on_wire: true,
        };
        self.wake = None;
        vec![Output::Write(write)]
    }

    fn wait(&mut self, now: BootInstant) -> Vec<Output> {
        self.wake = Some(now + self.backoff.fail().min(self.interval));
        vec![]
    }

    /// The shortcut "counting the hold from a resend", for the simulation that must catch it.
    #[cfg(test)]
    pub(crate) fn count_from_resend(&mut self, now: BootInstant) {
        if let State::Renewing { first_sent, .. } = &mut self.state {
            *first_sent = now;
        }
    }
}
