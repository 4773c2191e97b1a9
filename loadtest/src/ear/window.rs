//! Numbers that should come one after the other, and which of the last ones came.

/// How far back a late number is told from a repeated one.
const WINDOW: u64 = 64;

/// How a number relates to those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The highest so far, by so much; all between are missing for now.
    Next {
        /// At least 1.
        step: u64,
    },
    /// One that was missing.
    Late,
    /// It was there already, or is older than can be told.
    Duplicate,
}

/// The numbers up to the highest. Bit `n` set: `highest - n` came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window(u64);

impl Window {
    /// After the first number.
    pub(super) fn first() -> Self {
        Self(1)
    }

    /// Takes a number that is so far ahead of the highest; below 0, behind it.
    pub(super) fn place(&mut self, ahead: i64) -> Order {
        let distance = ahead.unsigned_abs();
        if ahead > 0 {
            self.0 = if distance < WINDOW {
                self.0 << distance | 1
            } else {
                1
            };
            return Order::Next { step: distance };
        }
        if distance >= WINDOW || self.0 & 1 << distance != 0 {
            return Order::Duplicate;
        }
        self.0 |= 1 << distance;
        Order::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_and_repeated_numbers_are_told_apart() {
        let mut window = Window::first();
        assert_eq!(window.place(3), Order::Next { step: 3 });
        assert_eq!(window.place(-1), Order::Late);
        assert_eq!(window.place(-1), Order::Duplicate);
        assert_eq!(window.place(0), Order::Duplicate);
        assert_eq!(window.place(-3), Order::Duplicate, "the first");
        assert_eq!(window.place(100), Order::Next { step: 100 });
        assert_eq!(window.place(-63), Order::Late);
        assert_eq!(window.place(-64), Order::Duplicate, "too old to tell");
    }
}
