//! `mitalk migrate`.

use super::{Failure, output};
use crate::config::{Config, Store as StoreKind};
use crate::store::scylla::{self, Planned};
use crate::store::sqlite::{Metrics, Migrate as Mode, Options, SCHEMA, Store, pending};
use anyhow::Context as _;
use clap::Args;
use prometheus::Registry;

/// Bring the database up to this release
///
/// Safe to run again, and from several machines at once: one works, the others wait. A database of a newer release is
/// refused.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Only show what would be done
    #[arg(long)]
    plan: bool,
}

impl Migrate {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match config.storage.store {
            StoreKind::Sqlite => self.file(config),
            StoreKind::Scylla => self.cluster(config),
        }
    }

    fn file(&self, config: &Config) -> Result<(), Failure> {
        let path = config.storage.database();
        if self.plan {
            let shown = path.display();
            let missing = pending(&path).context("the database cannot be looked into")?;
            match missing {
                None => output::line(format_args!(
                    "{shown} was not closed properly: what is missing shows once `mitalk serve` has run"
                )),
                Some(missing) if missing.is_empty() => {
                    output::line(format_args!("{shown} is at schema {SCHEMA}: nothing to do"));
                }
                Some(missing) => {
                    for (number, name) in missing {
                        output::line(format_args!("would apply {number} {name} to {shown}"));
                    }
                }
            }
            return Ok(());
        }
        std::fs::create_dir_all(&config.storage.data_dir).with_context(|| {
            format!(
                "cannot make the data directory {}",
                config.storage.data_dir.display()
            )
        })?;
        let metrics = Metrics::new(&Registry::new()).context("metrics")?;
        let options = Options {
            migrate: Mode::Apply,
            ..Options::default()
        };
        Store::open(&path, &options, metrics).context("the database was not migrated")?;
        output::line(format_args!("{} is at schema {SCHEMA}", path.display()));
        Ok(())
    }

    fn cluster(&self, config: &Config) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let keyspace = &config.scylla.keyspace;
        if self.plan {
            let planned = runtime
                .block_on(scylla::plan(&config.scylla))
                .context("the keyspace cannot be looked into")?;
            if planned.is_empty() {
                output::line(format_args!(
                    "keyspace {keyspace} is at schema {}: nothing to do",
                    scylla::SCHEMA
                ));
            }
            for migration in &planned {
                show(migration);
            }
            return Ok(());
        }
        let applied = runtime
            .block_on(scylla::migrate(&config.scylla))
            .context("the keyspace was not migrated")?;
        for migration in applied {
            output::line(format_args!("applied {} {}", migration.number, migration.name));
        }
        output::line(format_args!(
            "keyspace {keyspace} is at schema {}",
            scylla::SCHEMA
        ));
        Ok(())
    }
}

/// A migration with its statements, as they would be sent.
fn show(planned: &Planned) {
    output::line(format_args!("-- {} {}", planned.number, planned.name));
    for statement in &planned.statements {
        output::line(format_args!("{statement};\n"));
    }
}
