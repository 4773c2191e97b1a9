//! `mitalk migrate`.

use super::{Failure, output};
use crate::config::Config;
use crate::store::sqlite::{Metrics, Migrate, Options, SCHEMA, Store};
use anyhow::Context as _;
use prometheus::Registry;

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let path = config.storage.database();
    std::fs::create_dir_all(&config.storage.data_dir).with_context(|| {
        format!(
            "cannot make the data directory {}",
            config.storage.data_dir.display()
        )
    })?;
    let metrics = Metrics::new(&Registry::new()).context("metrics")?;
    let options = Options {
        migrate: Migrate::Apply,
        ..Options::default()
    };
    Store::open(&path, &options, metrics).context("the database was not migrated")?;
    output::line(format_args!("{} is at schema {SCHEMA}", path.display()));
    Ok(())
}
