//! Real brokers, for tests that find one named or that need one of their own to kill.

use anyhow::{Result, ensure};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// Names a broker that runs; set, it also says that brokers may be started here.
const BROKER: &str = "MITALK_TEST_KAFKA";
/// Says where its certificates are.
const TLS: &str = "MITALK_TEST_KAFKA_TLS";
/// Its other listeners are so far above the one that is named.
const BY_TLS: u16 = 200;
const BY_PASSWORD: u16 = 300;
/// The controller of a broker listens so far above it.
const CONTROLLER: u16 = 100;
/// The highest port with room for that.
const HIGHEST: u16 = u16::MAX - CONTROLLER;

/// The broker that runs, unless tests over Kafka are left out; then it says so.
#[allow(
    clippy::print_stderr,
    reason = "who runs the tests is to know what was left out"
)]
pub fn named() -> Option<String> {
    let broker = std::env::var(BROKER).ok().filter(|broker| !broker.is_empty());
    if broker.is_none() {
        eprintln!(
            "left out: no {BROKER}. `make checks` starts a broker; by hand: deploy/local/kafka.sh start, then \
             {BROKER}=127.0.0.1:19092 cargo test --workspace --features mitalk/failpoints -- kafka"
        );
    }
    broker
}

/// The same broker by TLS, where it was started with that.
#[derive(Debug)]
pub struct Secure {
    directory: PathBuf,
    /// Where it takes TLS.
    pub by_tls: String,
    /// Where it takes TLS and a password.
    pub by_password: String,
}

impl Secure {
    /// The one of this run, unless tests over TLS are left out; then it says so.
    ///
    /// # Panics
    /// The broker is not named as `host:port`.
    #[allow(
        clippy::print_stderr,
        reason = "who runs the tests is to know what was left out"
    )]
    pub fn found() -> Option<Self> {
        let Some(directory) = std::env::var_os(TLS) else {
            eprintln!("left out: no {TLS}; see `make test-tls`");
            return None;
        };
        let broker = named()?;
        let (host, port) = broker.rsplit_once(':').expect("host:port");
        let port: u16 = port.parse().expect("a port");
        Some(Self {
            directory: directory.into(),
            by_tls: format!("{host}:{}", port + BY_TLS),
            by_password: format!("{host}:{}", port + BY_PASSWORD),
        })
    }

    /// `ca.pem`, `other-ca.pem` (which signed nothing) or `password`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// A broker by `deploy/local/kafka.sh`, over a directory of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Broker {
    directory: TempDir,
    port: u16,
}

impl Broker {
    /// Not started yet.
    ///
    /// # Errors
    /// No directory or no port is left.
    pub fn new() -> Result<Self> {
        let free = || Ok::<_, io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let mut port = free()?;
        while port > HIGHEST || TcpListener::bind(("127.0.0.1", port + CONTROLLER)).is_err() {
            port = free()?;
        }
        let directory = tempfile::tempdir()?;
        Ok(Self { directory, port })
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `start`, `kill` and so on; waits until that is done.
    ///
    /// # Errors
    /// The script failed.
    pub async fn run(&self, command: &str) -> Result<()> {
        let status = tokio::process::Command::from(self.script(command))
            .status()
            .await?;
        ensure!(status.success(), "kafka.sh {command} failed");
        Ok(())
    }

    fn script(&self, command: &str) -> std::process::Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/local/kafka.sh");
        let mut run = std::process::Command::new(script);
        run.arg(command)
            .env("KAFKA_DIR", self.directory.path().join("kafka"))
            .env("KAFKA_PORT", self.port.to_string())
            .env("KAFKA_NODES", "1")
            .env("KAFKA_HEAP", "160m")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        run
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Its data goes with the directory.
        let _ = self.script("kill").status();
    }
}
