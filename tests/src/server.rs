//! The real `mitalk serve` as a process of its own, on free ports and in an empty directory; and people on it, in `people`.

mod people;

pub use people::{Person, code};

use anyhow::{Context as _, Result, bail};
use mitalk::client::{AdminClient, Client};
use mitalk::wire::admin::Phase;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The operators' token, in the working directory.
const TOKEN_FILE: &str = "data/admin-token";
/// Fail points that are to be armed, in the working directory.
const POINTS_FILE: &str = "failpoints";
/// How often a condition in another process is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// The binary of this name that `cargo build --bins` made beside this test.
///
/// # Panics
/// It is not there.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let path = test
        .ancestors()
        .nth(2)
        .expect("tests are in <target>/<profile>/deps")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing: run cargo build --bins first",
        path.display()
    );
    path
}

/// A command of the binary that sees no configuration but what is given.
pub fn mitalk(directory: &Path) -> Command {
    let mut command = Command::new(binary("mitalk"));
    command
        .current_dir(directory)
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Waits until `look` gives something.
///
/// # Panics
/// It does not within [`PATIENCE`].
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same, for what may take longer.
///
/// # Panics
/// It does not within `limit`.
pub async fn until_within<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, search)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A service of its own. It is killed, and its directory removed, when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    /// Where it runs; its data is in `data`.
    pub directory: TempDir,
    /// URL of the app.
    pub app: String,
    /// URL of the operations listener.
    pub operations: String,
    /// The app's API, signed in as nobody.
    pub client: Client,
    /// The operators' API.
    pub admin: AdminClient,
}

impl Server {
    /// Starts one with these further settings (`key=value`).
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn start(settings: &[&str]) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, settings).await
    }

    /// Starts one in a directory that may have been used before.
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn start_in(directory: TempDir, settings: &[&str]) -> Result<Self> {
        Self::launch(directory, settings, None).await
    }

    /// The same; fail points are armed later, by [`Server::arm`].
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn start_armable(directory: TempDir, settings: &[&str]) -> Result<Self> {
        Self::launch(directory, settings, Some(POINTS_FILE)).await
    }

    /// Arms fail points: actions of the crate `fail`, such as `relay.publish.before=return`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn arm(&self, actions: &str) -> Result<()> {
        let file = self.directory.path().join(POINTS_FILE);
        let whole = file.with_extension("part");
        std::fs::write(&whole, actions)?;
        std::fs::rename(&whole, &file)?;
        until("the points to be armed", async || (!file.exists()).then_some(())).await;
        Ok(())
    }

    async fn launch(directory: TempDir, settings: &[&str], points: Option<&str>) -> Result<Self> {
        let mut command = mitalk(directory.path());
        command.envs(points.map(|file| ("FAILPOINTS_FILE", file)));
        command.args(["serve", "--data-dir", "data", "--set", "sms.file=\"sms.jsonl\""]);
        // Free ports, and budgets that a test which waits for a condition cannot use up.
        let usual = [
            "http.listen=127.0.0.1:0",
            "operations.listen=127.0.0.1:0",
            "media.bind=[\"127.0.0.1:0\"]",
            "rates.per_account_rps=1000",
            "rates.per_account_burst=1000",
            "rates.per_address_rps=1000",
            "rates.per_address_burst=1000",
        ];
        for setting in usual.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = collect(child.stdout.take().context("stdout is piped")?);
        let errors = collect(child.stderr.take().context("stderr is piped")?);
        let ready = until("the service to be ready", async || {
            let ready = lines
                .borrow()
                .iter()
                .find(|line| line.contains("\"message\":\"ready\""))
                .cloned();
            ready.map(Ok).or_else(|| child.try_wait().ok().flatten().map(Err))
        });
        let ready = match ready.await {
            Ok(line) => serde_json::from_str::<Value>(&line)?,
            Err(status) => bail!(
                "mitalk ended with {status}: {:?} {:?}",
                errors.borrow(),
                lines.borrow()
            ),
        };
        let url = |name: &str| {
            ready[name]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {name} in {ready}"))
        };
        let (app, operations) = (url("app")?, url("operations")?);
        let token = std::fs::read_to_string(directory.path().join(TOKEN_FILE))?;
        // Nobody answers where people would open it: `http.public_url` may be anything.
        let client = Client::new(&format!("http://{}", url("listen")?))?;
        let admin = AdminClient::new(&operations, token.trim())?;
        Ok(Self {
            child,
            lines,
            directory,
            app,
            operations,
            client,
            admin,
        })
    }

    /// The same, with everybody let in.
    ///
    /// # Errors
    /// The binary does not start, or ends by itself.
    pub async fn open(settings: &[&str]) -> Result<Self> {
        let server = Self::start(settings).await?;
        server.admin.set_phase(Phase::Open).await?;
        Ok(server)
    }

    /// Waits until it has its shards. It is there before that if they take long: a thousand conditional writes in a cluster on
    /// a busy machine do.
    ///
    /// # Panics
    /// It does not have them within [`PATIENCE`], or ended.
    pub async fn has_its_shards(&self) {
        let ready = async || {
            let readiness = self.admin.readiness().await.ok()?;
            readiness.ready.then_some(())
        };
        until("the service to have its shards", ready).await;
    }

    /// The file with the operators' token.
    pub fn token_file(&self) -> PathBuf {
        self.directory.path().join(TOKEN_FILE)
    }

    /// What was logged so far.
    pub fn log(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// What a series of the metrics says now; none if there is no such series. `series` is its name with its labels, as the
    /// metrics have it.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn metric(&self, series: &str) -> Result<Option<f64>> {
        let [value] = self.metrics([series]).await?;
        Ok(value)
    }

    /// What several series say at one and the same moment.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn metrics<const COUNT: usize>(&self, series: [&str; COUNT]) -> Result<[Option<f64>; COUNT]> {
        let metrics = self.admin.metrics().await?;
        let value = |line: &str, series| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        Ok(series.map(|series| metrics.lines().find_map(|line| value(line, series))))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: libc::c_int) -> Result<()> {
        let pid = libc::pid_t::try_from(self.child.id().context("it has ended")?)?;
        // SAFETY: a plain system call; the pid is of our own child, which has not been waited for.
        let failed = unsafe { libc::kill(pid, signal) };
        if failed != 0 {
            bail!("kill: {}", std::io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// From now on the process can make no file longer than so many bytes.
    ///
    /// # Errors
    /// It has ended.
    pub fn limit_files(&self, bytes: libc::rlim_t) -> Result<()> {
        let pid = libc::pid_t::try_from(self.child.id().context("it has ended")?)?;
        let limit = libc::rlimit {
            rlim_cur: bytes,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: a plain system call over our own child, with a limit that outlives it; the old one is not asked for.
        let failed =
            unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut()) };
        if failed != 0 {
            bail!("prlimit: {}", std::io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("it does not end")??)
    }

    /// The directory of one that has ended.
    pub fn into_directory(self) -> TempDir {
        self.directory
    }

    /// Stops it properly and gives its directory back.
    ///
    /// # Errors
    /// It does not end in time, or not well.
    pub async fn stop(mut self) -> Result<TempDir> {
        self.signal(libc::SIGTERM)?;
        let status = self.ended().await?;
        if !status.success() {
            bail!("mitalk ended with {status}: {:?}", self.log());
        }
        Ok(self.directory)
    }

    /// Stops it properly and gives all that it ever logged.
    ///
    /// # Errors
    /// It does not end in time, or not well.
    pub async fn stopped_log(self) -> Result<Vec<String>> {
        Ok(self.stopped().await?.1)
    }

    /// Stops it properly and gives its directory and all that it ever logged.
    ///
    /// # Errors
    /// It does not end in time, or not well.
    pub async fn stopped(self) -> Result<(TempDir, Vec<String>)> {
        let mut lines = self.lines.clone();
        let directory = self.stop().await?;
        // The reader ends with the pipe, and drops its end.
        while lines.changed().await.is_ok() {}
        let log = lines.borrow().clone();
        Ok((directory, log))
    }

    /// Kills it, so that nothing is put in order, and gives its directory back.
    ///
    /// # Errors
    /// It has ended by itself.
    pub async fn kill(mut self) -> Result<TempDir> {
        self.signal(libc::SIGKILL)?;
        self.ended().await?;
        Ok(self.directory)
    }
}

/// Reads lines as they come, so that the process never waits for us.
fn collect(pipe: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Vec<String>> {
    let (sender, receiver) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|all: &mut Vec<String>| all.push(line));
        }
    });
    receiver
}
