//! Who should own a shard, by rendezvous hashing: when a node joins or leaves only its own shards move. The lease
//! store alone says who does.

use crate::id::{NodeId, ShardId, stable_hash};
use crate::membership::Member;

/// The member that should own `shard`; nobody if all are draining.
pub(crate) fn preferred(shard: ShardId, members: &[Member]) -> Option<&NodeId> {
    let able = members.iter().filter(|m| !m.draining).map(|m| &m.node);
    able.max_by_key(|node| (weight(shard, node), *node))
}

fn weight(shard: ShardId, node: &NodeId) -> u64 {
    stable_hash(&[node.as_str().as_bytes(), &[0], &shard.0.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> Vec<Member> {
        let member = |n: &&str| Member {
            node: NodeId::new(n),
            region: String::new(),
            load: 0,
            draining: false,
        };
        names.iter().map(member).collect()
    }

    #[test]
    fn a_leaving_node_moves_only_its_own_shards() {
        let (three, two) = (members(&["a", "b", "c"]), members(&["a", "b"]));
        let mut moved = 0;
        for shard in ShardId::all() {
            let before = preferred(shard, &three).unwrap();
            if before.as_str() == "c" {
                moved += 1;
            } else {
                assert_eq!(Some(before), preferred(shard, &two));
            }
        }
        assert!((250..450).contains(&moved), "{moved} of 1024 moved");
    }

    #[test]
    fn nobody_is_preferred_when_all_drain() {
        let mut one = members(&["a"]);
        one[0].draining = true;
        assert_eq!(preferred(ShardId(0), &one), None);
    }
}
