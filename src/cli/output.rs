//! Writing to the terminal. A reader that went away (`| head`) is no error.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;

/// A line of the answer.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// An answer that ends its own lines.
pub(super) fn text(text: impl Display) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// An error with its causes, on one line; a cause that its effect's text has already is not said twice.
pub(super) fn error(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    let _ = writeln!(std::io::stderr().lock(), "mitalk: {text}");
}
