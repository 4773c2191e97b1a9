//! The one place that chooses where state lives.

use std::sync::Arc;

use mitalk_actors::ports::{AllowList, Ledger, Reads};
use mitalk_cluster::store::{EntityStore, LeaseStore, ReadTables, TimerStore};
use prometheus::Registry;

use super::StartError;
use crate::config::{Config, Store as StoreKind};
use crate::copy;
use crate::failpoints::Pointed;
use crate::secrets::{self, Secrets};
use crate::store::scylla;
use crate::store::sqlite::{self, Migrate, Options};

/// The adapters of the state, whatever it is in.
pub(super) struct Stores {
    pub(super) lease: Arc<dyn LeaseStore>,
    pub(super) entity: Arc<dyn EntityStore>,
    pub(super) timer: Arc<dyn TimerStore>,
    pub(super) tables: Arc<dyn ReadTables>,
    pub(super) reads: Arc<dyn Reads>,
    pub(super) allow_list: Arc<dyn AllowList>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) state: State,
}

/// What the state is in.
#[derive(Clone)]
pub(super) enum State {
    File(sqlite::Store),
    Cluster(scylla::Store),
}

impl Stores {
    /// Opens what the configuration names.
    pub(super) async fn open(config: &Config, registry: &Registry) -> Result<Self, StartError> {
        match config.storage.store {
            StoreKind::Sqlite => {
                let file = open_file(config, registry).await?;
                copy::refuse_source(&file).await??;
                Ok(Self::over(file.clone(), State::File(file)))
            }
            StoreKind::Scylla => {
                make_directory(config).await?;
                let metrics = scylla::Metrics::new(registry)?;
                let cluster = scylla::Store::open(&config.scylla, metrics).await?;
                copy::refuse_target(&cluster).await??;
                Ok(Self::over(cluster.clone(), State::Cluster(cluster)))
            }
        }
    }

    fn over<P>(store: P, state: State) -> Self
    where
        P: LeaseStore + EntityStore + TimerStore + ReadTables + Reads + AllowList + Ledger + Clone,
    {
        let pointed = Arc::new(Pointed(store.clone()));
        Self {
            lease: pointed.clone(),
            entity: pointed.clone(),
            timer: pointed.clone(),
            tables: pointed.clone(),
            reads: Arc::new(store.clone()),
            allow_list: pointed,
            ledger: Arc::new(store),
            state,
        }
    }

    /// The keys that the state was written with, and the operators' token.
    pub(super) async fn secrets(&self, config: &Config) -> Result<(Secrets, String), StartError> {
        let written = match &self.state {
            State::File(store) => store.written_with().await?,
            State::Cluster(store) => store.written_with().await?,
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
        match &self.state {
            State::File(store) => store.note_key(&secrets.fingerprint()).await?,
            State::Cluster(store) => {
                // Another node may have started with other keys at this very moment: then ours are the wrong ones.
                let written = store.note_key(&secrets.fingerprint()).await?;
                Secrets::check(&config.storage.data_dir, &written)?;
                // Again, behind the key: whoever begins to copy looks for that when it has left its mark.
                copy::refuse_target(store).await??;
            }
        }
        Ok((secrets, admin_token))
    }
}

impl State {
    /// The last words to it: nobody uses it any more.
    pub(super) async fn close(self) {
        match self {
            // Tasks that were cut short may still have a handle: the file is closed under them.
            Self::File(store) => drop(tokio::task::spawn_blocking(move || store.close()).await),
            // Its connections end with the process.
            Self::Cluster(_) => {}
        }
    }
}

/// For the secrets and the operators' token.
async fn make_directory(config: &Config) -> Result<(), StartError> {
    let path = config.storage.data_dir.clone();
    let made = tokio::fs::create_dir_all(&path).await;
    made.map_err(|source| StartError::DataDirectory { path, source })
}

async fn open_file(config: &Config, registry: &Registry) -> Result<sqlite::Store, StartError> {
    make_directory(config).await?;
    let metrics = sqlite::Metrics::new(registry)?;
    let storage = config.storage.clone();
    let store = tokio::task::spawn_blocking(move || {
        let options = Options {
            migrate: Migrate::Apply,
            max_bytes: (storage.max_bytes > 0).then_some(storage.max_bytes),
            ..Options::default()
        };
        Ok::<_, StartError>(sqlite::Store::open(&storage.database(), &options, metrics)?)
    });
    store.await?
}
