//! What can be wrong with a configuration, in words that say what to change.

use std::fmt::Display;
use std::path::PathBuf;

/// A configuration that cannot be used. Nothing was started; trying again without a change does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file named by `--config` cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's or the parser's words.
        reason: String,
    },
    /// A key that nobody knows.
    #[error("unknown key `{key}` in {source_name}{}", suggestion(nearest.as_deref(), known))]
    UnknownKey {
        /// Its whole path, e.g. `http.lisen`.
        key: String,
        /// The file, the environment variable or the flag that has it.
        source_name: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
        /// All keys at that place.
        known: Vec<String>,
    },
    /// A value of the wrong type or form.
    #[error("`{key}` in {source_name}: {reason}")]
    Form {
        /// Its whole path.
        key: String,
        /// The file, the environment variable or the flag that has it.
        source_name: String,
        /// What was expected.
        reason: String,
    },
    /// A value that can never work.
    #[error("`{key}` {reason}")]
    Value {
        /// Its whole path.
        key: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A limit that cannot be kept; the text has its whole path.
    #[error("{0}")]
    Limit(String),
    /// `--set` without `key=value`.
    #[error("--set wants key=value, such as http.listen=127.0.0.1:8081, and got `{0}`")]
    Flag(String),
}

impl Error {
    /// An [`Error::Value`].
    pub(super) fn value(key: &'static str, reason: impl Display) -> Self {
        Self::Value {
            key,
            reason: reason.to_string(),
        }
    }
}

fn suggestion(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; known here: {}", known.join(", ")),
    }
}
