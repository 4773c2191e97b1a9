//! Configuration: one documented struct per component, from defaults, a TOML file, the environment and flags.
//!
//! Later sources win: defaults, then the file (`--config`, else `mitalk.toml` if it exists), then the environment
//! (`MITALK_HTTP__LISTEN=127.0.0.1:8080`: two underscores between levels), then flags (`--set http.listen=...`).
//!
//! Invariants: every key has a default that works on one machine; an unknown key is refused by name, with the nearest
//! known one; what can be checked without touching the machine is checked once, here, and the error names the key.
//! The documentation of a key is its field's doc comment, also in `mitalk config print`: see [`docs`].
//!
//! It deliberately lacks secrets: those are files in the data directory (see [`crate::secrets`]).

mod auth;
pub mod docs;
mod error;
mod http;
mod kafka;
mod load;
mod log;
mod network;
mod operations;
mod print;
mod rates;
mod storage;

pub use auth::Auth;
pub use error::Error;
pub use http::Http;
pub use kafka::{Kafka, Security};
pub use load::{ENVIRONMENT_PREFIX, Sources};
pub use log::{Format, Log};
pub use network::Network;
pub use operations::{Admin, Operations};
pub use rates::Rates;
pub use storage::{Events, Storage, Store};

use crate::push;
use crate::sms;
use crate::store::scylla;
use mitalk_actors::Limits;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// Where clients send audio unless configured otherwise.
const MEDIA_PORT: u16 = 7800;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where state lives.
    pub storage: Storage,
    /// The CQL cluster, where `storage.store` is `scylla`.
    pub scylla: scylla::Config,
    /// The Kafka cluster that keeps the event log, with `storage.events = "kafka"`.
    pub kafka: Kafka,
    /// The application's listener: API, live sockets and web app.
    pub http: Http,
    /// The operators' listener: metrics, health and the admin API. Keep it off the Internet.
    pub operations: Operations,
    /// The admin API.
    pub admin: Admin,
    /// Tokens of signed-in devices.
    pub auth: Auth,
    /// How often clients may ask.
    pub rates: Rates,
    /// Text messages.
    pub sms: sms::Config,
    /// Web Push: notices to people who do not have the app open.
    pub push: push::Config,
    /// The audio forwarding engine.
    pub media: mitalk_media::Config,
    /// This node, its leases and its bounds.
    pub cluster: mitalk_cluster::Config,
    /// What the product allows: numbers of people, lengths and times.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            storage: Storage::default(),
            scylla: scylla::Config::default(),
            kafka: Kafka::default(),
            http: Http::default(),
            operations: Operations::default(),
            admin: Admin::default(),
            auth: Auth::default(),
            rates: Rates::default(),
            sms: sms::Config::default(),
            push: push::Config::default(),
            media: mitalk_media::Config {
                bind: vec![SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), MEDIA_PORT)],
                ..mitalk_media::Config::default()
            },
            cluster: mitalk_cluster::Config::default(),
            limits: Limits::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// Checks what serde cannot: values that contradict each other or can never work.
    ///
    /// # Errors
    /// [`Error::Value`] with the key and what to do.
    pub fn validate(&self) -> Result<(), Error> {
        if let Some((key, problem)) = self.scylla.problem() {
            return Err(Error::value(key, problem));
        }
        self.http.validate()?;
        if let Some((key, problem)) = self.sms.problem(&self.http.public_url) {
            return Err(Error::value(key, problem));
        }
        if self.storage.events == Events::Kafka {
            self.kafka.validate(&self.cluster)?;
        } else if self.storage.store == Store::Scylla {
            return Err(Error::value(
                "storage.events",
                "must be `kafka` where storage.store is `scylla`: what lies in one node's file is lost to the others with it",
            ));
        }
        if let Some((key, problem)) = self.push.problem() {
            return Err(Error::value(key, problem));
        }
        self.auth.validate()?;
        self.rates.validate()?;
        self.log.validate()?;
        self.media
            .validate()
            .map_err(|error| Error::value("media", error))?;
        self.limits
            .check()
            .map_err(|error| Error::Limit(error.to_string()))?;
        mitalk_actors::rooms::check(&self.limits.rooms).map_err(|error| Error::Limit(error.to_string()))?;
        self.cluster
            .check()
            .map_err(|error| Error::value("cluster", error))?;
        if self.http.listen == self.operations.listen && self.http.listen.port() != 0 {
            return Err(Error::value(
                "operations.listen",
                "is the same as http.listen, but clients must not reach the operators' routes: choose another port",
            ));
        }
        Ok(())
    }
}
