//! When which session wants attention: a heap with lazy deletion.
//!
//! A session's due time changes with nearly every datagram, mostly to later. So the heap keeps the earlier entry, and
//! when that comes up too early, the session is asked again: no entry is ever moved.

use crate::egress::Member;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Member)>>,
    /// By member: when it wants attention, and the earliest entry in the heap.
    wanted: Vec<Option<Instant>>,
    queued: Vec<Option<Instant>>,
}

impl Timers {
    pub(super) fn set(&mut self, member: Member, due: Instant) {
        let at = member.0 as usize;
        if at >= self.wanted.len() {
            self.wanted.resize(at + 1, None);
            self.queued.resize(at + 1, None);
        }
        self.wanted[at] = Some(due);
        self.queue(member, due);
    }

    pub(super) fn clear(&mut self, member: Member) {
        if let Some(wanted) = self.wanted.get_mut(member.0 as usize) {
            *wanted = None;
        }
    }

    /// The next time to call [`Timers::pop`].
    pub(super) fn due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// A session whose time has come. It must be set again.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Member> {
        while self.due().is_some_and(|due| due <= now) {
            let Reverse((due, member)) = self.heap.pop()?;
            let at = member.0 as usize;
            if self.queued[at] != Some(due) {
                continue;
            }
            self.queued[at] = None;
            match self.wanted[at] {
                Some(wanted) if wanted <= now => {
                    self.wanted[at] = None;
                    return Some(member);
                }
                Some(wanted) => self.queue(member, wanted),
                None => {}
            }
        }
        None
    }

    fn queue(&mut self, member: Member, due: Instant) {
        let queued = &mut self.queued[member.0 as usize];
        if queued.is_none_or(|earlier| due < earlier) {
            *queued = Some(due);
            self.heap.push(Reverse((due, member)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_comes_up_once_at_its_newest_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let (a, b, c) = (Member(0), Member(1), Member(2));
        timers.set(a, at(10));
        timers.set(a, at(30));
        timers.set(b, at(20));
        timers.set(b, at(5));
        timers.set(c, at(1));
        timers.clear(c);
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(timers.pop(at(29)), Some(b));
        assert_eq!(timers.pop(at(29)), None);
        assert_eq!(timers.pop(at(30)), Some(a));
        assert_eq!((timers.pop(at(99)), timers.due()), (None, None));
    }

    #[test]
    fn the_heap_does_not_grow_with_changes() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for ms in 0..10_000 {
            timers.set(Member(0), start + Duration::from_millis(ms));
        }
        assert_eq!(timers.heap.len(), 1);
    }
}
