//! A shard's open list as its owner knows it: "may have a commit under way or an outbox not empty" (rules 8 and 9).
//!
//! Invariants:
//! * One batch under way per shard, carrying all that waited; `IF epoch = mine AND list_id = previous`; an unknown
//!   outcome is settled by the identical batch.
//! * What the owner knows is what it inherited once, after its compare-and-set, and what it wrote itself; the list is
//!   never read again.
//! * Nobody waits for a store that does not answer: a wish to be noted is answered by the next outcome, whichever it is.
//!   Nothing was sent by whoever wishes, so a failure is certain for them, and an unknown one only for the list.
//! * An entity counts as open only while it is in the stored list for certain: from the confirmation of its note until
//!   its removal is asked for. A fence is a conditional write like any other; one for an entity that the stored list
//!   may lack could land behind a new owner that had no reason to fence. Neither side of that window needs one:
//!   before it is noted nothing was sent, and it is removed only when nothing is under way. (The simulation found
//!   this; the protocol's text leaves open what "in the list" means while a removal is under way.)

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rand::RngCore;

use super::backoff::Backoff;
use crate::id::{EntityId, Epoch, ShardId, WriteId};
use crate::store::{Cas, ListEntry, ListWrite, ShardRow, StoreError};
use crate::time::BootInstant;

/// Entities in one batch.
const BATCH: usize = 256;

/// Names a wish to be noted, over all activations of an entity: an answer that comes late, or to an activation that has
/// ended, must not be taken for that to a later wish, behind which the entity may have left the list.
pub(crate) type Wish = u64;

/// What a write to the list led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Write(ListWrite),
    /// The entity may commit from now on.
    Noted(EntityId, Wish),
    /// The store does not take the note now, and nothing waits for it any more. The batch that carries it is settled all
    /// the same; what it adds without anybody's wish is taken out again.
    NoteFailed(EntityId, Wish, StoreError),
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
    /// Those that have no answer yet; each gets one.
    wishes: BTreeMap<EntityId, Wish>,
    flight: Option<Flight>,
    backoff: Backoff,
}

#[derive(Debug)]
struct Flight {
    write: ListWrite,
    /// Between two sends: when the next one is due, and how the last one failed.
    retry: Option<(BootInstant, StoreError)>,
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
            wishes: BTreeMap::new(),
            flight: None,
            backoff: Backoff::store().apart(shard),
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

    /// Asks for the entity to be noted; [`Step::Noted`] or [`Step::NoteFailed`] follows, at once where that is known:
    /// what waits for a store that does not answer must be told so, and not first at its deadline.
    pub(crate) fn note(&mut self, entity: EntityId, wish: Wish, rng: &mut impl RngCore) -> Vec<Step> {
        self.removes.remove(&entity);
        let leaving = self
            .flight
            .as_ref()
            .is_some_and(|f| f.write.remove.contains(&entity));
        if self.stored.contains(&entity) && !leaving {
            return vec![Step::Noted(entity, wish)];
        }
        if let Some((_, error)) = self.flight.as_ref().and_then(|f| f.retry.as_ref()) {
            return vec![Step::NoteFailed(entity, wish, error.clone())];
        }
        self.wishes.insert(entity.clone(), wish);
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
        self.wishes.remove(&entity);
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
            Err(error) => {
                flight.retry = Some((now + self.backoff.fail(), error.clone()));
                // Those of the next batch would wait for this one.
                self.adds.clear();
                let wishes = std::mem::take(&mut self.wishes).into_iter();
                return wishes
                    .map(|(entity, wish)| Step::NoteFailed(entity, wish, error.clone()))
                    .collect();
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
        for entity in write.add {
            self.stored.insert(entity.clone());
            match self.wishes.remove(&entity) {
                Some(wish) => steps.push(Step::Noted(entity, wish)),
                // Rule 9: whoever wished for it was told that it failed, and sent nothing.
                None => drop(self.removes.insert(entity)),
            }
        }
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn wake(&self) -> Option<BootInstant> {
        self.flight
            .as_ref()
            .and_then(|f| f.retry.as_ref())
            .map(|(at, _)| *at)
    }

    /// Sends a batch of unknown outcome again.
    pub(crate) fn tick(&mut self, now: BootInstant) -> Vec<Step> {
        match &mut self.flight {
            Some(flight) if flight.retry.as_ref().is_some_and(|(at, _)| *at <= now) => {
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
