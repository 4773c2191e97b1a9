//! What the shards of a node tell each other of the ways out.
//!
//! Each shard looks by itself whether a lane takes rows again, ever more seldom (rule 9): after a long outage up to half a
//! minute passes until it does. The first shard of the node whose rows get through tells the others, and they look at once.

use std::time::Duration;

use crate::entity::Lane;
use crate::time::BootInstant;

/// A lane is told about so often at most. One entity of many that cannot pay keeps getting a row through and being
/// stuck on the next: it must not have all shards of the node look all the time. As long as the longest wait of a shard that
/// looks by itself.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// When the shards of a node were last told that a lane takes rows.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// In the order of [`Lane::ALL`].
    at: [Option<BootInstant>; Lane::ALL.len()],
}

impl Told {
    /// A shard found that the lane takes rows again: whether the others are to be told.
    pub(crate) fn tells(&mut self, now: BootInstant, lane: Lane) -> bool {
        let at = &mut self.at[lane as usize];
        let tells = at.is_none_or(|at| at + TELL_EVERY <= now);
        if tells {
            *at = Some(now);
        }
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_told_once_and_not_all_the_time() {
        let mut told = Told::default();
        let at = |ms| BootInstant::default() + Duration::from_millis(ms);
        assert!(told.tells(at(0), Lane::Topics));
        assert!(told.tells(at(1), Lane::Inside), "each lane by itself");
        assert!(!told.tells(at(29_999), Lane::Topics));
        assert!(told.tells(at(30_000), Lane::Topics));
        assert!(!told.tells(at(30_001), Lane::Topics));
    }
}
