//! Entities that left memory although they owe rows, because a lane of theirs does not take them now.
//!
//! Invariants:
//! * They stay in the open list (rule 9): whoever owns the shard next activates them all (rule 6). What is remembered
//!   here is a part of that list.
//! * Whoever was tried less often goes first: those that can never pay keep nobody from coming back.
//! * Of each lane one is brought back now and then, ever more seldom, to see whether its rows get through; at once
//!   when another shard of the node says that rows do. Once they do, the others follow, [`REVIVALS`] at once, until
//!   as many in a row had to be parked again.
//! * Who was brought back keeps its place until it owes nothing, is parked again, or is used by somebody: however many
//!   are parked, they do not fill the node's memory.

use std::collections::{BTreeMap, HashMap};

use super::REVIVALS;
use crate::entity::Lane;
use crate::id::EntityId;
use crate::protocol::backoff::Backoff;
use crate::time::BootInstant;

#[derive(Debug, Default)]
pub(super) struct Parked {
    /// In the order of [`Lane::ALL`].
    lots: [Lot; Lane::ALL.len()],
    waiting: HashMap<EntityId, (Lane, Place)>,
    /// Brought back, and not done yet: of which lane, and how often.
    back: HashMap<EntityId, (Lane, u32)>,
    arrivals: u64,
}

/// How often it was brought back, and when it came among those.
type Place = (u32, u64);

/// Those whom one lane keeps.
#[derive(Debug)]
struct Lot {
    queue: BTreeMap<Place, EntityId>,
    /// How many are back.
    back: usize,
    /// Its rows get through: nobody waits for a probe.
    open: bool,
    /// Parked again since somebody's rows got through.
    misses: usize,
    probe: Option<BootInstant>,
    backoff: Backoff,
}

impl Default for Lot {
    fn default() -> Self {
        Self {
            queue: BTreeMap::new(),
            back: 0,
            open: false,
            misses: 0,
            probe: None,
            backoff: Backoff::probe(),
        }
    }
}

impl Parked {
    /// The entity left memory, because this lane does not take its rows.
    pub(super) fn park(&mut self, now: BootInstant, entity: EntityId, lane: Lane) {
        let tries = self.leave_back(&entity).filter(|(of, _)| *of == lane);
        let again = tries.is_some();
        self.leave(&entity);
        self.arrivals += 1;
        let place = (tries.map_or(0, |(_, tries)| tries), self.arrivals);
        self.waiting.insert(entity.clone(), (lane, place));
        let lot = &mut self.lots[lane as usize];
        lot.queue.insert(place, entity);
        if again {
            lot.misses += 1;
            lot.open &= lot.misses < REVIVALS;
        }
        if !lot.open && lot.probe.is_none() {
            lot.probe = Some(now + lot.backoff.fail());
        }
    }

    /// A row of an entity that was brought back got through. Whether that is news.
    pub(super) fn through(&mut self, entity: &EntityId, lane: Lane) -> bool {
        let is_of_it = self.back.get(entity).is_some_and(|(of, _)| *of == lane);
        if !is_of_it {
            return false;
        }
        let lot = &mut self.lots[lane as usize];
        lot.misses = 0;
        lot.probe = None;
        lot.backoff.reset();
        !std::mem::replace(&mut lot.open, true)
    }

    /// Rows of another shard's entities get through: whether those of this shard do is looked at now.
    pub(super) fn look(&mut self, now: BootInstant, lane: Lane) {
        let lot = &mut self.lots[lane as usize];
        lot.backoff.reset();
        if let Some(probe) = &mut lot.probe {
            *probe = now;
        }
    }

    /// The entity is somebody else's concern from now on: it owes nothing, is used, or has failed.
    pub(super) fn leave(&mut self, entity: &EntityId) {
        self.leave_back(entity);
        if let Some((lane, place)) = self.waiting.remove(entity) {
            self.lots[lane as usize].queue.remove(&place);
        }
    }

    fn leave_back(&mut self, entity: &EntityId) -> Option<(Lane, u32)> {
        let (lane, tries) = self.back.remove(entity)?;
        self.lots[lane as usize].back -= 1;
        Some((lane, tries))
    }

    /// Who is to be brought back now.
    pub(super) fn next(&mut self, now: BootInstant) -> Option<EntityId> {
        for (lot, lane) in self.lots.iter_mut().zip(Lane::ALL) {
            if lot.is_due(now)
                && let Some(((tries, _), entity)) = lot.queue.pop_first()
            {
                lot.probe = None;
                lot.back += 1;
                self.waiting.remove(&entity);
                self.back.insert(entity.clone(), (lane, tries + 1));
                return Some(entity);
            }
        }
        None
    }

    /// When [`Self::next`] is to be asked again.
    pub(super) fn wake(&self) -> Option<BootInstant> {
        let probing = self.lots.iter().filter(|l| !l.queue.is_empty() && !l.open);
        probing.filter_map(|l| l.probe).min()
    }
}

impl Lot {
    fn is_due(&self, now: BootInstant) -> bool {
        if self.open {
            return self.back < REVIVALS;
        }
        self.back == 0 && self.probe.is_none_or(|at| at <= now)
    }
}
