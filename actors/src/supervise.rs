//! Background work under a supervisor: consumers, pumps, tickers.
//!
//! Restart policy: a job runs for ever. One that panics or returns is started again after a delay that doubles from
//! [`FIRST_DELAY`] up to [`MAX_DELAY`]; a job that ran for [`STEADY`] has its delay reset. The others go on meanwhile. The
//! supervisor never gives up: every job takes its work from the log or the tables, so a restart loses nothing. Jobs end
//! with the supervisor; should it die all the same, [`Jobs::are_supervised`] says so, and the node is not ready any more.

use futures::future::BoxFuture;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, SpawnErr, SupervisionEvent};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Before the first restart.
pub const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Before any later one, at most.
pub const MAX_DELAY: Duration = Duration::from_secs(30);
/// A job that ran for so long starts afresh.
pub const STEADY: Duration = Duration::from_secs(60);

/// Something that runs for ever.
#[derive(Clone)]
pub struct Job {
    /// For logs.
    pub name: &'static str,
    /// Runs it once more from its beginning.
    pub run: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Job {
    /// A job of this name.
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        run: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            run: Arc::new(move || Box::pin(run())),
        }
    }
}

/// Running jobs.
pub struct Jobs(ActorRef<Message>);

impl Jobs {
    /// Starts all of them.
    ///
    /// # Errors
    /// The supervisor could not be spawned.
    pub async fn start(jobs: Vec<Job>) -> Result<Self, SpawnErr> {
        let (actor, _) = Actor::spawn(None, Supervisor, jobs).await?;
        Ok(Self(actor))
    }

    /// Whether the supervisor lives.
    pub fn are_supervised(&self) -> bool {
        lives(&self.0)
    }

    /// Makes the supervisor die, as nothing is known to.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.0.kill();
    }

    /// Ends all of them, wherever they are.
    pub async fn stop(&self) {
        // Already stopped is as good.
        let _ = self.0.kill_and_wait(None).await;
    }
}

/// Whether an actor has not ended.
pub(crate) fn lives<M>(actor: &ActorRef<M>) -> bool {
    !matches!(actor.get_status(), ActorStatus::Stopping | ActorStatus::Stopped)
}

struct Supervisor;

/// To the supervisor.
pub enum Message {
    /// Start the job of this index.
    Start(usize),
}

struct State {
    jobs: Vec<Supervised>,
    running: HashMap<ractor::ActorId, usize>,
}

struct Supervised {
    job: Job,
    delay: Duration,
    since: Instant,
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Vec<Job>;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        jobs: Vec<Job>,
    ) -> Result<State, ActorProcessingErr> {
        for index in 0..jobs.len() {
            myself.cast(Message::Start(index))?;
        }
        let jobs = jobs.into_iter().map(|job| Supervised {
            job,
            delay: FIRST_DELAY,
            since: Instant::now(),
        });
        Ok(State {
            jobs: jobs.collect(),
            running: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        Message::Start(index): Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let job = &mut state.jobs[index];
        job.since = Instant::now();
        let (child, _) = Actor::spawn_linked(None, Worker, job.job.clone(), myself.get_cell()).await?;
        state.running.insert(child.get_id(), index);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (child, why) = match event {
            SupervisionEvent::ActorFailed(child, error) => (child, error.to_string()),
            SupervisionEvent::ActorTerminated(child, _, _) => (child, "it returned".to_owned()),
            _ => return Ok(()),
        };
        let Some(index) = state.running.remove(&child.get_id()) else {
            return Ok(());
        };
        let job = &mut state.jobs[index];
        if job.since.elapsed() >= STEADY {
            job.delay = FIRST_DELAY;
        }
        tracing::error!(job = job.job.name, %why, delay_ms = job.delay.as_millis(), "background job restarts");
        myself.send_after(job.delay, move || Message::Start(index));
        job.delay = (job.delay * 2).min(MAX_DELAY);
        Ok(())
    }
}

/// Runs one job, as its only message.
struct Worker;

impl Actor for Worker {
    type Msg = ();
    type State = Job;
    type Arguments = Job;

    async fn pre_start(&self, myself: ActorRef<()>, job: Job) -> Result<Job, ActorProcessingErr> {
        myself.cast(())?;
        Ok(job)
    }

    async fn handle(&self, myself: ActorRef<()>, (): (), job: &mut Job) -> Result<(), ActorProcessingErr> {
        (job.run)().await;
        myself.stop(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::mpsc;

    fn counting(fails: u32, starts: mpsc::UnboundedSender<Instant>) -> Job {
        let runs = Arc::new(AtomicU32::new(0));
        Job::new("counting", move || {
            let (run, starts) = (runs.fetch_add(1, Ordering::SeqCst), starts.clone());
            async move {
                starts.send(Instant::now()).unwrap();
                assert!(run >= fails, "fails on purpose");
                std::future::pending::<()>().await;
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_job_starts_again_later_and_later() {
        let (starts, mut started) = mpsc::unbounded_channel();
        let jobs = Jobs::start(vec![counting(12, starts)]).await.unwrap();
        let mut times = vec![];
        for _ in 0..13 {
            times.push(started.recv().await.unwrap());
        }
        let delays: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            delays[0] >= FIRST_DELAY && delays[0] < FIRST_DELAY * 2,
            "{delays:?}"
        );
        assert!(delays.is_sorted() && delays[11] >= MAX_DELAY, "{delays:?}");
        jobs.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_leaves_the_others_alone() {
        let (bad, mut bad_started) = mpsc::unbounded_channel();
        let (good, mut good_started) = mpsc::unbounded_channel();
        let jobs = Jobs::start(vec![counting(3, bad), counting(0, good)])
            .await
            .unwrap();
        for _ in 0..4 {
            bad_started.recv().await.unwrap();
        }
        good_started.recv().await.unwrap();
        assert!(
            good_started.try_recv().is_err(),
            "the good one was never restarted"
        );
        jobs.stop().await;
        // Stopping drops the jobs, and with them their senders.
        assert!(good_started.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_supervisor_that_dies_is_noticed_and_its_jobs_end() {
        let (starts, mut started) = mpsc::unbounded_channel();
        let jobs = Jobs::start(vec![counting(0, starts)]).await.unwrap();
        started.recv().await.unwrap();
        assert!(jobs.are_supervised());
        jobs.fail();
        assert!(started.recv().await.is_none(), "the job went with it");
        assert!(!jobs.are_supervised());
    }
}
