//! A contender's watching of other nodes' leases (rule 4).
//!
//! Only this node's boot clock is used: a lease has run out when the same (incarnation, beat) was answered for a
//! whole TTL, from the **arrival** of the first such answer to the **sending** of the last question.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::id::{NodeId, ShardId};
use crate::store::{NodeRow, ShardRow};
use crate::time::BootInstant;

/// What is known of another node's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may hold.
    Alive,
    /// It does not hold: its TTL has passed, or it gave the lease up.
    Gone,
}

/// A node's lease as it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) node: NodeId,
    /// When the question was sent.
    pub(crate) asked: BootInstant,
    /// When the answer arrived.
    pub(crate) arrived: BootInstant,
    pub(crate) row: Option<NodeRow>,
}

/// Remembers what was answered about each node.
#[derive(Debug)]
pub(crate) struct Watch {
    ttl: Duration,
    seen: HashMap<NodeId, Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Incarnation and beat; (0, 0) where no row exists.
    beat: (u64, u64),
    first_arrival: BootInstant,
}

impl Watch {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            seen: HashMap::new(),
        }
    }

    /// An answer about `node` that arrived at `arrived` to a question sent at `asked`.
    fn answered(
        &mut self,
        node: &NodeId,
        asked: BootInstant,
        arrived: BootInstant,
        row: Option<&NodeRow>,
    ) -> Verdict {
        if row.is_some_and(|r| r.released) {
            return Verdict::Gone;
        }
        let beat = row.map_or((0, 0), |r| (r.incarnation, r.beat));
        let seen = self.seen.entry(node.clone()).or_insert(Seen {
            beat,
            first_arrival: arrived,
        });
        if seen.beat != beat {
            *seen = Seen {
                beat,
                first_arrival: arrived,
            };
        }
        if asked.since(seen.first_arrival) >= self.ttl {
            Verdict::Gone
        } else {
            Verdict::Alive
        }
    }

    /// What a round of reads says of the owners in `rows`. One that did not answer has no verdict, so it counts as
    /// alive, and what was seen of it stays: a lost answer is no sign of life. Owners of nothing are forgotten.
    pub(crate) fn round(
        &mut self,
        rows: &[(ShardId, ShardRow)],
        leases: Vec<Answered>,
    ) -> HashMap<NodeId, Verdict> {
        let owners: HashSet<&NodeId> = rows.iter().filter_map(|(_, r)| r.owner.as_ref()).collect();
        self.seen.retain(|node, _| owners.contains(node));
        let verdict = |lease: Answered| {
            let Answered {
                node,
                asked,
                arrived,
                row,
            } = lease;
            let verdict = self.answered(&node, asked, arrived, row.as_ref());
            (node, verdict)
        };
        leases.into_iter().map(verdict).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;

    const TTL: Duration = Duration::from_secs(12);

    fn at(seconds: u64) -> BootInstant {
        BootInstant::default() + Duration::from_secs(seconds)
    }

    fn row(beat: u64) -> NodeRow {
        NodeRow {
            incarnation: 1,
            beat,
            released: false,
        }
    }

    #[test]
    fn a_ttl_counts_from_an_arrival_to_a_question() {
        let (mut watch, node) = (Watch::new(TTL), NodeId::new("a"));
        assert_eq!(watch.answered(&node, at(0), at(5), Some(&row(1))), Verdict::Alive);
        // Twelve seconds after the first question, not after its answer.
        assert_eq!(
            watch.answered(&node, at(12), at(20), Some(&row(1))),
            Verdict::Alive
        );
        assert_eq!(
            watch.answered(&node, at(17), at(20), Some(&row(1))),
            Verdict::Gone
        );
    }

    #[test]
    fn a_new_beat_starts_again_and_a_released_lease_is_gone_at_once() {
        let (mut watch, node) = (Watch::new(TTL), NodeId::new("a"));
        watch.answered(&node, at(0), at(1), Some(&row(1)));
        assert_eq!(
            watch.answered(&node, at(14), at(15), Some(&row(2))),
            Verdict::Alive
        );
        assert_eq!(
            watch.answered(&node, at(26), at(26), Some(&row(2))),
            Verdict::Alive
        );
        let released = NodeRow {
            released: true,
            ..row(3)
        };
        assert_eq!(
            watch.answered(&node, at(27), at(27), Some(&released)),
            Verdict::Gone
        );
    }

    /// Rule 4: a TTL that is being watched is not begun again because one question had no answer.
    #[test]
    fn a_round_without_an_answer_forgets_nothing() {
        let (mut watch, node) = (Watch::new(TTL), NodeId::new("a"));
        let owned = ShardRow {
            owner: Some(node.clone()),
            incarnation: 1,
            epoch: Epoch(1),
            list_id: None,
        };
        let rows = [(ShardId(0), owned)];
        let lease = |second| Answered {
            node: node.clone(),
            asked: at(second),
            arrived: at(second),
            row: Some(row(1)),
        };
        let first = watch.round(&rows, vec![lease(0)]);
        assert_eq!(first.get(&node), Some(&Verdict::Alive));
        assert_eq!(watch.round(&rows, vec![]).get(&node), None);
        let last = watch.round(&rows, vec![lease(12)]);
        assert_eq!(last.get(&node), Some(&Verdict::Gone));
        // Who owns nothing is forgotten, and watched anew.
        watch.round(&[], vec![]);
        let anew = watch.round(&rows, vec![lease(30)]);
        assert_eq!(anew.get(&node), Some(&Verdict::Alive));
    }
}
