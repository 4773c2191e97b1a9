//! What the network and the store do to a call, drawn from the seed.

use rand::Rng;
use rand::rngs::StdRng;

/// Milliseconds.
pub(super) type Ms = u64;

/// A caller takes the outcome as unknown after that time.
pub(super) const TIMEOUT: Ms = 3_000;

/// The fate of one call: when it is carried out (perhaps never, perhaps twice), and what the caller hears when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) applied: Option<Ms>,
    pub(super) repeated: Option<Ms>,
    pub(super) heard: Heard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The answer, that long after it was carried out.
    Answer(Ms),
    /// Nothing: the time-out.
    Nothing,
    /// Certainly not carried out.
    Unavailable(Ms),
}

/// One call without faults.
pub(super) fn calm(rng: &mut StdRng) -> Fate {
    Fate {
        applied: Some(rng.random_range(0..3)),
        repeated: None,
        heard: Heard::Answer(rng.random_range(0..3)),
    }
}

/// One call under faults; `cut` is a node that the network has cut off, in one direction or both; a `slow` network
/// answers late or not at all half of the time.
pub(super) fn draw(rng: &mut StdRng, cut: bool, slow: bool) -> Fate {
    let soon = rng.random_range(0..20);
    let late = rng.random_range(TIMEOUT..20_000);
    let (never, unanswered) = (
        Fate {
            applied: None,
            repeated: None,
            heard: Heard::Nothing,
        },
        Fate {
            applied: Some(soon),
            repeated: None,
            heard: Heard::Nothing,
        },
    );
    if cut {
        return if rng.random_bool(if slow { 0.9 } else { 0.6 }) {
            never
        } else {
            unanswered
        };
    }
    let from = if slow { 60 } else { 0 };
    match rng.random_range(from..100) {
        0..80 => Fate {
            applied: Some(soon),
            repeated: None,
            heard: Heard::Answer(rng.random_range(0..20)),
        },
        // Slow, and still answered in time.
        80..88 => {
            let applied = rng.random_range(0..TIMEOUT - 10);
            Fate {
                applied: Some(applied),
                repeated: None,
                heard: Heard::Answer(rng.random_range(0..TIMEOUT - applied)),
            }
        }
        88..91 => unanswered,
        91..92 => never,
        // Given up, and carried out long after.
        92..95 => Fate {
            applied: Some(late),
            repeated: None,
            heard: Heard::Nothing,
        },
        95..97 => Fate {
            applied: Some(soon),
            repeated: Some(late),
            heard: Heard::Nothing,
        },
        97..98 => Fate {
            applied: Some(soon),
            repeated: Some(late),
            heard: Heard::Answer(rng.random_range(0..20)),
        },
        _ => Fate {
            applied: None,
            repeated: None,
            heard: Heard::Unavailable(soon),
        },
    }
}
