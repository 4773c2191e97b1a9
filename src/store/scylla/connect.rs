//! Connecting, and why it failed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{ExecutionError, NewSessionError, PrepareError};
use scylla::policies::load_balancing::{DefaultPolicy, LoadBalancingPolicy};
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::statement::{Consistency, SerialConsistency};

use super::config::Config;

/// One attempt to reach a node.
const CONNECT: Duration = Duration::from_secs(3);
/// A connection is asked so often whether anybody is there, and given up when the answer takes longer than a call may. A node
/// that is frozen, or behind a network that drops everything, resets nothing: until its connections are given up, its share
/// of the calls runs into time-outs, beats included. Both together are well within what a lease is held without a beat, 8 s.
const KEEP_ALIVE: Duration = Duration::from_millis(1_100);
/// Reads that have no answer by then are asked of one more node: later than from any cluster that keeps up, so that one that
/// does not is not asked everything twice.
const SECOND_ASK: Duration = Duration::from_millis(800);
/// Between attempts to reach the cluster.
const AGAIN: Duration = Duration::from_millis(500);

/// Why the cluster cannot be used. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No node answers.
    #[error(
        "the CQL cluster at {nodes} is not reachable: {source}; check scylla.nodes, scylla.user, scylla.tls_ca_file (the nodes' \
         certificates must have their addresses) and whether it runs"
    )]
    Unreachable {
        /// As configured.
        nodes: String,
        /// The driver's words.
        source: Box<NewSessionError>,
    },
    /// Not one attempt came to an end.
    #[error(
        "the CQL cluster at {nodes} gave no answer within {waited:?}: check scylla.nodes, see whether they are overloaded, frozen \
         or behind a network that drops everything, or raise scylla.connect_timeout_ms"
    )]
    Silent {
        /// As configured.
        nodes: String,
        /// How long it was tried.
        waited: Duration,
    },
    /// There is no such keyspace yet.
    #[error("the CQL cluster has no keyspace {0} yet: run `mitalk migrate`")]
    NoKeyspace(String),
    /// Written by an older release.
    #[error("the keyspace is at schema {found}, and this release needs {known}: run `mitalk migrate`")]
    Older {
        /// Its number.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// Written by a newer release.
    #[error(
        "the keyspace is at schema {found}, and this release knows {known}: start the newer release that wrote it"
    )]
    Newer {
        /// Its number.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// Another process migrates and does not get done.
    #[error("another process has been migrating the keyspace for {0:?}: see what it does, then try again")]
    Locked(Duration),
    /// A file of the configuration.
    #[error("cannot read {} ({key}): {source}", path.display())]
    File {
        /// Which key.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// TLS cannot be used as configured.
    #[error("scylla.tls_ca_file: {0}; it must hold certificates in PEM")]
    Tls(String),
    /// The cluster answers, but not as it should.
    #[error("the CQL cluster refused: {0}")]
    Refused(String),
}

impl From<ExecutionError> for OpenError {
    fn from(error: ExecutionError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<PrepareError> for OpenError {
    fn from(error: PrepareError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// A session; tries as long as the configuration says.
pub(super) async fn session(config: &Config) -> Result<Session, OpenError> {
    connect(config, Duration::from_millis(config.request_timeout_ms)).await
}

/// A session for changes of the schema: nodes that make tables answer nobody for a while.
pub(super) async fn session_for_changes(config: &Config, longest: Duration) -> Result<Session, OpenError> {
    connect(config, longest).await
}

async fn connect(config: &Config, silence: Duration) -> Result<Session, OpenError> {
    let builder = builder(config)?.keepalive_timeout(silence);
    let mut why = None;
    let connected = async {
        loop {
            match builder.build().await {
                Ok(session) => return Ok(session),
                Err(error @ (NewSessionError::IllegalConfig(_) | NewSessionError::EmptyKnownNodesList)) => {
                    return Err(unreachable(config, error));
                }
                Err(error) => {
                    tracing::warn!(%error, "the CQL cluster is not reachable yet");
                    why = Some(error);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    };
    match tokio::time::timeout(Duration::from_millis(config.connect_timeout_ms), connected).await {
        Ok(session) => session,
        Err(_) => Err(why.map_or_else(|| silent(config), |error| unreachable(config, error))),
    }
}

/// A statement's text with the keyspace where it has `@`. `USE` is an anti-pattern with prepared statements.
pub(super) fn qualified(config: &Config, text: &str) -> String {
    text.replace('@', &format!("{}.", config.keyspace))
}

fn silent(config: &Config) -> OpenError {
    OpenError::Silent {
        nodes: config.nodes.join(", "),
        waited: Duration::from_millis(config.connect_timeout_ms),
    }
}

fn unreachable(config: &Config, error: NewSessionError) -> OpenError {
    OpenError::Unreachable {
        nodes: config.nodes.join(", "),
        source: Box::new(error),
    }
}

fn builder(config: &Config) -> Result<SessionBuilder, OpenError> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .default_execution_profile_handle(profile(config, local(config)).into_handle())
        .connection_timeout(CONNECT)
        .keepalive_interval(KEEP_ALIVE)
        .disallow_shard_aware_port(!config.shard_aware_port)
        // Routing needs to know how the keyspace is spread, and no more.
        .keyspaces_to_fetch([&config.keyspace])
        .fetch_full_schema_metadata(false);
    if !config.user.is_empty() {
        builder = builder.user(&config.user, password(config)?);
    }
    if let Some(path) = &config.tls_ca_file {
        builder = builder.tls_context(Some(Arc::new(tls(path)?)));
    }
    Ok(builder)
}

/// Only this datacenter is asked: consensus never leaves a region.
pub(super) fn local(config: &Config) -> Arc<dyn LoadBalancingPolicy> {
    DefaultPolicy::builder()
        .prefer_datacenter(config.datacenter.clone())
        .token_aware(true)
        .permit_dc_failover(false)
        .build()
}

/// Nothing is repeated unless a statement says that it may be: the driver asks a second node only for those that are marked
/// idempotent, which are reads.
pub(super) fn profile(config: &Config, policy: Arc<dyn LoadBalancingPolicy>) -> ExecutionProfile {
    ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .serial_consistency(Some(SerialConsistency::LocalSerial))
        .request_timeout(Some(Duration::from_millis(config.request_timeout_ms)))
        .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
        .load_balancing_policy(policy)
        .speculative_execution_policy(Some(Arc::new(SimpleSpeculativeExecutionPolicy {
            max_retry_count: 1,
            retry_interval: SECOND_ASK,
        })))
        .build()
}

fn password(config: &Config) -> Result<String, OpenError> {
    let Some(path) = &config.password_file else {
        return Ok(String::new());
    };
    let text = std::fs::read_to_string(path).map_err(|source| OpenError::File {
        key: "scylla.password_file",
        path: path.clone(),
        source,
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn tls(path: &Path) -> Result<ClientConfig, OpenError> {
    let wrong = |error: &dyn std::fmt::Display| OpenError::Tls(format!("{}: {error}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"there is no certificate in it"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn opened(node: &str, connect_timeout_ms: u64) -> String {
        let config = Config {
            nodes: vec![node.to_owned()],
            connect_timeout_ms,
            ..Config::default()
        };
        session(&config).await.expect_err("nobody answers").to_string()
    }

    #[tokio::test]
    async fn whoever_waits_in_vain_is_told_why() {
        // Connections are taken by the system, and nobody reads them.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let node = listener.local_addr().expect("it has one").to_string();
        assert!(opened(&node, 100).await.contains("no answer within 100ms"));
        drop(listener);
        let text = opened(&node, 2_000).await;
        assert!(
            text.contains("is not reachable") && text.contains(&node),
            "{text}"
        );
    }
}
