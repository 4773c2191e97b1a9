//! Pauses at any step, seen by the node or not.

use rand::Rng;

use super::Node;
use crate::simulation::network::Ms;
use crate::simulation::world::{MS, Profile, World};

/// Steps within which a tired node falls asleep.
const DOZE_WITHIN: u32 = 40;

impl Node {
    /// It falls asleep at one of its next steps, whatever that is in the middle of.
    pub(in crate::simulation) fn tire(&mut self, world: &mut World) {
        self.tired = Some(world.rng.random_range(0..DOZE_WITHIN));
    }

    /// Stops for a while: shortly, or beyond every time-out; perhaps without noticing it.
    pub(super) fn maybe_pause(&mut self, world: &mut World) -> bool {
        let Some((pause, unseen)) = self.falls_asleep(world).or_else(|| stumbles(world)) else {
            return false;
        };
        world.report.pauses += 1;
        self.paused_until = world.now + pause * MS;
        if unseen {
            self.clock.missed += pause * MS;
        }
        let node = self.index;
        world.note(|| format!("n{node} pauses for {pause} ms, unseen: {unseen}"));
        true
    }

    /// A doze outlasts the lease, and its own clock does not see it.
    fn falls_asleep(&mut self, world: &mut World) -> Option<(Ms, bool)> {
        let steps = self.tired?;
        self.tired = steps.checked_sub(1);
        (self.tired.is_none() && world.faults).then(|| (world.rng.random_range(18_000..26_000), true))
    }
}

/// A pause out of nowhere, and whether it is invisible to the node.
fn stumbles(world: &mut World) -> Option<(Ms, bool)> {
    if !world.faults || !world.rng.random_bool(0.004) {
        return None;
    }
    // Whoever could take a zombie's shards over is awake.
    let often_long = if world.profile == Profile::Zombies {
        0.0
    } else {
        0.3
    };
    let long = if world.rng.random_bool(often_long) {
        25_000
    } else {
        2_000
    };
    let pause = world.rng.random_range(1..long);
    Some((pause, world.frozen && world.rng.random_bool(0.7)))
}
