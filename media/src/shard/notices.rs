//! What callers still have to be told, when they read slowly.
//!
//! One entry per session, holding what was told and what is true now: a client whose network flaps while nobody reads
//! costs no memory and makes no noise. That a session is gone is never lost.

use crate::{Gone, Link, SessionEvent, SessionKey};
use std::collections::{HashMap, VecDeque};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Link(Link),
    Gone(Gone),
}

#[derive(Debug)]
struct Entry {
    told: Link,
    truth: Truth,
    queued: bool,
}

/// Sessions with news, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    entries: HashMap<SessionKey, Entry>,
    queue: VecDeque<SessionKey>,
}

impl Notices {
    /// A session begins, connecting.
    pub(super) fn begin(&mut self, session: SessionKey) {
        let entry = Entry {
            told: Link::Connecting,
            truth: Truth::Link(Link::Connecting),
            queued: false,
        };
        self.entries.insert(session, entry);
    }

    pub(super) fn link(&mut self, session: SessionKey, link: Link) {
        self.set(session, Truth::Link(link));
    }

    pub(super) fn end(&mut self, session: SessionKey, why: Gone) {
        self.set(session, Truth::Gone(why));
    }

    /// All that have not ended do so. Returns how many.
    pub(super) fn end_all(&mut self, why: Gone) -> u64 {
        let living = |(session, entry): (&SessionKey, &Entry)| {
            matches!(entry.truth, Truth::Link(_)).then_some(*session)
        };
        let living: Vec<SessionKey> = self.entries.iter().filter_map(living).collect();
        living.iter().for_each(|session| self.end(*session, why));
        living.len() as u64
    }

    fn set(&mut self, session: SessionKey, truth: Truth) {
        let entry = self.entries.get_mut(&session);
        if let Some(entry) = entry.filter(|entry| !matches!(entry.truth, Truth::Gone(_))) {
            entry.truth = truth;
            if !std::mem::replace(&mut entry.queued, true) {
                self.queue.push_back(session);
            }
        }
    }

    /// Hands out news until `deliver` takes no more (returns false).
    pub(crate) fn flush(&mut self, mut deliver: impl FnMut(SessionEvent) -> bool) {
        while let Some(&session) = self.queue.front() {
            let Some(entry) = self.entries.get_mut(&session) else {
                self.queue.pop_front();
                continue;
            };
            let Some((event, told)) = news(session, entry) else {
                entry.queued = false;
                self.queue.pop_front();
                continue;
            };
            if !deliver(event) {
                return;
            }
            match told {
                Some(link) => entry.told = link,
                None => {
                    self.entries.remove(&session);
                }
            }
        }
    }
}

/// The next event, and what is told by it; `None` as the latter for the last one.
fn news(session: SessionKey, entry: &Entry) -> Option<(SessionEvent, Option<Link>)> {
    match (entry.told, entry.truth) {
        (_, Truth::Gone(why)) => Some((SessionEvent::Gone { session, why }, None)),
        (Link::Connecting, Truth::Link(Link::Up | Link::Silent)) => {
            Some((SessionEvent::Up { session }, Some(Link::Up)))
        }
        (Link::Up, Truth::Link(Link::Silent)) => Some((SessionEvent::Silent { session }, Some(Link::Silent))),
        (Link::Silent, Truth::Link(Link::Up)) => Some((SessionEvent::Back { session }, Some(Link::Up))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionKey = SessionKey(7);

    fn all(notices: &mut Notices) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        notices.flush(|event| {
            events.push(event);
            true
        });
        events
    }

    #[test]
    fn flapping_while_nobody_reads_leaves_one_piece_of_news() {
        let (session, mut notices) = (SESSION, Notices::default());
        notices.begin(session);
        notices.link(session, Link::Up);
        notices.flush(|_| false);
        for _ in 0..1000 {
            notices.link(session, Link::Silent);
            notices.link(session, Link::Up);
        }
        assert_eq!(all(&mut notices), [SessionEvent::Up { session }]);
        notices.link(session, Link::Silent);
        notices.link(session, Link::Up);
        assert_eq!(all(&mut notices), []);
    }

    #[test]
    fn the_end_is_told_once_and_last() {
        let (session, mut notices) = (SESSION, Notices::default());
        notices.begin(session);
        notices.link(session, Link::Silent);
        assert_eq!(
            all(&mut notices),
            [SessionEvent::Up { session }, SessionEvent::Silent { session }]
        );
        notices.end(session, Gone::GraceOver);
        notices.flush(|_| false);
        notices.link(SessionKey(8), Link::Up);
        assert_eq!(
            all(&mut notices),
            [SessionEvent::Gone {
                session,
                why: Gone::GraceOver
            }]
        );
        notices.link(session, Link::Up);
        assert_eq!(all(&mut notices), []);
    }

    #[test]
    fn the_end_of_all_leaves_those_who_ended_before_their_reason() {
        let mut notices = Notices::default();
        for key in 1..=3 {
            notices.begin(SessionKey(key));
        }
        notices.end(SessionKey(1), Gone::Removed);
        assert_eq!(notices.end_all(Gone::Failed), 2);
        let mut ends: Vec<_> = all(&mut notices)
            .into_iter()
            .map(|event| match event {
                SessionEvent::Gone { session, why } => (session.0, why),
                other => panic!("{other:?}"),
            })
            .collect();
        ends.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(ends, [(1, Gone::Removed), (2, Gone::Failed), (3, Gone::Failed)]);
    }
}
