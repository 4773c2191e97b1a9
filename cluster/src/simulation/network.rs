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

impl Fate {
    /// Carried out after `applied`, heard of after that.
    fn answered(applied: Ms, after: Ms) -> Self {
        Self {
            applied: Some(applied),
            repeated: None,
            heard: Heard::Answer(after),
        }
    }

    /// Carried out or not, and nothing is heard.
    fn silent(applied: Option<Ms>) -> Self {
        Self {
            applied,
            repeated: None,
            heard: Heard::Nothing,
        }
    }

    /// Carried out once more, long after.
    fn again(self, late: Ms) -> Self {
        Self {
            repeated: Some(late),
            ..self
        }
    }
}

/// One call without faults.
pub(super) fn calm(rng: &mut StdRng) -> Fate {
    Fate::answered(rng.random_range(0..3), rng.random_range(0..3))
}

/// A node's way to the store, while there are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Most calls are answered soon.
    Fair,
    /// Many calls take long, and are answered in time.
    Slow,
    /// About every second call takes long, and is answered in time.
    Tardy,
    /// Everything is carried out, nothing is answered.
    Deaf,
    /// Next to nothing gets through.
    Cut,
}

/// One call under faults.
pub(super) fn draw(rng: &mut StdRng, line: Line) -> Fate {
    let soon = rng.random_range(0..20);
    let late = rng.random_range(TIMEOUT..20_000);
    let kind = match line {
        Line::Fair => rng.random_range(0..100),
        Line::Slow => rng.random_range(60..88),
        Line::Tardy => rng.random_range(72..88),
        Line::Deaf => return Fate::silent(Some(soon)),
        Line::Cut if rng.random_bool(0.8) => return Fate::silent(None),
        Line::Cut => return Fate::silent(Some(soon)),
    };
    match kind {
        0..80 => Fate::answered(soon, rng.random_range(0..20)),
        // Slow, and still answered in time.
        80..88 => {
            let applied = rng.random_range(0..TIMEOUT - 10);
            Fate::answered(applied, rng.random_range(0..TIMEOUT - applied))
        }
        88..91 => Fate::silent(Some(soon)),
        91..92 => Fate::silent(None),
        // Given up, and carried out long after.
        92..95 => Fate::silent(Some(late)),
        95..97 => Fate::silent(Some(soon)).again(late),
        97..98 => Fate::answered(soon, rng.random_range(0..20)).again(late),
        _ => Fate {
            heard: Heard::Unavailable(soon),
            ..Fate::silent(None)
        },
    }
}
