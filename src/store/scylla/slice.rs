//! Partitions by the first bits of an id.

/// Which of `slices` partitions, a power of two, holds an id: its first bits, which are random. So slices follow each other
/// in the order of the ids.
pub(super) fn slice(bits: u128, slices: i32) -> i32 {
    debug_assert!(slices.count_ones() == 1);
    let shift = u128::BITS - slices.trailing_zeros();
    i32::try_from(bits >> shift).unwrap_or(slices - 1)
}

#[cfg(test)]
mod tests {
    use mitalk_actors::id::{Home, UserId};
    use proptest::prelude::*;

    use super::*;

    const SLICES: i32 = 64;

    proptest! {
        /// Pages walk through the slices one after the other: that is the order of the ids' texts only if this holds.
        #[test]
        fn slices_follow_each_other_in_the_order_of_the_ids(a: u128, b: u128) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(slice(low, SLICES) <= slice(high, SLICES));
            let home = Home::default();
            prop_assert!(UserId::new(home, low).to_string() <= UserId::new(home, high).to_string());
            prop_assert!((0..SLICES).contains(&slice(a, SLICES)));
        }
    }

    #[test]
    fn the_ends_are_in_the_first_and_the_last_slice() {
        assert_eq!(slice(u128::MAX, 16), 15);
        assert_eq!(slice(0, 16), 0);
    }
}
