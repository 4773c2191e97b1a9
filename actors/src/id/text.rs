//! Base62 digits and back.
//!
//! Every commit of a busy room writes hundreds of ids: digit by digit, dividing all 128 bits each time, that was a third of
//! the room's time. Ten digits fit into 64 bits, so 128 bits are divided once for ten of them.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// Base62 digits of 128 bits: 62^22 > 2^128.
pub(super) const DIGITS: usize = 22;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What each byte is worth as a digit.
const WORTH: [u8; 256] = worth();
const NONE: u8 = u8::MAX;
/// Digits of a part that fits into 64 bits, and what the next part counts.
const PART: usize = 10;
const NEXT: u128 = 62_u128.pow(10);

const fn worth() -> [u8; 256] {
    let mut worth = [NONE; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        worth[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    worth
}

/// The digits, the highest first.
pub(super) fn digits(bits: u128) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    let mut rest = bits;
    for part in digits.rchunks_mut(PART) {
        let higher = rest / NEXT;
        let mut low = (rest - higher * NEXT) as u64;
        for digit in part.iter_mut().rev() {
            *digit = ALPHABET[(low % 62) as usize];
            low /= 62;
        }
        rest = higher;
    }
    digits
}

/// Absent: something else than digits, or more than 128 bits.
pub(super) fn bits(digits: &[u8; DIGITS]) -> Option<u128> {
    let (highest, parts) = digits.split_at(DIGITS % PART);
    let mut bits = u128::from(part(highest)?);
    for digits in parts.chunks_exact(PART) {
        bits = bits.checked_mul(NEXT)?.checked_add(u128::from(part(digits)?))?;
    }
    Some(bits)
}

/// Of as many digits as fit.
fn part(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for byte in digits {
        let digit = WORTH[usize::from(*byte)];
        if digit == NONE {
            return None;
        }
        value = value * 62 + u64::from(digit);
    }
    Some(value)
}

/// Reads a text where it lies, without a copy of it.
pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Parsed<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parsed<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an id, or a home")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Parsed(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Digit by digit.
    fn slowly(mut bits: u128) -> [u8; DIGITS] {
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(bits % 62) as usize];
            bits /= 62;
        }
        digits
    }

    proptest! {
        #[test]
        fn parts_give_what_digits_one_by_one_give(bits: u128) {
            prop_assert_eq!(digits(bits), slowly(bits));
        }
    }

    #[test]
    fn at_the_ends_of_parts_too() {
        for at in [0, 1, NEXT - 1, NEXT, NEXT * NEXT - 1, NEXT * NEXT, u128::MAX] {
            assert_eq!(digits(at), slowly(at));
            assert_eq!(bits(&slowly(at)), Some(at));
        }
        let mut over = slowly(u128::MAX);
        *over.last_mut().unwrap() += 1;
        assert_eq!(bits(&over), None, "2^128");
    }
}
