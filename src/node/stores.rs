//! The one place that chooses where state lives.

use std::sync::Arc;

use mitalk_actors::ports::{AllowList, EventSource, Reads};
use mitalk_cluster::Ports;
use prometheus::Registry;

use super::StartError;
use crate::config::{Config, Store as StoreKind};
use crate::failpoints::Pointed;
use crate::secrets::{self, Secrets};
use crate::store::sqlite::{self, Migrate, Options};
use crate::store::{WrittenWith, scylla};

/// All adapters of a node, and what has to be closed.
pub(super) struct Stores {
    pub(super) ports: Ports,
    pub(super) reads: Arc<dyn Reads>,
    pub(super) allow_list: Arc<dyn AllowList>,
    pub(super) source: Arc<dyn EventSource>,
    identity: Identity,
    file: sqlite::Store,
}

/// Who knows which lookup key the state was written with.
enum Identity {
    File(sqlite::Store),
    Cluster(scylla::Store),
}

impl Stores {
    /// Opens what the configuration names.
    pub(super) async fn open(config: &Config, registry: &Registry) -> Result<Self, StartError> {
        let file = open_file(config, registry).await?;
        let log = Arc::new(Pointed(file.clone()));
        match config.storage.store {
            StoreKind::Sqlite => Ok(Self {
                ports: Ports {
                    lease: log.clone(),
                    entity: log.clone(),
                    timer: log.clone(),
                    events: log.clone(),
                    tables: log.clone(),
                },
                reads: Arc::new(file.clone()),
                allow_list: log.clone(),
                source: log,
                identity: Identity::File(file.clone()),
                file,
            }),
            StoreKind::Scylla => {
                let metrics = scylla::Metrics::new(registry)?;
                let store = scylla::Store::open(&config.scylla, metrics).await?;
                let state = Arc::new(Pointed(store.clone()));
                Ok(Self {
                    ports: Ports {
                        lease: state.clone(),
                        entity: state.clone(),
                        timer: state.clone(),
                        events: log.clone(),
                        tables: state.clone(),
                    },
                    reads: Arc::new(store.clone()),
                    allow_list: state,
                    source: log,
                    identity: Identity::Cluster(store),
                    file,
                })
            }
        }
    }

    /// The keys that the state was written with, and the operators' token.
    pub(super) async fn secrets(&self, config: &Config) -> Result<(Secrets, String), StartError> {
        let written = match &self.identity {
            Identity::File(store) => store.written_with().await?,
            Identity::Cluster(store) => store.written_with().await?,
        };
        let data_dir = config.storage.data_dir.clone();
        let token_path = config.admin.token_path(&data_dir);
        let opened = tokio::task::spawn_blocking(move || {
            Ok::<_, secrets::Error>((
                Secrets::for_database(&data_dir, &written)?,
                secrets::admin_token(&token_path)?,
            ))
        });
        let (secrets, admin_token) = opened.await??;
        match &self.identity {
            Identity::File(store) => store.note_key(&secrets.fingerprint()).await?,
            Identity::Cluster(store) => {
                // Another node may have started with other keys at this very moment: then ours are the wrong ones.
                let written: WrittenWith = store.note_key(&secrets.fingerprint()).await?;
                Secrets::check(&config.storage.data_dir, &written)?;
            }
        }
        Ok((secrets, admin_token))
    }

    /// What must be closed last, when nobody uses it any more.
    pub(super) fn file(&self) -> sqlite::Store {
        self.file.clone()
    }
}

async fn open_file(config: &Config, registry: &Registry) -> Result<sqlite::Store, StartError> {
    let metrics = sqlite::Metrics::new(registry)?;
    let storage = config.storage.clone();
    let store = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&storage.data_dir).map_err(|source| StartError::DataDirectory {
            path: storage.data_dir.clone(),
            source,
        })?;
        let options = Options {
            migrate: Migrate::Apply,
            max_bytes: (storage.max_bytes > 0).then_some(storage.max_bytes),
            ..Options::default()
        };
        Ok::<_, StartError>(sqlite::Store::open(&storage.database(), &options, metrics)?)
    });
    store.await?
}
