//! Ids of the domain: opaque, random, and carrying the logical home of what they name.
//!
//! An id is 24 characters: two lower-case letters for the home (design.md "Homes"), then 22 base62 digits of 128 random
//! bits. Nothing can be listed by counting upwards. Ids of different kinds are different types; all of them are `Copy`,
//! serialise as text and are safe in paths, logs and events.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Base62 digits of 128 bits: 62^22 > 2^128.
const DIGITS: usize = 22;
/// Characters of an id's text.
pub const ID_CHARS: usize = 2 + DIGITS;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not 24 characters.
    #[error("an id has {ID_CHARS} characters")]
    Length,
    /// Does not start with two lower-case letters.
    #[error("an id starts with the two letters of its home")]
    Home,
    /// Something else than base62 digits, or more than 128 bits.
    #[error("an id ends with {DIGITS} base62 digits of 128 bits")]
    Digits,
}

/// A logical home: two lower-case letters, mapped to a region by configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home([u8; 2]);

impl Home {
    /// The home's text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("two ASCII letters, checked when made")
    }
}

impl Default for Home {
    /// The home of a cluster that has only one.
    fn default() -> Self {
        Self(*b"aa")
    }
}

impl FromStr for Home {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_lowercase() && b.is_ascii_lowercase() => Ok(Self([*a, *b])),
            _ => Err(ParseError::Home),
        }
    }
}

/// The 128 bits and the home that every id consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Raw {
    home: Home,
    bits: u128,
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [b'0'; DIGITS];
        let mut rest = self.bits;
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest % 62) as usize];
            rest /= 62;
        }
        f.write_str(self.home.as_str())?;
        f.write_str(std::str::from_utf8(&digits).expect("base62 digits are ASCII"))
    }
}

impl FromStr for Raw {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() != ID_CHARS {
            return Err(ParseError::Length);
        }
        let home = text.get(..2).ok_or(ParseError::Home)?.parse()?;
        let mut bits: u128 = 0;
        for byte in text.bytes().skip(2) {
            let digit = ALPHABET.binary_search(&byte).map_err(|_| ParseError::Digits)?;
            bits = bits
                .checked_mul(62)
                .and_then(|shifted| shifted.checked_add(digit as u128))
                .ok_or(ParseError::Digits)?;
        }
        Ok(Self { home, bits })
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Raw);

        impl $name {
            /// An id of these bits. They are random, or a keyed hash of what must give the same id again.
            pub const fn new(home: Home, bits: u128) -> Self {
                Self(Raw { home, bits })
            }

            /// Where what it names lives.
            pub const fn home(&self) -> Home {
                self.0.home
            }

            /// The bits without the home.
            pub const fn bits(&self) -> u128 {
                self.0.bits
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                text.parse().map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// A person's account.
    UserId
    /// A room.
    RoomId
    /// An invite.
    InviteId
    /// A signed-in device: the family of its refresh tokens.
    DeviceId
    /// A media session of a device in a room.
    SessionId
    /// An attached live socket.
    SocketId
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home({self})")
    }
}

impl Serialize for Home {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Home {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_back(bits: u128) {
            let id = UserId::new(Home::default(), bits);
            let text = id.to_string();
            prop_assert_eq!(text.len(), ID_CHARS);
            prop_assert_eq!(text.parse::<UserId>().unwrap(), id);
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in "\\PC{0,30}") {
            if let Ok(id) = text.parse::<UserId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!("".parse::<RoomId>(), Err(ParseError::Length));
        assert_eq!(
            "A00000000000000000000000".parse::<RoomId>(),
            Err(ParseError::Home)
        );
        assert_eq!(
            "aa-000000000000000000000".parse::<RoomId>(),
            Err(ParseError::Digits)
        );
        // 62^22 - 1 is more than 128 bits.
        assert_eq!(
            "aazzzzzzzzzzzzzzzzzzzzzz".parse::<RoomId>(),
            Err(ParseError::Digits)
        );
    }
}
