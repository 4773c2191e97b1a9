//! Events of one source in order, those of different sources side by side. Pure.

use super::done::Ticket;
use crate::ports::Delivered;
use mitalk_cluster::EntityId;
use std::collections::{HashMap, VecDeque};

/// An event that was handed out and is not done.
pub(super) struct Item {
    pub(super) delivered: Delivered,
    pub(super) ticket: Ticket,
}

/// Sources with an event under way, and what waits behind it.
#[derive(Default)]
pub(super) struct Lanes(HashMap<EntityId, Lane>);

#[derive(Default)]
struct Lane {
    /// What is done of this source and perhaps not recorded where the waiting ones were read.
    newest: u64,
    waiting: VecDeque<Item>,
}

/// What becomes of an event whose turn it is.
pub(super) enum Turn {
    /// It is to be dealt with; then [`Lanes::finished`].
    Deal(Item),
    /// Nothing is owed for it.
    Settled(Item),
}

impl Lanes {
    /// Takes an event in. Those whose turn it is now, in their order.
    pub(super) fn put(&mut self, group: &str, item: Item) -> Vec<Turn> {
        let source = item.delivered.event.source.clone();
        if let Some(lane) = self.0.get_mut(&source) {
            lane.waiting.push_back(item);
            return vec![];
        }
        let waiting = VecDeque::from([item]);
        self.0.insert(source.clone(), Lane { newest: 0, waiting });
        self.turns(group, &source)
    }

    /// The event under way is done. Those whose turn it is now, in their order.
    pub(super) fn finished(&mut self, group: &str, source: &EntityId, sequence: u64) -> Vec<Turn> {
        if let Some(lane) = self.0.get_mut(source) {
            lane.newest = lane.newest.max(sequence);
        }
        self.turns(group, source)
    }

    fn turns(&mut self, group: &str, source: &EntityId) -> Vec<Turn> {
        let mut turns = vec![];
        while let Some(lane) = self.0.get_mut(source) {
            match lane.waiting.pop_front() {
                None => drop(self.0.remove(source)),
                Some(item) if item.delivered.is_settled(group, lane.newest) => {
                    turns.push(Turn::Settled(item))
                }
                Some(item) => {
                    turns.push(Turn::Deal(item));
                    break;
                }
            }
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::super::done::Done;
    use super::*;
    use crate::ports::Place;
    use mitalk_cluster::store::Event;
    use mitalk_cluster::{Timestamp, Trace};
    use proptest::prelude::*;

    fn item(done: &mut Done, offset: u64, source: u8, sequence: u64) -> Item {
        let place = Place { partition: 0, offset };
        let event = Event {
            source: EntityId::new("lane", &source.to_string()),
            sequence,
            at: Timestamp(0),
            payload: vec![],
            trace: Trace::default(),
        };
        Item {
            delivered: Delivered {
                place,
                event,
                recorded: 0,
                again_for: None,
                unreadable: None,
            },
            ticket: done.given(place),
        }
    }

    proptest! {
        /// Repeats of earlier events land anywhere behind them.
        #[test]
        fn each_event_is_dealt_with_once_in_its_sources_order(
            sources in prop::collection::vec((0..4_u8, any::<bool>(), 1..4_u64), 0..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 200),
        ) {
            let (mut done, mut lanes) = (Done::default(), Lanes::default());
            let mut next = [0_u64; 4];
            let mut running: Vec<Item> = vec![];
            let mut dealt: Vec<(EntityId, u64)> = vec![];
            let mut take = |turns: Vec<Turn>, running: &mut Vec<Item>| {
                for turn in turns {
                    if let Turn::Deal(item) = turn {
                        dealt.push((item.delivered.event.source.clone(), item.delivered.event.sequence));
                        running.push(item);
                    }
                }
            };
            let mut order = order.into_iter();
            for (offset, (source, is_repeat, back)) in sources.into_iter().enumerate() {
                let newest = &mut next[source as usize];
                let is_repeat = is_repeat && *newest > 0;
                let sequence = if is_repeat { newest.saturating_sub(back).max(1) } else { *newest + 1 };
                let before = *newest;
                *newest = sequence.max(before);
                let mut item = item(&mut done, offset as u64, source, sequence);
                // Of a lane that is empty again, the log gives with the event what was recorded.
                let is_busy = running.iter().any(|other| other.delivered.event.source == item.delivered.event.source);
                item.delivered.recorded = if is_busy { 0 } else { before };
                let turns = lanes.put("g", item);
                take(turns, &mut running);
                prop_assert!(running.len() <= 4, "one of a source at a time");
                if let Some(index) = order.next() && !running.is_empty() {
                    let item = running.swap_remove(index.index(running.len()));
                    let event = item.delivered.event;
                    let turns = lanes.finished("g", &event.source, event.sequence);
                    take(turns, &mut running);
                }
            }
            while let Some(item) = running.pop() {
                let event = item.delivered.event;
                let turns = lanes.finished("g", &event.source, event.sequence);
                take(turns, &mut running);
            }
            for source in 0..4_u8 {
                let id = EntityId::new("lane", &source.to_string());
                let own: Vec<u64> = dealt.iter().filter(|(from, _)| *from == id).map(|(_, sequence)| *sequence).collect();
                prop_assert_eq!(own, (1..=next[source as usize]).collect::<Vec<_>>());
            }
            prop_assert!(lanes.0.is_empty(), "nothing stays behind");
        }
    }
}
