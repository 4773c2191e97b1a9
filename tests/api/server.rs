//! A running `mitalk serve`, and people on it.

use anyhow::{Context as _, Result, bail};
use mitalk::client::{AdminClient, Client};
use mitalk::sms::{Line, receiver};
use mitalk::wire::admin::Phase;
use mitalk::wire::auth::{SignedIn, Tokens, VerifyRequest};
use mitalk::wire::people::ProfilePatch;
use mitalk_actors::number::PhoneNumber;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition in another process is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// The binary that `cargo build --bins` made beside this test.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let path = test
        .ancestors()
        .nth(2)
        .expect("tests are in <target>/<profile>/deps")
        .join("mitalk");
    assert!(
        path.exists(),
        "{} is missing: run cargo build --bins first",
        path.display()
    );
    path
}

/// A command of the binary that sees no configuration but what is given.
pub(crate) fn mitalk(directory: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(directory)
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Waits until `look` gives something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, search)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A service of its own.
pub(crate) struct Server {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    pub(crate) directory: TempDir,
    pub(crate) app: String,
    pub(crate) operations: String,
    pub(crate) client: Client,
    pub(crate) admin: AdminClient,
}

impl Server {
    /// Starts one with these further settings (`key=value`).
    pub(crate) async fn start(settings: &[&str]) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, settings).await
    }

    /// Starts one in a directory that may have been used before.
    pub(crate) async fn start_in(directory: TempDir, settings: &[&str]) -> Result<Self> {
        let mut command = mitalk(directory.path());
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
        let token = std::fs::read_to_string(directory.path().join("data/admin-token"))?;
        let client = Client::new(&app)?;
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
    pub(crate) async fn open(settings: &[&str]) -> Result<Self> {
        let server = Self::start(settings).await?;
        server.admin.set_phase(Phase::Open).await?;
        Ok(server)
    }

    /// What was logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: libc::c_int) -> Result<()> {
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
    pub(crate) fn limit_files(&self, bytes: libc::rlim_t) -> Result<()> {
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

    /// What the operations listener tells Prometheus.
    pub(crate) async fn metrics(&self) -> Result<String> {
        let answer = reqwest::get(format!("{}/metrics", self.operations)).await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("it does not end")??)
    }

    /// Stops it properly and gives its directory back.
    pub(crate) async fn stop(mut self) -> Result<TempDir> {
        self.signal(libc::SIGTERM)?;
        let status = self.ended().await?;
        if !status.success() {
            bail!("mitalk ended with {status}: {:?}", self.log());
        }
        Ok(self.directory)
    }

    /// Asks for a code and waits for it: the first one that comes after those that were there.
    pub(crate) async fn new_code(&self, phone: &str) -> Result<String> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        let before = self.messages(&to).len();
        self.client.send_code(phone).await?;
        let code = async || {
            self.messages(&to)
                .into_iter()
                .skip(before)
                .find_map(|line| line.code)
        };
        Ok(until("a code", code).await)
    }

    /// The newest code that a number got.
    pub(crate) async fn code(&self, phone: &str) -> Result<String> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        let code = async || self.messages(&to).into_iter().rev().find_map(|line| line.code);
        Ok(until("a code", code).await)
    }

    /// Everything that was sent to a receiver.
    pub(crate) fn messages(&self, to: &str) -> Vec<Line> {
        let text = std::fs::read_to_string(self.directory.path().join("sms.jsonl")).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok());
        lines.filter(|line| line.to == to).collect()
    }

    /// Signs a number in.
    pub(crate) async fn sign_in(&self, phone: &str) -> Result<Person> {
        self.sign_in_by(phone, None).await
    }

    /// Signs a number in that came by an invite link.
    pub(crate) async fn sign_in_by(&self, phone: &str, invite: Option<&str>) -> Result<Person> {
        let request = VerifyRequest {
            phone: phone.to_owned(),
            code: self.new_code(phone).await?,
            device_name: Some("Test".to_owned()),
            invite: invite.map(str::to_owned),
        };
        let signed_in = self.client.verify(&request).await?;
        Ok(Person::new(self, signed_in))
    }

    /// Signs a number in and gives it a name.
    pub(crate) async fn person(&self, phone: &str, name: &str) -> Result<Person> {
        let person = self.sign_in(phone).await?;
        person
            .client
            .patch_profile(&ProfilePatch {
                name: Some(name.to_owned()),
                ..ProfilePatch::default()
            })
            .await?;
        Ok(person)
    }
}

/// Somebody signed in.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) client: Client,
    pub(crate) tokens: Tokens,
}

impl Person {
    fn new(server: &Server, signed_in: SignedIn) -> Self {
        let client = server.client.signed_in(&signed_in.tokens.access_token);
        Self {
            id: signed_in.me.id,
            client,
            tokens: signed_in.tokens,
        }
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

/// The stable code of a failure.
pub(crate) fn code<T: std::fmt::Debug>(result: std::result::Result<T, mitalk::client::Error>) -> String {
    let error = result.expect_err("this must be refused");
    error
        .code()
        .unwrap_or_else(|| panic!("no problem document: {error}"))
        .to_owned()
}
