//! Leaving: taking one's data along, the wish to have the account deleted, and the reading that its deletion needs.

use super::account::Error;
use super::{Core, Mitalk, auth, invites, push};
use crate::caller::Caller;
use crate::error::{Trouble, refusal};
use crate::id::{InviteId, UserId};
use crate::number::PhoneNumber;
use crate::person::Me;
use crate::ports::PeoplePage;
use crate::rooms::Card;
use crate::user::{self, ERASED_AT_ONCE, Page, Summary, User, Whom};
use futures::{StreamExt, stream};
use mitalk_cluster::{Call, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// Pages that wait for the job; one that finds no room is asked for again by its account's timer.
pub(crate) const PAGES: usize = 1_024;
/// Pages under way at once: at a sunset all accounts want theirs.
const AT_ONCE: usize = 32;
/// How long the job waits for an account.
const DEADLINE: Duration = Duration::from_secs(10);

/// A page that an account has to know, and whose account it is.
pub(crate) type Wanted = (UserId, Page);

/// Everything that is a person's, but for lists that can be long: those have pages of their own.
#[derive(Clone)]
pub struct Mine {
    /// When it was put together.
    pub made_at: Timestamp,
    /// The account, with profile and settings.
    pub me: Me,
    /// The number.
    pub number: PhoneNumber,
    /// When they signed up.
    pub created_at: Timestamp,
    /// Signed-in devices.
    pub devices: Vec<auth::Device>,
    /// What they are pushed.
    pub notice_settings: push::Settings,
    /// Invites that they gave.
    pub invites: invites::Invites,
    /// The one that they came in by, and those they hold while they wait.
    pub invites_received: Vec<InviteId>,
    /// Live rooms that they moderate. Of rooms that are over nothing is kept.
    pub rooms: Vec<Card>,
}

impl Mitalk {
    /// Everything that is the caller's, but for whom they follow, who follows them and their notices, which come in pages.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ExportRateLimited`], [`Error::Sunset`].
    pub async fn mine(&self, caller: &Caller) -> Result<Mine, Error> {
        if self.is_over(caller.plain_call()).await? {
            return Err(Error::Sunset);
        }
        let now = self.clock.boot();
        let most = self.limits.leaving.exports_per_day;
        let taken = self
            .exports
            .spend(caller.user, most, now)
            .map_err(|retry_after| Error::ExportRateLimited { retry_after })?;
        let mine = self.gather(caller).await;
        if mine.is_err() {
            self.exports.give_back(&caller.user, taken);
        }
        mine
    }

    async fn gather(&self, caller: &Caller) -> Result<Mine, Error> {
        let account = self
            .ask_account::<Error>(caller.user, user::Command::Read, caller.plain_call())
            .await?;
        let number = self.own_number(&account)?;
        let moderates = |card: &Card| card.moderators.contains(&caller.user);
        let held = account.redeemed.into_iter().chain(account.offered.clone());
        Ok(Mine {
            made_at: self.clock.wall(),
            number,
            created_at: account.created_at,
            devices: self.devices(caller).await.map_err(trouble_of_auth)?,
            notice_settings: self.notice_settings(caller).await.map_err(trouble_of_push)?,
            invites: self.invites(caller).await.map_err(trouble_of_invites)?,
            invites_received: held.collect(),
            rooms: self.rooms.live().into_iter().filter(moderates).collect(),
            me: self.show_me(account).await?,
        })
    }

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

    /// Background job: reads pages of people for accounts that are being erased. Each account has one page under way.
    pub(super) async fn run_erasing(self, wanted: Arc<Mutex<mpsc::Receiver<Wanted>>>) {
        let mut wanted = wanted.lock().await;
        stream::poll_fn(|cx| wanted.poll_recv(cx))
            .for_each_concurrent(AT_ONCE, async |(user, page)| {
                // Its account asks again.
                if let Err(error) = self.bring_page(user, page).await {
                    tracing::warn!(%error, "page of an account that is being erased is read again later");
                }
            })
            .await;
    }
}

/// What else was refused is that there is no account any more.
fn trouble_of_auth(error: auth::Error) -> Error {
    match error {
        auth::Error::Trouble(trouble) => Error::Trouble(trouble),
        _ => Error::NotFound,
    }
}

fn trouble_of_invites(error: invites::Error) -> Error {
    match error {
        invites::Error::Trouble(trouble) => Error::Trouble(trouble),
        _ => Error::NotFound,
    }
}

fn trouble_of_push(error: push::Error) -> Error {
    match error {
        push::Error::Trouble(trouble) => Error::Trouble(trouble),
        _ => Error::NotFound,
    }
}

impl Core {
    /// An account's number in clear: for its owner only.
    pub(super) fn own_number(&self, account: &Summary) -> Result<PhoneNumber, Trouble> {
        self.secrets
            .open_number(&account.phone, &account.sealed)
            .map_err(|error| {
                tracing::error!(%error, "an account's number cannot be read");
                Trouble::Corrupt
            })
    }

    async fn bring_page(&self, user: UserId, page: Page) -> Result<(), Trouble> {
        let Page { of, after, step } = page;
        let PeoplePage { people, last } = match of {
            Whom::Following => self.reads.following(user, after, ERASED_AT_ONCE).await?,
            Whom::Followers => self.reads.followers(user, after, ERASED_AT_ONCE).await?,
        };
        let command = user::Command::ErasePage { step, people, last };
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
