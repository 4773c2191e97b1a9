//! People who work: each one command after the other, repeated until it is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mitalk::client::{Client, Error};
use mitalk::wire::people::ProfilePatch;
use mitalk::wire::rooms::CreateRoom;
use mitalk_load::people;
use mitalk_tests::server::{Server, until};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Commands of all people together.
pub(crate) const PER_SECOND: u32 = 50;
/// Until then a command is repeated: longer than any damage lasts.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two attempts of a command.
const AGAIN: Duration = Duration::from_millis(200);
/// Of this many commands of a person one makes a room.
const ROOM_EVERY: usize = 10;

/// What one person got acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worked {
    pub(crate) user: String,
    pub(crate) token: Option<Client>,
    /// The last headline.
    pub(crate) headline: Option<String>,
    /// Whom they follow, each asked for once.
    pub(crate) follows: Vec<String>,
    /// Rooms by their keys.
    pub(crate) rooms: Vec<(String, String)>,
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
        let everybody: Arc<Vec<String>> = Arc::new(people.iter().map(|person| person.user.clone()).collect());
        let (app, at) = watch::channel(server.app.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let pace = Duration::from_secs(count as u64) / PER_SECOND;
        let work = people.into_iter().enumerate().map(|(number, person)| {
            let worker = Worker {
                number,
                person,
                app: at.clone(),
                worked: Worked::default(),
            };
            tokio::spawn(worker.run(Arc::clone(&everybody), Arc::clone(&stop), pace))
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

struct Worker {
    number: usize,
    person: people::Person,
    app: watch::Receiver<String>,
    worked: Worked,
}

impl Worker {
    async fn run(
        mut self,
        everybody: Arc<Vec<String>>,
        stop: Arc<AtomicBool>,
        pace: Duration,
    ) -> Result<Worked> {
        let mut ticks = tokio::time::interval(pace);
        // After a pause there is no rush: the load is bounded.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            self.turn(turn, &everybody)
                .await
                .with_context(|| format!("person {}", self.number))?;
            turn += 1;
        }
        self.worked.user = self.person.user.clone();
        self.worked.token = Some(self.person.client.clone());
        Ok(self.worked)
    }

    async fn turn(&mut self, turn: usize, everybody: &[String]) -> Result<()> {
        // Each person walks over all others once, beginning behind themselves.
        let follows = turn / 2;
        match turn {
            turn if turn % ROOM_EVERY == ROOM_EVERY - 1 => self.room(turn).await,
            turn if turn % 2 == 0 && follows + 1 < everybody.len() => {
                self.follow(everybody[(self.number + follows + 1) % everybody.len()].clone())
                    .await
            }
            turn => self.headline(turn).await,
        }
    }

    async fn follow(&mut self, whom: String) -> Result<()> {
        let command = |client: Client| {
            let whom = whom.clone();
            async move { client.follow(&whom).await }
        };
        self.insist(command).await?;
        self.worked.follows.push(whom);
        Ok(())
    }

    async fn headline(&mut self, turn: usize) -> Result<()> {
        let headline = format!("Turn {turn}");
        let patch = ProfilePatch {
            headline: Some(headline.clone()),
            ..ProfilePatch::default()
        };
        self.insist(async |client| client.patch_profile(&patch).await)
            .await?;
        self.worked.headline = Some(headline);
        Ok(())
    }

    /// Asked for twice with one key: the second answer is the first one.
    async fn room(&mut self, turn: usize) -> Result<()> {
        let request = CreateRoom {
            title: format!("Room {turn}"),
            topics: vec!["faults".into()],
            language: None,
            visibility: Default::default(),
            hand_raising: Default::default(),
        };
        let key = format!("room-{}-{turn}", self.number);
        for _ in 0..2 {
            let command = |client: Client| {
                let (request, key) = (request.clone(), key.clone());
                async move { client.create_room(&request, &key).await }
            };
            let room = self.insist(command).await?;
            self.worked.rooms.push((key.clone(), room.id));
        }
        Ok(())
    }

    /// Repeats a command until it is acknowledged. What is neither that nor a matter of time fails the run.
    async fn insist<T, F>(&mut self, command: impl Fn(Client) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let begun = Instant::now();
        let mut refused = false;
        loop {
            let client = self.person.client.at(self.app.borrow().as_str())?;
            match command(client).await {
                Ok(answer) => {
                    self.worked.acknowledged += 1;
                    if refused {
                        self.worked.longest = self.worked.longest.max(begun.elapsed());
                    }
                    return Ok(answer);
                }
                Err(error) if !is_busy(&error) => bail!("refused for good: {error}"),
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

/// Answers that only ask for patience, and silence.
fn is_busy(error: &Error) -> bool {
    match error {
        Error::Problem(problem) => matches!(problem.status, 408 | 429 | 502..=504),
        Error::Http(_) => true,
        _ => false,
    }
}
