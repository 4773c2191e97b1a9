//! `mitalk openapi`.

use super::{Failure, output};
use anyhow::Context as _;

pub(super) fn run() -> Result<(), Failure> {
    let document = crate::api::openapi_document();
    output::line(
        document
            .to_pretty_json()
            .context("the document cannot be written")?,
    );
    Ok(())
}
