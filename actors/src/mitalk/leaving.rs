//! Leaving: the wish to have the account deleted, and the reading that its deletion needs.

use super::account::Error;
use super::{Core, Mitalk};
use crate::caller::Caller;
use crate::error::{Trouble, refusal};
use crate::id::UserId;
use crate::person::Me;
use crate::user::{self, ERASED_AT_ONCE, Page, User, Whom};
use mitalk_cluster::Call;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// Pages that wait for the job; one that finds no room is asked for again by its account's timer.
pub(crate) const PAGES: usize = 1_024;
/// How long the job waits for an account.
const DEADLINE: Duration = Duration::from_secs(10);

/// A page that an account has to know, and whose account it is.
pub(crate) type Wanted = (UserId, Page);

impl Mitalk {
    /// The account is deleted after a while, unless its owner says [`Self::stay`] before. Asked again, the first date stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Suspended`].
    pub async fn leave(&self, caller: &Caller) -> Result<Me, Error> {
        let after = Duration::from_secs(self.limits.leaving.change_of_mind_s);
        self.ask_to(caller, user::Command::Leave { after }).await
    }

    /// The account is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Suspended`].
    pub async fn stay(&self, caller: &Caller) -> Result<Me, Error> {
        self.ask_to(caller, user::Command::Stay).await
    }

    async fn ask_to(&self, caller: &Caller, command: user::Command) -> Result<Me, Error> {
        let account = self
            .ask_account::<Error>(caller.user, command, caller.plain_call())
            .await?;
        Ok(self.show_me(account).await?)
    }

    /// Background job: reads pages of people for accounts that are being erased.
    pub(super) async fn run_erasing(self, wanted: Arc<Mutex<mpsc::Receiver<Wanted>>>) {
        let mut wanted = wanted.lock().await;
        while let Some((user, page)) = wanted.recv().await {
            // Its account asks again.
            if let Err(error) = self.bring_page(user, page).await {
                tracing::warn!(%error, "page of an account that is being erased is read again later");
            }
        }
    }
}

impl Core {
    async fn bring_page(&self, user: UserId, page: Page) -> Result<(), Trouble> {
        let Page { of, after, step } = page;
        let people = match of {
            Whom::Following => self.reads.following(user, after, ERASED_AT_ONCE).await?,
            Whom::Followers => self.reads.followers(user, after, ERASED_AT_ONCE).await?,
        };
        let command = user::Command::ErasePage { step, people };
        let asked = self
            .cluster
            .ask::<User>(&user.to_string(), command, Call::within(DEADLINE))
            .await;
        match asked {
            Ok(_) => Ok(()),
            Err(error) => refusal(error).map(drop),
        }
    }
}
