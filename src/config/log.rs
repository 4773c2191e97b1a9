//! What is logged, and how.

use super::Error;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module: `info,mitalk_media=debug`.
    pub level: String,
    /// `text`, `json`, or `auto`: text on a terminal, JSON otherwise.
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::Auto,
        }
    }
}

impl Log {
    pub(super) fn validate(&self) -> Result<(), Error> {
        EnvFilter::try_new(&self.level)
            .map(drop)
            .map_err(|error| Error::value("log.level", format!("is not understood: {error}")))
    }
}
