//! The real `mitalk serve` as a process of its own, on free ports and an empty directory, with test admission.

use anyhow::{Context, bail};
use mitalk::client::{AdminClient, Client};
use mitalk_load::people::{self, Person};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// Longer than any start takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// In the working directory.
const TOKEN_FILE: &str = "data/admin-token";
/// Free ports, logs that can be read, and room for tests: all people share one address.
const SETTINGS: &[&str] = &[
    "http.listen=127.0.0.1:0",
    "operations.listen=127.0.0.1:0",
    "media.bind=[\"127.0.0.1:0\"]",
    "log.format=json",
    "admin.test_admission=true",
    "rates.per_address_rps=10000",
    "rates.per_address_burst=10000",
    "rates.per_account_rps=1000",
    "rates.per_account_burst=1000",
];

/// A running server. It is killed, and its directory removed, when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// The app's API, signed in as nobody.
    pub client: Client,
    /// The operators' API.
    pub admin: AdminClient,
    /// The operations listener's URL.
    pub operations: String,
    _child: Child,
    directory: TempDir,
}

/// The binary of this name that `cargo build --bins` made beside this test.
///
/// # Errors
/// It was not built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let path = test
        .ancestors()
        .nth(2)
        .context("tests are in <target>/<profile>/deps")?
        .join(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: run `cargo build --bins` first",
        path.display()
    );
    Ok(path)
}

impl Server {
    /// Starts one, and waits until it is ready.
    ///
    /// # Errors
    /// The binary is missing, or it ended by itself.
    pub async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(binary("mitalk")?);
        command
            .args(["serve", "--data-dir", "data"])
            .current_dir(directory.path())
            .env_clear();
        for setting in SETTINGS {
            command.args(["--set", setting]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let (tell, ready) = oneshot::channel();
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        tokio::spawn(async move {
            let mut tell = Some(tell);
            // Read to the end, so that the process never waits for us.
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str::<Ready>(&line) {
                    Ok(ready) if ready.message == "ready" => drop(tell.take().map(|tell| tell.send(ready))),
                    _ => {}
                }
            }
        });
        let Ok(ready) = tokio::time::timeout(PATIENCE, ready)
            .await
            .context("the server is not ready in time")?
        else {
            bail!("the server ended with {}", child.wait().await?);
        };
        let token = std::fs::read_to_string(directory.path().join(TOKEN_FILE))?;
        let (client, admin) = (
            Client::new(&ready.app)?,
            AdminClient::new(&ready.operations, token.trim())?,
        );
        Ok(Self {
            client,
            admin,
            operations: ready.operations,
            _child: child,
            directory,
        })
    }

    /// The file with the operators' token.
    pub fn token_file(&self) -> PathBuf {
        self.directory.path().join(TOKEN_FILE)
    }

    /// Active accounts.
    ///
    /// # Errors
    /// Those of the admin API.
    pub async fn people<const COUNT: usize>(&self) -> anyhow::Result<[Person; COUNT]> {
        let people = people::make(&self.admin, &self.client, COUNT, |_| ()).await?;
        people
            .try_into()
            .map_err(|_| anyhow::anyhow!("another number of accounts than was asked for"))
    }
}

/// The line that says where the server listens.
#[derive(serde::Deserialize)]
struct Ready {
    message: String,
    #[serde(default)]
    app: String,
    #[serde(default)]
    operations: String,
}
