//! People who work: each one command after the other, repeated until it is taken.

mod acts;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mitalk::client::{Client, Error};
use mitalk_load::people;
use mitalk_tests::light::Session;
use mitalk_tests::server::{Server, until};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Turns of all people together, each of one to three commands.
pub(crate) const PER_SECOND: u32 = 50;
/// Until then a command is repeated: longer than any damage lasts.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two attempts of a command.
const AGAIN: Duration = Duration::from_millis(200);
/// What one person got acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    pub(crate) user: String,
    pub(crate) token: Option<Client>,
    /// The last headline.
    pub(crate) headline: Option<String>,
    /// Whom they follow, each asked for once.
    pub(crate) follows: Vec<String>,
    /// Rooms by their keys.
    pub(crate) rooms: Vec<(String, String)>,
    /// Invites by their keys, and the numbers that they are for.
    pub(crate) invites: Vec<(String, String)>,
    pub(crate) invited: Vec<String>,
    /// Accounts of new numbers.
    pub(crate) signed_up: Vec<(String, String)>,
    /// Hands that were raised, seen and lowered again.
    pub(crate) hands: usize,
    pub(crate) acknowledged: usize,
    /// Answers and silences that were no acknowledgement.
    pub(crate) refused: usize,
    /// The longest time from a command's first attempt to its acknowledgement, if it was refused at all.
    pub(crate) longest: Duration,
}

/// Everybody at work.
pub(crate) struct Load {
    app: watch::Sender<String>,
    stop: Arc<AtomicBool>,
    people: Vec<JoinHandle<Result<Worked>>>,
}

impl Load {
    pub(crate) async fn start(server: &Server, count: usize) -> Result<Self> {
        let make = async || {
            people::make(&server.admin, &server.client, count, |_| ())
                .await
                .ok()
        };
        let people = until("people to work", make).await;
        // Profiles are projections: whoever is not shown yet cannot be followed.
        for person in &people {
            until("everybody's profile", async || {
                people[0].client.profile(&person.user).await.ok()
            })
            .await;
        }
        let everybody: Vec<String> = people.iter().map(|person| person.user.clone()).collect();
        let open = async || {
            people[0]
                .client
                .create_room(&acts::room("Hands"), "hands")
                .await
                .ok()
        };
        let common = Arc::new(Common {
            everybody,
            hands: until("a room for hands", open).await.id,
            texts: server.directory.path().join("sms.jsonl"),
        });
        let (app, at) = watch::channel(server.app.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let pace = Duration::from_secs(count as u64) / PER_SECOND;
        let work = people.into_iter().enumerate().map(|(number, person)| {
            let worker = Worker {
                number,
                person,
                app: at.clone(),
                common: Arc::clone(&common),
                session: None,
                worked: Worked::default(),
            };
            tokio::spawn(worker.run(Arc::clone(&stop), pace))
        });
        Ok(Self {
            app,
            people: work.collect(),
            stop,
        })
    }

    /// The service is somewhere else from now on.
    pub(crate) fn goes_to(&self, server: &Server) {
        self.app.send_replace(server.app.clone());
    }

    /// Lets everybody finish what they are at.
    pub(crate) async fn stop(self) -> Result<Vec<Worked>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut worked = Vec::new();
        for person in self.people {
            worked.push(person.await??);
        }
        Ok(worked)
    }
}

/// What all know.
struct Common {
    everybody: Vec<String>,
    /// The room in which hands are raised.
    hands: String,
    /// Where text messages are written.
    texts: PathBuf,
}

struct Worker {
    number: usize,
    person: people::Person,
    app: watch::Receiver<String>,
    common: Arc<Common>,
    /// In the room of hands.
    session: Option<Session>,
    worked: Worked,
}

impl Worker {
    async fn run(mut self, stop: Arc<AtomicBool>, pace: Duration) -> Result<Worked> {
        let mut ticks = tokio::time::interval(pace);
        // After a pause there is no rush: the load is bounded.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            self.turn(turn)
                .await
                .with_context(|| format!("person {}, turn {turn}", self.number))?;
            turn += 1;
        }
        self.worked.user = self.person.user.clone();
        self.worked.token = Some(self.person.client.clone());
        Ok(self.worked)
    }

    /// Their client, where the service is now.
    fn client(&self) -> Result<Client> {
        Ok(self.person.client.at(self.app.borrow().as_str())?)
    }

    /// Repeats a command until it is acknowledged. What is neither that nor a matter of time fails the run.
    async fn insist<T, F>(&mut self, command: impl Fn(Client) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.ask(command).await?.context("refused for good")
    }

    /// Repeats a command until it is answered; `Err` inside is a refusal for good.
    async fn ask<T, F>(&mut self, command: impl Fn(Client) -> F) -> Result<Result<T, Error>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let begun = Instant::now();
        let mut refused = false;
        loop {
            match command(self.client()?).await {
                Ok(answer) => {
                    self.worked.acknowledged += 1;
                    if refused {
                        self.worked.longest = self.worked.longest.max(begun.elapsed());
                    }
                    return Ok(Ok(answer));
                }
                Err(error) if !is_busy(&error) => return Ok(Err(error)),
                Err(error) if begun.elapsed() > PATIENCE => bail!("no answer in {PATIENCE:?}: {error}"),
                Err(_) => {
                    refused = true;
                    self.worked.refused += 1;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// Answers that only ask for patience, and silence. `code_rate_limited` says something about the number.
fn is_busy(error: &Error) -> bool {
    match error {
        Error::Problem(problem) => {
            matches!(problem.status, 408 | 429 | 502..=504) && problem.code != "code_rate_limited"
        }
        Error::Http(_) => true,
        _ => false,
    }
}
