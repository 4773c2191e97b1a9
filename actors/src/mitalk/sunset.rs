//! The service's end: when it is, and the job that deletes everybody then.

use super::operator::Error;
use super::{Core, Mitalk};
use crate::error::{Trouble, refusal};
use crate::id::UserId;
use crate::ports::PeoplePage;
use crate::sunset::{self, Effect, KEY, Reply, Sunset};
use crate::user::{self, User};
use futures::{StreamExt, stream};
use mitalk_cluster::{AskError, BootInstant, Call, Effects, EntityId, Stamp, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

/// It is asked again after so long: every sign-in needs it.
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// People of a page.
const PAGE: usize = 100;
/// People told to go at once.
const AT_ONCE: usize = 16;
/// How long the job waits for an account.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pages that wait for the job: there is one walk.
pub(super) const PAGES: usize = 4;

/// The sunset as this node last saw it.
#[derive(Default)]
pub(super) struct SunsetCache(Mutex<Option<(BootInstant, Reply)>>);

impl SunsetCache {
    fn put(&self, at: BootInstant, reply: Reply) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, reply));
    }

    fn get(&self, now: BootInstant) -> Option<Reply> {
        let cached = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cached.filter(|(at, _)| now.since(*at) < KNOWN_FOR);
        known.map(|(_, reply)| reply)
    }
}

/// Puts pages into the job's queue.
pub(super) struct Pages(pub(super) mpsc::Sender<Effect>);

impl Effects<Sunset> for Pages {
    fn run(&self, _id: &EntityId, _stamp: Stamp, effects: Vec<Effect>) {
        for page in effects {
            // A full queue: the walk's timer asks again.
            let _ = self.0.try_send(page);
        }
    }
}

impl Mitalk {
    /// When the service ends, and how far the deletion is since.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn sunset(&self, call: Call) -> Result<Reply, Error> {
        self.ask_sunset(sunset::Command::Read, call).await
    }

    /// Announces when the service ends. Everybody is told, and deleted from that hour on.
    ///
    /// # Errors
    /// [`Error::SunsetPast`], [`Error::SunsetBegun`].
    pub async fn set_sunset(&self, call: Call, at: Timestamp) -> Result<Reply, Error> {
        self.ask_sunset(sunset::Command::Set { at }, call).await
    }

    /// The service goes on after all.
    ///
    /// # Errors
    /// [`Error::SunsetBegun`].
    pub async fn cancel_sunset(&self, call: Call) -> Result<Reply, Error> {
        self.ask_sunset(sunset::Command::Cancel, call).await
    }

    async fn ask_sunset(&self, command: sunset::Command, call: Call) -> Result<Reply, Error> {
        match self.cluster.ask::<Sunset>(KEY, command, call).await {
            Ok(reply) => {
                self.sunset.put(self.clock.boot(), reply);
                Ok(reply)
            }
            Err(error) => Err(match refusal(error)? {
                sunset::Refusal::Past => Error::SunsetPast,
                sunset::Refusal::Begun => Error::SunsetBegun,
            }),
        }
    }

    /// When the service ends, for everybody who asks.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ends_at(&self, call: Call) -> Result<Option<Timestamp>, Trouble> {
        Ok(self.known_sunset(call).await?.at)
    }

    /// Whether the service has ended.
    pub(super) async fn is_over(&self, call: Call) -> Result<bool, Trouble> {
        Ok(self.known_sunset(call).await?.is_over(self.clock.wall()))
    }

    async fn known_sunset(&self, call: Call) -> Result<Reply, Trouble> {
        if let Some(known) = self.sunset.get(self.clock.boot()) {
            return Ok(known);
        }
        match self.ask_sunset(sunset::Command::Read, call).await {
            Ok(reply) => Ok(reply),
            Err(Error::Trouble(trouble)) => Err(trouble),
            // Reading is refused to nobody.
            Err(_) => Err(Trouble::Corrupt),
        }
    }

    /// Background job: tells pages of people to go.
    pub(super) async fn run_purge(self, pages: Arc<AsyncMutex<mpsc::Receiver<Effect>>>) {
        let mut pages = pages.lock().await;
        while let Some(page) = pages.recv().await {
            // The walk's timer asks again.
            if let Err(error) = self.purge_page(page).await {
                tracing::warn!(%error, "a page of people is told to go again later");
            }
        }
    }
}

impl Core {
    async fn purge_page(&self, page: Effect) -> Result<(), Trouble> {
        let Effect { pass, after } = page;
        let PeoplePage { people, last } = self.reads.people(after, PAGE).await?;
        let told = people.into_iter().map(|user| self.purge(user));
        let told: Vec<_> = stream::iter(told).buffer_unordered(AT_ONCE).collect().await;
        let (mut deleted, mut left) = (0, 0);
        // One that failed: the whole page again, whoever is gone stays gone.
        for gone in told {
            let gone = gone?;
            deleted += u64::from(gone == user::Gone::Now);
            left += u64::from(gone != user::Gone::Altogether);
        }
        let report = sunset::Command::Purged {
            pass,
            after,
            last,
            deleted,
            left,
        };
        let asked = self
            .cluster
            .ask::<Sunset>(KEY, report, Call::within(DEADLINE))
            .await;
        asked.map(drop).or_else(|error| refusal(error).map(drop))
    }

    async fn purge(&self, user: UserId) -> Result<user::Gone, Trouble> {
        let purge = user::Command::Purge;
        let asked = self
            .cluster
            .ask::<User>(&user.to_string(), purge, Call::within(DEADLINE))
            .await;
        match asked {
            Ok(user::Reply::Gone(gone)) => Ok(gone),
            Ok(_) | Err(AskError::Refused(_)) => Err(Trouble::Corrupt),
            Err(error) => Err(refusal(error).err().unwrap_or(Trouble::Corrupt)),
        }
    }
}
