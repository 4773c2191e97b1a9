//! Ids of the domain: opaque, random, and carrying the logical home of what they name.
//!
//! An id is 24 characters: two lower-case letters for the home, then 22 base62 digits of 128 random
//! bits. Nothing can be listed by counting upwards. Ids of different kinds are different types; all of them are `Copy`,
//! serialise as text and are safe in paths, logs and events.

mod text;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Characters of an id's text.
pub const ID_CHARS: usize = 2 + text::DIGITS;

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
    #[error("an id ends with {} base62 digits of 128 bits", text::DIGITS)]
    Digits,
}

/// A logical home: two lower-case letters, mapped to a region by configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home([u8; 2]);

impl Home {
    fn of(letters: [u8; 2]) -> Result<Self, ParseError> {
        match letters.iter().all(u8::is_ascii_lowercase) {
            true => Ok(Self(letters)),
            false => Err(ParseError::Home),
        }
    }

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
        Self::of(text.as_bytes().try_into().map_err(|_| ParseError::Home)?)
    }
}

/// The 128 bits and the home that every id consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Raw {
    home: Home,
    bits: u128,
}

impl Raw {
    fn text(self) -> Text {
        let mut bytes = [0; ID_CHARS];
        let (home, digits) = bytes.split_at_mut(2);
        home.copy_from_slice(&self.home.0);
        digits.copy_from_slice(&text::digits(self.bits));
        Text(bytes)
    }
}

/// An id as it is written, without an allocation: a room with hundreds of people is hundreds of ids in every commit.
struct Text([u8; ID_CHARS]);

impl Text {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("letters and digits are ASCII")
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl FromStr for Raw {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (home, digits) = text.as_bytes().split_first_chunk().ok_or(ParseError::Length)?;
        let digits = digits.try_into().map_err(|_| ParseError::Length)?;
        let home = Home::of(*home)?;
        let bits = text::bits(digits).ok_or(ParseError::Digits)?;
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
                serializer.serialize_str(self.0.text().as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer)
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
        text::deserialize(deserializer)
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
