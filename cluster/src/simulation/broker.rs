//! A broker that takes rows late, never or twice, read tables, and consumers that drop what is not newer (rule 11).

use std::collections::{BTreeSet, HashMap};

use super::check::{History, Violation};
use crate::entity::{Lane, Target};
use crate::id::EntityId;

/// The consumers' memory, by source and by topic or table: recorded together with its effect.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    highest: HashMap<(EntityId, Target), u64>,
    pub(super) processed: BTreeSet<(EntityId, u64)>,
    /// Rows of tables that came while an earlier row waited for the broker.
    pub(super) overtook: u64,
}

impl Consumer {
    /// A row arrives, perhaps not for the first time.
    pub(super) fn arrive(&mut self, id: &EntityId, sequence: u64, history: &mut History) {
        let Some(row) = history.rows.get(&(id.clone(), sequence)) else {
            return;
        };
        let target = row.target.clone();
        let highest = self.highest.entry((id.clone(), target.clone())).or_default();
        if sequence <= *highest {
            if !self.processed.contains(&(id.clone(), sequence)) {
                history.violated(Violation::Skipped(format!(
                    "row {sequence} of {id} is dropped as old"
                )));
            }
            return;
        }
        let between = (id.clone(), *highest + 1)..(id.clone(), sequence);
        let mut between = history.rows.range(between);
        if let Some(((_, skipped), _)) = between.find(|(_, row)| row.target == target) {
            let skipped = format!("row {sequence} of {id} came before row {skipped}");
            history.violated(Violation::Skipped(skipped));
        }
        *highest = sequence;
        self.processed.insert((id.clone(), sequence));
        if target.lane() == Lane::Inside {
            let mut before = history.rows.range((id.clone(), 0)..(id.clone(), sequence));
            let waits = |n: u64| !self.processed.contains(&(id.clone(), n));
            let waiting = before.any(|((_, n), row)| row.target.lane() == Lane::Topics && waits(*n));
            self.overtook += u64::from(waiting);
        }
    }
}
