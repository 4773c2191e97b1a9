//! A broker that takes rows late, never or twice, and a consumer that drops what is not newer (rule 11).

use std::collections::{BTreeSet, HashMap};

use super::check::{History, Violation};
use crate::entity::Target;
use crate::id::EntityId;

/// The consumer's memory: recorded together with its effect.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    highest: HashMap<EntityId, u64>,
    pub(super) processed: BTreeSet<(EntityId, u64)>,
}

impl Consumer {
    /// A row arrives, perhaps not for the first time.
    pub(super) fn arrive(&mut self, id: &EntityId, sequence: u64, history: &mut History) {
        let highest = self.highest.entry(id.clone()).or_default();
        if sequence <= *highest {
            if !self.processed.contains(&(id.clone(), sequence)) {
                history.violated(Violation::Skipped(format!(
                    "row {sequence} of {id} is dropped as old"
                )));
            }
            return;
        }
        let between = (id.clone(), *highest + 1)..(id.clone(), sequence);
        let topic = history
            .rows
            .range(between)
            .find(|(_, row)| matches!(row.target, Target::Topic(_)));
        if let Some(((_, skipped), _)) = topic {
            let skipped = format!("row {sequence} of {id} came before row {skipped}");
            history.violated(Violation::Skipped(skipped));
        }
        *highest = sequence;
        self.processed.insert((id.clone(), sequence));
    }
}
