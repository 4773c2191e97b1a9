//! Logs: text for a person at a terminal, one JSON object per line for machines. No personal data goes in.

use crate::config::{Format, Log};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Starts logging to standard output for the whole process.
///
/// # Errors
/// If logging was started before.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stdout().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match log.format {
        Format::Auto if terminal => builder.with_target(false).finish().try_init(),
        Format::Text => builder.with_ansi(terminal).finish().try_init(),
        Format::Auto | Format::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    }
}
