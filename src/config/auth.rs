//! Tokens of signed-in devices.

use super::Error;
use serde::{Deserialize, Serialize};

/// A revoked device keeps its access token for so long at most: minutes, not hours.
const MAX_ACCESS_TOKEN_S: u64 = 60 * 60;

/// Tokens of signed-in devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// An access token is good for so long; it is checked without asking anybody, so keep it to minutes.
    pub access_token_s: u64,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            access_token_s: 10 * 60,
        }
    }
}

impl Auth {
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.access_token_s == 0 || self.access_token_s > MAX_ACCESS_TOKEN_S {
            return Err(Error::value(
                "auth.access_token_s",
                format!("must be between 1 and {MAX_ACCESS_TOKEN_S}"),
            ));
        }
        Ok(())
    }
}
