//! A setting that is a secret: usable, comparable, never printed.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// What is printed in its place.
pub(super) const PLACEHOLDER: &str = "(hidden)";

/// Text that `Debug`, logs and `mitalk config print` do not show. Empty text is shown as such: it is no secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { PLACEHOLDER }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}
