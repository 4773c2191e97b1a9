//! Which events of a topic are done, and up to where a group's place may therefore move. Pure.
//!
//! Invariants: a place never moves over an event that is not done; it never goes back; what is kept is what was handed out
//! since the oldest event that is not done, so whoever stops asking for more at a bound bounds this, too.

use crate::ports::Place;
use std::collections::{HashMap, VecDeque};

/// The events handed out, by partition.
#[derive(Default)]
pub(super) struct Done(HashMap<u32, Partition>);

#[derive(Default)]
struct Partition {
    /// Counts how often it began anew.
    run: u64,
    /// The newest that was handed out in this run.
    newest: Option<u64>,
    /// From the oldest that is not done on, in order: offset, and whether it is done.
    given: VecDeque<(u64, bool)>,
}

/// One event that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    place: Place,
    run: u64,
}

impl Done {
    /// An event was handed out. One that does not lie behind all the others begins its partition anew: this member lost the
    /// partition and got it back, at the committed place. If another member had moved that further than what was handed out
    /// here, it goes on as if nothing was: what is still under way holds the place up until it is done, and the subscription
    /// passes over places from before the loss.
    pub(super) fn given(&mut self, place: Place) -> Ticket {
        let partition = self.0.entry(place.partition).or_default();
        if partition.newest.is_some_and(|newest| place.offset <= newest) {
            partition.run += 1;
            partition.given.clear();
        }
        partition.newest = Some(place.offset);
        partition.given.push_back((place.offset, false));
        Ticket {
            place,
            run: partition.run,
        }
    }

    /// It is done; the place that the group may move to, if that is another one now.
    pub(super) fn done(&mut self, ticket: Ticket) -> Option<Place> {
        let partition = self.0.get_mut(&ticket.place.partition)?;
        if partition.run != ticket.run {
            return None;
        }
        let given = &mut partition.given;
        let at = given
            .binary_search_by_key(&ticket.place.offset, |(offset, _)| *offset)
            .ok()?;
        given[at].1 = true;
        let mut moved = None;
        while let Some((offset, true)) = given.front().copied() {
            given.pop_front();
            moved = Some(offset);
        }
        let partition = ticket.place.partition;
        moved.map(|offset| Place { partition, offset })
    }

    /// Events that hold their partition's place, or wait behind one that does.
    pub(super) fn under_way(&self) -> usize {
        self.0.values().map(|partition| partition.given.len()).sum()
    }

    /// Partitions with at least so many of these.
    pub(super) fn full(&self, bound: usize) -> Vec<u32> {
        let full = self.0.iter().filter(|(_, held)| held.given.len() >= bound);
        full.map(|(partition, _)| *partition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const PARTITIONS: u32 = 3;

    #[derive(Clone, Debug)]
    enum Step {
        /// Hands out an event, so many offsets behind the newest.
        Give { partition: u32, gap: u64 },
        /// One of those under way is done.
        Finish(prop::sample::Index),
        /// The partition is lost and begins again at its committed place.
        Begin { partition: u32 },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..PARTITIONS, 1..5_u64).prop_map(|(partition, gap)| Step::Give { partition, gap }),
            4 => any::<prop::sample::Index>().prop_map(Step::Finish),
            1 => (0..PARTITIONS).prop_map(|partition| Step::Begin { partition }),
        ];
        prop::collection::vec(step, 0..200)
    }

    fn place(partition: u32, offset: u64) -> Place {
        Place { partition, offset }
    }

    proptest! {
        #[test]
        fn a_place_moves_over_all_that_is_done_and_never_over_what_is_not(steps in steps()) {
            let mut done = Done::default();
            // What the newest run of each partition handed out: whether it is done.
            let mut model = BTreeMap::<Place, (Ticket, bool)>::new();
            let mut committed = [0_u64; PARTITIONS as usize];
            let mut newest = [0_u64; PARTITIONS as usize];
            let mut stale: Vec<Ticket> = vec![];
            for step in steps {
                match step {
                    Step::Give { partition, gap } => {
                        let offset = newest[partition as usize] + gap;
                        newest[partition as usize] = offset;
                        let at = place(partition, offset);
                        model.insert(at, (done.given(at), false));
                    }
                    Step::Finish(index) => {
                        let open: Vec<Place> = model.iter().filter(|(_, (_, done))| !done).map(|(at, _)| *at).collect();
                        if open.is_empty() {
                            continue;
                        }
                        let at = open[index.index(open.len())];
                        let entry = model.get_mut(&at).unwrap();
                        entry.1 = true;
                        let moved = done.done(entry.0);
                        let own = || model.range(place(at.partition, 0)..=place(at.partition, u64::MAX));
                        let prefix = own().take_while(|(_, (_, done))| *done).last().map(|(at, _)| at.offset);
                        let before = committed[at.partition as usize];
                        let expected = prefix.filter(|offset| *offset > before);
                        prop_assert_eq!(moved, expected.map(|offset| place(at.partition, offset)));
                        if let Some(offset) = expected {
                            committed[at.partition as usize] = offset;
                        }
                    }
                    Step::Begin { partition } => {
                        let from = committed[partition as usize] + 1;
                        if newest[partition as usize] < from {
                            continue;
                        }
                        let own: Vec<Place> = model.keys().filter(|at| at.partition == partition).copied().collect();
                        stale.extend(own.iter().filter_map(|at| model.remove(at)).map(|(ticket, _)| ticket));
                        newest[partition as usize] = from;
                        model.insert(place(partition, from), (done.given(place(partition, from)), false));
                    }
                }
                for ticket in &stale {
                    prop_assert_eq!(done.done(*ticket), None, "an earlier run moves nothing");
                }
                let held = |partition: u32| {
                    let own = model.range(place(partition, 0)..=place(partition, u64::MAX));
                    own.filter(|(at, _)| at.offset > committed[partition as usize]).count()
                };
                prop_assert_eq!(done.under_way(), (0..PARTITIONS).map(held).sum::<usize>());
                let mut full = done.full(3);
                full.sort_unstable();
                prop_assert_eq!(full, (0..PARTITIONS).filter(|p| held(*p) >= 3).collect::<Vec<_>>());
            }
        }
    }
}
