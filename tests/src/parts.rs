//! The same tests over each kind of parts: the embedded store, and a real CQL cluster with a real Kafka.

use crate::kafka;
use crate::scan::{self, Cell};
use crate::server::Server;
use crate::stores::{Clusters, Fresh};
use anyhow::Result;
use mitalk::wire::admin::Phase;
use std::path::Path;
use tempfile::TempDir;

/// Below the directory in which a service runs.
const DATABASE: &str = "data/mitalk.db";

/// What a service keeps its state and its events in.
#[derive(Debug)]
pub enum Parts {
    /// One file.
    File,
    /// A keyspace and topics that nobody else has.
    Clusters(Box<Fresh>),
}

impl Parts {
    /// Those of the clusters of this run; if none are named it says so.
    ///
    /// # Errors
    /// A cluster does not answer.
    #[allow(
        clippy::print_stderr,
        reason = "who runs the tests is to know what was left out"
    )]
    pub async fn real() -> Result<Option<Self>> {
        match (Clusters::found(), kafka::named()) {
            (Some(clusters), Some(_)) => {
                let fresh = Box::pin(clusters.fresh()).await?;
                Ok(Some(Self::Clusters(Box::new(fresh))))
            }
            _ => {
                eprintln!(
                    "left out: it needs MITALK_TEST_CQL and MITALK_TEST_KAFKA; `make checks` starts both"
                );
                Ok(None)
            }
        }
    }

    /// Removes what no other test uses.
    ///
    /// # Errors
    /// A cluster does not answer.
    pub async fn remove(self) -> Result<()> {
        match self {
            Self::File => Ok(()),
            Self::Clusters(fresh) => Box::pin(fresh.remove()).await,
        }
    }

    /// Starts a service over them, with everybody let in and these further settings.
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn open(&self, settings: &[&str]) -> Result<Server> {
        let server = self.start(settings).await?;
        server.admin.set_phase(Phase::Open).await?;
        Ok(server)
    }

    /// The same, as a new service is.
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn start(&self, settings: &[&str]) -> Result<Server> {
        self.start_in(tempfile::tempdir()?, settings).await
    }

    /// The same again, in the directory of a service that has ended.
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn start_in(&self, directory: TempDir, settings: &[&str]) -> Result<Server> {
        let own = match self {
            Self::File => vec![],
            Self::Clusters(fresh) => fresh.settings(),
        };
        let own = own.iter().map(String::as_str);
        let settings: Vec<&str> = own.chain(settings.iter().copied()).collect();
        let server = Server::start_in(directory, &settings).await?;
        server.has_its_shards().await;
        Ok(server)
    }

    /// Everything that is in them, for the service of this directory.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn cells(&self, directory: &Path) -> Result<Vec<Cell>> {
        match self {
            Self::File => scan::sqlite::cells(&directory.join(DATABASE)),
            Self::Clusters(fresh) => Box::pin(fresh.cells()).await,
        }
    }
}

/// Tests that take `&Parts`, each over a file and over real parts.
#[macro_export]
macro_rules! over_each_kind_of_parts {
    ($($test:ident),* $(,)?) => {
        mod over_a_file {
            $(#[tokio::test]
            async fn $test() -> anyhow::Result<()> {
                super::$test(&$crate::parts::Parts::File).await
            })*
        }

        mod over_real_parts {
            $(#[tokio::test]
            async fn $test() -> anyhow::Result<()> {
                match Box::pin($crate::parts::Parts::real()).await? {
                    Some(parts) => {
                        super::$test(&parts).await?;
                        parts.remove().await
                    }
                    None => Ok(()),
                }
            })*
        }
    };
}
