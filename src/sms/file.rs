//! Files with secrets, which no configuration prints.

use super::Error;
use std::path::Path;

/// Longer ones are no secrets.
const MOST_BYTES: usize = 4 * 1024;

/// A secret's text, without the line's end.
pub(super) fn read(key: &'static str, path: Option<&Path>) -> Result<String, Error> {
    let Some(path) = path else {
        return Err(Error::Config(key, "must be set".to_owned()));
    };
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        key,
        path: path.to_owned(),
        source,
    })?;
    let reason = match text.trim() {
        "" => "is empty",
        secret if secret.len() > MOST_BYTES => "is too long for a secret",
        secret => return Ok(secret.to_owned()),
    };
    Err(Error::Secret {
        key,
        path: path.to_owned(),
        reason,
    })
}
