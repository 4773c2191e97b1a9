//! A shard's open list as its owner knows it: "may have a commit under way or an outbox not empty" (rules 8 and 9).
//!
//! Invariants:
//! * One batch under way per shard, carrying all that waited; `IF epoch = mine AND list_id = previous`; an unknown
//!   outcome is settled by the identical batch.
//! * What the owner knows is what it inherited once, after its compare-and-set, and what it wrote itself; the list is
//!   never read again.
//! * An entity counts as open only while it is in the stored list for certain: from the confirmation of its note until
//!   its removal is asked for. A fence is a conditional write like any other; one for an entity that the stored list
//!   may lack could land behind a new owner that had no reason to fence. Neither side of that window needs one:
//!   before it is noted nothing was sent, and it is removed only when nothing is under way. (The simulation found
//!   this; the protocol's text leaves open what "in the list" means while a removal is under way.)

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};

use rand::RngCore;

use super::backoff::Backoff;
use crate::id::{EntityId, Epoch, ShardId, WriteId};
use crate::store::{Cas, ListEntry, ListWrite, ShardRow, StoreError};
use crate::time::BootInstant;

/// Entities in one batch.
const BATCH: usize = 256;

/// What a write to the list led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Write(ListWrite),
    /// The entity may commit from now on.
    Noted(EntityId),
    /// Another owner has the shard (rule 4: a refusal showing a higher epoch stops the whole shard).
    Passed,
}

/// One shard's open list.
#[derive(Debug)]
pub(crate) struct OpenList {
    shard: ShardId,
    epoch: Epoch,
    list_id: Option<WriteId>,
    /// In the store for certain.
    stored: HashSet<EntityId>,
    adds: BTreeSet<EntityId>,
    removes: BTreeSet<EntityId>,
    flight: Option<Flight>,
    backoff: Backoff,
}

#[derive(Debug)]
struct Flight {
    write: ListWrite,
    retry: Option<BootInstant>,
}

impl OpenList {
    /// The list that a new owner inherits with the shard row of its own epoch.
    pub(crate) fn inherited(
        shard: ShardId,
        epoch: Epoch,
        list_id: Option<WriteId>,
        entries: Vec<ListEntry>,
    ) -> Self {
        Self {
            shard,
            epoch,
            list_id,
            stored: entries.into_iter().collect(),
            adds: BTreeSet::new(),
            removes: BTreeSet::new(),
            flight: None,
            backoff: Backoff::store(),
        }
    }

    /// Rule 5: whether an activation of this entity must fence its row first.
    pub(crate) fn contains(&self, entity: &EntityId) -> bool {
        let sent = self
            .flight
            .as_ref()
            .is_some_and(|f| f.write.remove.contains(entity));
        self.stored.contains(entity) && !sent && !self.removes.contains(entity)
    }

    /// Asks for the entity to be noted; [`Step::Noted`] follows, at once if it is.
    pub(crate) fn note(&mut self, entity: EntityId, rng: &mut impl RngCore) -> Vec<Step> {
        self.removes.remove(&entity);
        let leaving = self
            .flight
            .as_ref()
            .is_some_and(|f| f.write.remove.contains(&entity));
        if self.stored.contains(&entity) && !leaving {
            return vec![Step::Noted(entity)];
        }
        let joining = self
            .flight
            .as_ref()
            .is_some_and(|f| f.write.add.contains(&entity));
        if !joining {
            self.adds.insert(entity);
        }
        self.next(rng)
    }

    /// Rule 9: nothing of the entity is under way, its outbox is empty and `published` says so.
    pub(crate) fn remove(&mut self, entity: EntityId, rng: &mut impl RngCore) -> Vec<Step> {
        // A wish to be noted that nobody waits for any more.
        self.adds.remove(&entity);
        let joining = self
            .flight
            .as_ref()
            .is_some_and(|f| f.write.add.contains(&entity));
        if joining || self.contains(&entity) {
            self.removes.insert(entity);
        }
        self.next(rng)
    }

    /// The answer to [`Step::Write`].
    pub(crate) fn written(
        &mut self,
        now: BootInstant,
        answer: Result<Cas<Option<ShardRow>>, StoreError>,
        rng: &mut impl RngCore,
    ) -> Vec<Step> {
        let Some(flight) = &mut self.flight else {
            return vec![];
        };
        let mine = |row: &Option<ShardRow>| {
            row.as_ref()
                .is_some_and(|r| r.epoch == self.epoch && r.list_id == Some(flight.write.list_id))
        };
        match answer {
            Err(_) => {
                flight.retry = Some(now + self.backoff.fail());
                return vec![];
            }
            Ok(Cas::Refused(row)) if !mine(&row) => return vec![Step::Passed],
            Ok(_) => self.backoff.reset(),
        }
        let mut steps = vec![];
        if let Some(Flight { write, .. }) = self.flight.take() {
            self.applied(write, &mut steps);
        }
        steps.extend(self.next(rng));
        steps
    }

    fn applied(&mut self, write: ListWrite, steps: &mut Vec<Step>) {
        self.list_id = Some(write.list_id);
        for entity in write.remove {
            self.stored.remove(&entity);
        }
        self.stored.extend(write.add.iter().cloned());
        steps.extend(write.add.into_iter().map(Step::Noted));
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        self.flight.as_ref().and_then(|f| f.retry)
    }

    /// Sends a batch of unknown outcome again.
    pub(crate) fn tick(&mut self, now: BootInstant) -> Vec<Step> {
        match &mut self.flight {
            Some(flight) if flight.retry.is_some_and(|at| at <= now) => {
                flight.retry = None;
                vec![Step::Write(flight.write.clone())]
            }
            _ => vec![],
        }
    }

    fn next(&mut self, rng: &mut impl RngCore) -> Vec<Step> {
        if self.flight.is_some() {
            return vec![];
        }
        let add: Vec<_> = std::iter::from_fn(|| self.adds.pop_first()).take(BATCH).collect();
        let remove: Vec<_> = std::iter::from_fn(|| self.removes.pop_first())
            .take(BATCH)
            .collect();
        if add.is_empty() && remove.is_empty() {
            return vec![];
        }
        let write = ListWrite {
            shard: self.shard,
            epoch: self.epoch,
            previous: self.list_id,
            list_id: WriteId::random(rng),
            add,
            remove,
        };
        self.flight = Some(Flight {
            write: write.clone(),
            retry: None,
        });
        vec![Step::Write(write)]
    }
}
