//! A server that keeps dying, and the persistence of those who use it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mitalk::client::{AdminClient, Client, Error};
use mitalk::wire::problem::Problem;
use mitalk_tests::push::PushService;
use tokio::time::sleep;

use crate::check::Ledger;
use crate::parts::Parts;
use crate::server::{LogTail, Server};
use crate::texts::Texts;

/// Until then a request has its answer, and what was answered its effect, kills and restarts included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at what will come.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// The file from which a server that runs takes its arms.
const ARMS: &str = "arms";
/// The configuration: small waits where the product has long ones, and no limits that many sign-ups from one address meet.
const CONFIGURATION: &str = r#"
[http]
listen = "127.0.0.1:0"
[operations]
listen = "127.0.0.1:0"
[media]
bind = ["127.0.0.1:0"]
[storage]
data_dir = "data"
[sms]
file = "sms.jsonl"
[log]
format = "json"
[rates]
per_address_rps = 100000
per_address_burst = 100000
per_account_rps = 100000
per_account_burst = 100000
[limits.codes]
resend_after_s = 1
resend_after_max_s = 1
per_number_and_day = 1000
per_address_and_hour = 100000
per_block_and_day = 100000
per_day = 1000000
[limits.rooms]
grace_s = 1
empty_stage_s = 1
heartbeat_ms = 500
tick_ms = 500
forwarder_idle_s = 1
"#;

/// One run: a directory, the server over it, and what was acknowledged.
pub(crate) struct World {
    home: tempfile::TempDir,
    parts: Parts,
    server: Option<Server>,
    /// The point at which servers die.
    point: String,
    /// What a server that starts now is armed with.
    armed: String,
    /// How a server that runs is armed, one after the other, until one is killed with something to lose.
    plan: VecDeque<Arm>,
    /// Events that nobody can read, in each topic.
    poisoned: u64,
    kills: usize,
    /// Of these, so many came after something was acknowledged.
    kills_that_count: usize,
    log: LogTail,
    /// What the outside got.
    pub(crate) texts: Texts,
    /// It outlives all servers.
    pub(crate) push: PushService,
    /// What the script was told, and what must therefore hold.
    pub(crate) ledger: Ledger,
}

/// Arms the point of a server that runs, once there is that much to lose.
#[derive(Clone, Copy)]
struct Arm {
    when: fn(&Ledger) -> bool,
    /// Passings before the one that kills.
    spared: u32,
}

/// What the outside saw more than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeats {
    pub(crate) events: usize,
    pub(crate) texts: usize,
}

/// Both clients of the server as it runs now.
pub(crate) struct Clients {
    pub(crate) app: Client,
    pub(crate) admin: AdminClient,
}

impl World {
    /// A fresh store with an event in it that nobody can read, and a first server that dies at its first passing, if
    /// it comes that far before anything is acknowledged. Those after it die at a later one, which is the `spared`th from
    /// the first acknowledgement on, or else the next after half a round.
    pub(crate) async fn new(parts: Parts, point: &str, spared: u32) -> Result<World> {
        let home = tempfile::tempdir()?;
        let push = PushService::start().await?;
        let services = format!("[push]\nservices = [\"{}\"]\n", push.origin);
        std::fs::write(
            home.path().join("mitalk.toml"),
            format!("{CONFIGURATION}{services}"),
        )?;
        let texts = Texts {
            path: home.path().join("sms.jsonl"),
        };
        let log = LogTail::default();
        let settings = parts.settings();
        let first = Server::start(home.path(), &settings, "", &home.path().join(ARMS), &log)
            .await?
            .context("killed without a reason")?;
        first.kill().await?;
        let ledger = Ledger::default();
        let plan = [
            Arm {
                when: Ledger::has_begun,
                spared,
            },
            Arm {
                when: Ledger::is_under_way,
                spared: 0,
            },
        ];
        let mut world = World {
            home,
            parts,
            server: None,
            point: point.to_owned(),
            armed: format!("{point}=return"),
            plan: plan.into(),
            poisoned: 0,
            kills: 0,
            kills_that_count: 0,
            log,
            texts,
            push,
            ledger,
        };
        world.poison().await?;
        world.start().await?;
        Ok(world)
    }

    /// What is still to be delivered or dealt with, if anything.
    pub(crate) async fn owed(&self) -> Result<Option<String>> {
        self.parts.owed(self.home.path()).await
    }

    /// How often something reached the outside again, under its key: events in their topics, and texts.
    pub(crate) async fn repeats(&self) -> Result<Repeats> {
        Ok(Repeats {
            events: self.parts.repeats(self.home.path()).await?,
            texts: self.texts.repeats()?,
        })
    }

    /// Ends the service and clears up.
    pub(crate) async fn remove(mut self) -> Result<()> {
        self.kill().await?;
        self.parts.remove().await
    }

    pub(crate) fn kills(&self) -> usize {
        self.kills
    }

    /// Kills at the point with something to lose.
    pub(crate) fn kills_that_count(&self) -> usize {
        self.kills_that_count
    }

    /// For the message of a failure.
    pub(crate) fn story(&self) -> String {
        let (kills, count) = (self.kills, self.kills_that_count);
        format!(
            "killed {kills} times, {count} with something to lose; the log's end:\n{}",
            self.log.text()
        )
    }

    /// One more kill, from outside and at no special place, and then a server that lives.
    pub(crate) async fn restart_for_good(&mut self) -> Result<()> {
        self.plan.clear();
        self.armed.clear();
        self.kill().await?;
        self.start().await
    }

    /// A kill from outside, and a server that dies at its first passing: some points are only passed by one that starts, or
    /// that finds work of another one.
    pub(crate) async fn kill_and_restart_armed(&mut self) -> Result<()> {
        self.kill().await?;
        self.poison().await?;
        self.armed = format!("{}=return", self.point);
        self.start().await
    }

    async fn kill(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        Ok(())
    }

    /// Arms the server that runs as planned, if it is time.
    async fn arm(&mut self) -> Result<()> {
        let Some(Arm { spared, .. }) = self.plan.pop_front_if(|arm| (arm.when)(&self.ledger)) else {
            return Ok(());
        };
        let (arms, whole) = (self.home.path().join(ARMS), self.home.path().join("arms.new"));
        let spare = if spared > 0 {
            format!("{spared}*off->")
        } else {
            String::new()
        };
        std::fs::write(&whole, format!("{}={spare}return", self.point))?;
        std::fs::rename(whole, &arms)?;
        let begun = Instant::now();
        while arms.exists() {
            ensure!(begun.elapsed() < PATIENCE, "the server does not take its arms");
            let is_dead = match &mut self.server {
                Some(server) => server.is_killed()?,
                None => true,
            };
            if is_dead {
                // Of what it was armed with before; it may have taken these as well.
                let _taken = std::fs::remove_file(arms);
                break;
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Asks until the service answers; `Err` inside is its refusal. An answer that was lost, a server that died and one
    /// that has no time are no answers: the same request is sent again.
    pub(crate) async fn ask<T>(
        &mut self,
        what: &str,
        request: impl AsyncFn(&Clients) -> Result<T, Error>,
    ) -> Result<Result<T, Problem>> {
        let begun = Instant::now();
        loop {
            self.arm().await?;
            let clients = self.clients().await?;
            match request(&clients).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(Error::Problem(problem)) if !is_busy(&problem) => return Ok(Err(*problem)),
                Err(error) if begun.elapsed() > PATIENCE => bail!("{what}: {error}"),
                Err(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Like [`World::ask`], for what must not be refused.
    pub(crate) async fn insist<T>(
        &mut self,
        what: &str,
        request: impl AsyncFn(&Clients) -> Result<T, Error>,
    ) -> Result<T> {
        self.ask(what, request)
            .await?
            .map_err(|problem| anyhow::anyhow!("{what}: refused: {problem:?}"))
    }

    /// Clients of the server that runs now; starts it again if it died.
    async fn clients(&mut self) -> Result<Clients> {
        let is_dead = match &mut self.server {
            Some(server) => server.is_killed()?,
            None => true,
        };
        if is_dead {
            self.died();
            self.start().await?;
        }
        let server = self.server.as_ref().context("a server was started")?;
        let token = std::fs::read_to_string(self.home.path().join("data/admin-token"))?;
        let admin = AdminClient::new(&server.operations, token.trim())?;
        Ok(Clients {
            app: Client::new(&server.app)?,
            admin,
        })
    }

    /// Starts servers until one is ready: some die while they start.
    async fn start(&mut self) -> Result<()> {
        loop {
            let arms = self.home.path().join(ARMS);
            self.server = Server::start(
                self.home.path(),
                &self.parts.settings(),
                &self.armed,
                &arms,
                &self.log,
            )
            .await?;
            match self.server {
                Some(_) => return Ok(()),
                None => self.died(),
            }
        }
    }

    fn died(&mut self) {
        self.kills += 1;
        self.armed.clear();
        if self.ledger.has_begun() {
            self.kills_that_count += 1;
            self.plan.clear();
        }
    }

    async fn poison(&mut self) -> Result<()> {
        self.poisoned += 1;
        self.parts.poison(self.home.path(), self.poisoned).await
    }
}

/// Answers that only ask for patience. `code_rate_limited` is not among them: it says something about the number.
fn is_busy(problem: &Problem) -> bool {
    matches!(problem.status, 408 | 502..=504) || problem.code == "rate_limited"
}
