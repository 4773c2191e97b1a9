//! Phone numbers: parsed once at the edge, never shown whole, never stored in clear.
//!
//! A [`PhoneNumber`] is a valid number in E.164. What is stored is a [`PhoneKey`] (a keyed hash, for looking it up) and,
//! where the number is needed again, a [`SealedNumber`] (AES-256-GCM). `Debug` and `Display` of all three give nothing
//! away: a slip in a log line can not leak a number.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Longest text taken from a client: 15 digits, a plus, and room for spaces and hyphens.
pub const MAX_INPUT_BYTES: usize = 40;

/// Digits that tell numbers of a [block](PhoneNumber::block) apart.
pub const BLOCK_DIGITS: usize = 4;

/// Not a phone number that can get a text message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid mobile number in international form, like +49 and the rest")]
pub struct Invalid;

/// A valid phone number. Made by [`PhoneNumber::parse`], or once it was.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(Arc<str>);

impl PhoneNumber {
    /// Parses the international form (`+`, calling code, number); spaces, hyphens, dots and brackets are tolerated.
    ///
    /// # Errors
    /// [`Invalid`] if it has no leading `+`, its calling code's numbering plan does not know such numbers, or knows them as
    /// something else than mobile: codes sent to premium, satellite or personal numbers are somebody's income.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() > MAX_INPUT_BYTES || !text.starts_with('+') {
            return Err(Invalid);
        }
        let number = phonenumber::parse(None, text).map_err(|_| Invalid)?;
        // An extension can not get a text message, and would give one line many numbers.
        if number.extension().is_some() || !number.is_valid() || !is_mobile(&number) {
            return Err(Invalid);
        }
        Ok(Self(
            number.format().mode(phonenumber::Mode::E164).to_string().into(),
        ))
    }

    /// A number that was valid when it was sealed. Numbering plans change: that must not make it unreadable.
    pub(crate) fn sealed_before(e164: &str) -> Self {
        Self(e164.into())
    }

    /// The number in E.164. For the text message's provider and for sealing: never for a log.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// All but the last [`BLOCK_DIGITS`] digits: numbers that are given out together, and that one attacker can hold.
    pub fn block(&self) -> &str {
        &self.0[..self.0.len().saturating_sub(BLOCK_DIGITS)]
    }

    /// The country's or region's code, such as 49.
    pub fn calling_code(&self) -> Option<u16> {
        let number = phonenumber::parse(None, &*self.0).ok()?;
        Some(number.code().value())
    }

    /// Enough for its giver to recognise it: calling code and the last three digits (`+49 ... 678`).
    pub fn hint(&self) -> String {
        let code = self.calling_code().unwrap_or_default();
        format!("+{code} ... {}", &self.0[self.0.len() - 3..])
    }
}

/// Some plans (North America's) do not tell mobile numbers from others.
fn is_mobile(number: &phonenumber::PhoneNumber) -> bool {
    let kind = number.number_type(&phonenumber::metadata::DATABASE);
    matches!(
        kind,
        phonenumber::Type::Mobile | phonenumber::Type::FixedLineOrMobile
    )
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(..)")
    }
}

/// HMAC-SHA256 of a number under the lookup key: the key of its `Phone` entity. 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PhoneKey(Arc<str>);

impl PhoneKey {
    /// From the hash's 32 bytes.
    pub fn from_hash(hash: &[u8; 32]) -> Self {
        use std::fmt::Write;
        let mut text = String::with_capacity(64);
        for byte in hash {
            write!(text, "{byte:02x}").expect("a String takes all that is written");
        }
        Self(text.into())
    }

    /// The text, for keys of entities and rows.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PhoneKey {
    /// Of a text that [`PhoneKey::as_str`] gave.
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for PhoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneKey(..)")
    }
}

/// A number encrypted by AES-256-GCM, bound to its [`PhoneKey`]; opened by `Secrets::open_number`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedNumber {
    /// Which key sealed it.
    pub kid: Arc<str>,
    /// 12 random bytes, never used twice under a key.
    pub nonce: [u8; 12],
    /// Cipher text and tag.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedNumber(kid {})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form() {
        let number = PhoneNumber::parse("+49 1511 234-5678").unwrap();
        assert_eq!(number.e164(), "+4915112345678");
        assert_eq!(number.hint(), "+49 ... 678");
        assert_eq!(number, PhoneNumber::parse(" +4915112345678 ").unwrap());
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "",
            "+",
            "015112345678",
            "+4912",
            "+999123456789",
            "call me",
            "+4915112345678 ext. 5",
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(Invalid), "{text}");
        }
        assert_eq!(
            PhoneNumber::parse(&format!("+49{}", "1".repeat(100))),
            Err(Invalid)
        );
    }

    #[test]
    fn refuses_numbers_that_cost_us_or_get_no_text() {
        for (text, kind) in [
            ("+49 900 1234567", "premium"),
            ("+49 700 12345678", "personal"),
            ("+49 30 123456", "landline"),
            ("+49 800 1234567", "toll-free"),
            ("+44 70 1234 5678", "personal, dear to call"),
            ("+883 5100 1234 5678", "international network"),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(Invalid), "{kind}: {text}");
        }
        for text in [
            "+1 201 555 0123",
            "+86 131 2345 6789",
            "+39 312 345 6789",
            "+44 7400 123456",
        ] {
            assert!(PhoneNumber::parse(text).is_ok(), "{text}");
        }
        let number = PhoneNumber::parse("+4915112345678").unwrap();
        assert_eq!(number.block(), "+491511234");
    }

    #[test]
    fn debug_shows_nothing() {
        let number = PhoneNumber::parse("+4915112345678").unwrap();
        let key = PhoneKey::from_hash(&[7; 32]);
        let shown = format!("{number:?} {key:?}");
        assert!(!shown.contains("5678") && !shown.contains("0707"), "{shown}");
    }
}
