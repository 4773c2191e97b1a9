//! The real process: started, watched, killed.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Far longer than any start takes, also on a busy machine.
const START: Duration = Duration::from_secs(60);
/// Lines of the log kept for the story of a failure.
const KEPT_LINES: usize = 60;

/// Lines of requests say nothing that the test does not know.
const REQUEST: &str = "\"message\":\"request\"";

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// URL of the app.
    pub(crate) app: String,
    /// URL of the operations listener.
    pub(crate) operations: String,
}

/// The last lines of the log, over all starts of a run.
#[derive(Clone, Default)]
pub(crate) struct LogTail(Arc<Mutex<VecDeque<String>>>);

impl LogTail {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("    {line}\n")).collect()
    }
}

/// Where the two listeners are, from the line that says "ready".
struct Ready {
    app: String,
    operations: String,
}

impl Server {
    /// Starts the binary in `home` with these settings and fail points, and others to come in the file `arms`; `None` if it
    /// was killed before it was ready.
    pub(crate) async fn start(
        home: &Path,
        settings: &[String],
        points: &str,
        arms: &Path,
        log: &LogTail,
    ) -> Result<Option<Server>> {
        let mut command = Command::new(binary()?);
        // Nothing else from here: the service takes MITALK_* for configuration.
        command
            .arg("serve")
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .env_clear()
            .env("FAILPOINTS", points)
            .env("FAILPOINTS_FILE", arms)
            .current_dir(home)
            .kill_on_drop(true);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("the binary does not start")?;
        let (tell, ready) = oneshot::channel();
        let stdout = child.stdout.take().context("stdout is piped")?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        tokio::spawn(follow(stdout, log.clone(), Some(tell)));
        tokio::spawn(follow(stderr, log.clone(), None));
        match timeout(START, ready)
            .await
            .context("the server is not ready in time")?
        {
            Ok(Ready { app, operations }) => Ok(Some(Server {
                child,
                app,
                operations,
            })),
            // Its output ended.
            Err(_) => match killed(&mut child).await? {
                true => Ok(None),
                false => bail!("the server ended by itself:\n{}", log.text()),
            },
        }
    }

    /// Whether the process is gone by SIGKILL; an error if it ended otherwise.
    pub(crate) fn is_killed(&mut self) -> Result<bool> {
        use std::os::unix::process::ExitStatusExt;
        match self.child.try_wait()? {
            None => Ok(false),
            Some(status) if status.signal() == Some(libc::SIGKILL) => Ok(true),
            Some(status) => bail!("the server ended with {status}"),
        }
    }

    /// SIGKILL from outside.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

async fn killed(child: &mut Child) -> Result<bool> {
    use std::os::unix::process::ExitStatusExt;
    let status = timeout(START, child.wait())
        .await
        .context("its output ended, but not the process")??;
    Ok(status.signal() == Some(libc::SIGKILL))
}

/// Keeps the log's tail and finds the line that says where the server listens.
async fn follow(output: impl AsyncRead + Unpin, log: LogTail, mut tell: Option<oneshot::Sender<Ready>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(ready) = ready(&line)
            && let Some(tell) = tell.take()
        {
            // Nobody waits any more if the test gave up.
            let _ = tell.send(ready);
        }
        if !line.contains(REQUEST) {
            log.push(line);
        }
    }
}

fn ready(line: &str) -> Option<Ready> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let text = |name| fields.get(name)?.as_str().map(str::to_owned);
    (text("message")? == "ready").then_some(())?;
    Some(Ready {
        app: text("app")?,
        operations: text("operations")?,
    })
}

/// `MITALK_BIN`, or the binary beside the directory of this test.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MITALK_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let path = test
        .ancestors()
        .nth(2)
        .context("a test lies in target/<profile>/deps")?
        .join("mitalk");
    if !path.exists() {
        bail!(
            "{} is missing: cargo build --bins --features mitalk/failpoints",
            path.display()
        );
    }
    Ok(path)
}
