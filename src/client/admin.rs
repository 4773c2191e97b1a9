//! The admin API on the operations listener.

use super::{Client, Error};
use crate::wire::admin::{
    Account, Admit, AllowCount, AllowEntry, AllowImport, AuditPage, Grant, Granted, Health, InvitesOf,
    LetterShown, Letters, LiveRooms, Phase, PhaseIs, Readiness, SetSunset, Sunset, Suspend, TestAccount,
    TestAccounts, TestAccountsMade, Waitlist,
};
use reqwest::{Method, StatusCode};

/// A client of the operations listener. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AdminClient(Client);

impl AdminClient {
    /// For the operations listener at `base`, showing the operators' token.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn new(base: &str, token: &str) -> Result<Self, Error> {
        Ok(Self(Client::new(base)?.signed_in(token)))
    }

    /// The phase.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn phase(&self) -> Result<Phase, Error> {
        Ok(self.0.get::<PhaseIs>(&["admin", "v1", "phase"]).await?.phase)
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_phase(&self, phase: Phase) -> Result<(), Error> {
        self.0
            .act_with(Method::PUT, &["admin", "v1", "phase"], &PhaseIs { phase })
            .await
    }

    /// The service's end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn sunset(&self) -> Result<Sunset, Error> {
        self.0.get(&["admin", "v1", "sunset"]).await
    }

    /// Announces it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_sunset(&self, at_ms: u64) -> Result<Sunset, Error> {
        self.0
            .send(Method::PUT, &["admin", "v1", "sunset"], &SetSunset { at_ms })
            .await
    }

    /// Takes it back.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn cancel_sunset(&self) -> Result<Sunset, Error> {
        super::answer(self.0.request(Method::DELETE, &["admin", "v1", "sunset"])).await
    }

    /// Registers numbers.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn import_allowed(&self, entries: Vec<AllowEntry>) -> Result<AllowCount, Error> {
        self.0
            .send(
                Method::POST,
                &["admin", "v1", "allow-list"],
                &AllowImport { entries },
            )
            .await
    }

    /// How many numbers are registered.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn count_allowed(&self) -> Result<AllowCount, Error> {
        self.0.get(&["admin", "v1", "allow-list"]).await
    }

    /// Forgets a number.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_allowed(&self, phone: &str) -> Result<(), Error> {
        self.0
            .act(Method::DELETE, &["admin", "v1", "allow-list", phone])
            .await
    }

    /// The waitlist.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn waitlist(&self) -> Result<Waitlist, Error> {
        self.0.get(&["admin", "v1", "waitlist"]).await
    }

    /// Admits; a repeat with the same key admits nobody more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn admit(&self, admit: &Admit, key: &str) -> Result<(), Error> {
        let request = self
            .0
            .request(Method::POST, &["admin", "v1", "waitlist", "admit"]);
        let response = request
            .header(super::IDEMPOTENCY_KEY, key)
            .json(admit)
            .send()
            .await?;
        super::checked(response).await.map(drop)
    }

    /// An account, by id or number.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn account(&self, who: &str) -> Result<Account, Error> {
        self.0.get(&["admin", "v1", "users", who]).await
    }

    /// Stops an account, or lets it go on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn suspend(&self, who: &str, suspended: bool) -> Result<(), Error> {
        self.0
            .act_with(
                Method::PUT,
                &["admin", "v1", "users", who, "suspended"],
                &Suspend { suspended },
            )
            .await
    }

    /// Somebody's invites.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn invites_of(&self, user: &str) -> Result<InvitesOf, Error> {
        super::answer(
            self.0
                .request(Method::GET, &["admin", "v1", "invites"])
                .query(&[("user", user)]),
        )
        .await
    }

    /// Gives somebody more invites to give; a repeat with the same key gives nothing more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn grant_invites(&self, user: &str, grant: u32, key: &str) -> Result<Granted, Error> {
        self.0
            .create(
                &["admin", "v1", "invites"],
                &Grant {
                    user: user.to_owned(),
                    grant,
                },
                key,
            )
            .await
    }

    /// All live rooms.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rooms(&self) -> Result<LiveRooms, Error> {
        self.0.get(&["admin", "v1", "rooms"]).await
    }

    /// Ends a room.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn stop_room(&self, room: &str) -> Result<(), Error> {
        self.0
            .act(Method::POST, &["admin", "v1", "rooms", room, "stop"])
            .await
    }

    /// Events that consumers could not deal with.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn dead_letters(&self) -> Result<Letters, Error> {
        self.0.get(&["admin", "v1", "dead-letters"]).await
    }

    /// One of them, with its event.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn dead_letter(&self, id: &str) -> Result<LetterShown, Error> {
        self.0.get(&["admin", "v1", "dead-letters", id]).await
    }

    /// Gives its event to its group once more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retry_dead_letter(&self, id: &str) -> Result<(), Error> {
        self.0
            .act(Method::POST, &["admin", "v1", "dead-letters", id, "retry"])
            .await
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn drop_dead_letter(&self, id: &str) -> Result<(), Error> {
        self.0
            .act(Method::DELETE, &["admin", "v1", "dead-letters", id])
            .await
    }

    /// The audit, page by page: `after` is what the page before said as `next`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn audit(&self, after: Option<&str>, limit: usize) -> Result<AuditPage, Error> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(after.map(|after| ("after", after.to_owned())));
        super::answer(
            self.0
                .request(Method::GET, &["admin", "v1", "audit"])
                .query(&query),
        )
        .await
    }

    /// Makes active accounts for load tests.
    ///
    /// # Errors
    /// [`Error`]; `not_found` where it is not allowed.
    pub async fn test_accounts(&self, count: usize, prefix: &str) -> Result<Vec<TestAccount>, Error> {
        self.make_accounts(count, prefix, false).await
    }

    /// Makes accounts that wait, for load tests.
    ///
    /// # Errors
    /// As of [`AdminClient::test_accounts`].
    pub async fn waiting_test_accounts(&self, count: usize, prefix: &str) -> Result<Vec<TestAccount>, Error> {
        self.make_accounts(count, prefix, true).await
    }

    async fn make_accounts(
        &self,
        count: usize,
        prefix: &str,
        waiting: bool,
    ) -> Result<Vec<TestAccount>, Error> {
        let request = TestAccounts {
            count,
            prefix: prefix.to_owned(),
            waiting,
        };
        let made: TestAccountsMade = self
            .0
            .send(Method::POST, &["admin", "v1", "test-accounts"], &request)
            .await?;
        Ok(made.accounts)
    }

    /// Whether the process answers.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn health(&self) -> Result<Health, Error> {
        self.0.get(&["healthz"]).await
    }

    /// Whether the node can take requests.
    ///
    /// # Errors
    /// [`Error`]; not for a node that is not ready: that is an answer.
    pub async fn readiness(&self) -> Result<Readiness, Error> {
        let response = self.0.request(Method::GET, &["readyz"]).send().await?;
        match response.status() {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => Ok(response.json().await?),
            _ => Ok(super::checked(response).await?.json().await?),
        }
    }

    /// The metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn metrics(&self) -> Result<String, Error> {
        Ok(
            super::checked(self.0.request(Method::GET, &["metrics"]).send().await?)
                .await?
                .text()
                .await?,
        )
    }
}
