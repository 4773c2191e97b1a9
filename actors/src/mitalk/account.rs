//! The caller's own account: profile and handle.

mod patch;

pub use super::leaving::Mine;
pub use super::number::NewNumber;
pub use crate::person::Patch;

use super::Mitalk;
use crate::caller::Caller;
use crate::error::{Trouble, refusal};
use crate::handle::{self, Handle};
use crate::person::{Me, Standing};
use crate::user;
use std::time::Duration;

/// Why an account was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field is too long, too many, or not of the form it needs.
    #[error("{field}: {wrong}")]
    FieldInvalid {
        /// The field, as the patch names it.
        field: &'static str,
        /// What is wrong and what would be right.
        wrong: String,
    },
    /// Not 3 to 20 of `a-z 0-9 _` starting with a letter, or a reserved word.
    #[error("a handle has 3 to 20 of a-z, 0-9 and _, starts with a letter, and is not a reserved word")]
    HandleInvalid,
    /// Somebody else's.
    #[error("this handle is taken")]
    HandleTaken,
    /// Enough archives for a day.
    #[error("you have taken your data along often today; try again in {} s", retry_after.as_secs())]
    ExportRateLimited {
        /// When the next one may be had.
        retry_after: Duration,
    },
    /// The service has ended.
    #[error("Mi Talk has ended")]
    Sunset,
    /// The account is gone: its token outlived it.
    #[error("no such account")]
    NotFound,
    /// An operator stopped the account.
    #[error("this account was stopped by an operator")]
    Suspended,
    /// Not the domain's answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Error {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FieldInvalid { .. } => "unprocessable",
            Self::HandleInvalid => "handle_invalid",
            Self::HandleTaken => "handle_taken",
            Self::ExportRateLimited { .. } => "export_rate_limited",
            Self::Sunset => "sunset",
            Self::NotFound => "person_not_found",
            Self::Suspended => "suspended",
            Self::Trouble(trouble) => trouble.code(),
        }
    }

    /// When the same request may succeed; absent if waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ExportRateLimited { retry_after } => Some(*retry_after),
            Self::Trouble(trouble) => trouble.retry_after(),
            _ => None,
        }
    }
}

impl Mitalk {
    /// The account.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn me(&self, caller: &Caller) -> Result<Me, Error> {
        let account = self
            .ask_account::<Error>(caller.user, user::Command::Read, caller.plain_call())
            .await?;
        let account = self.settle_waiting(account, &caller.plain_call()).await?;
        Ok(self.show_me(account).await?)
    }

    /// Changes the profile.
    ///
    /// # Errors
    /// [`Error::FieldInvalid`], [`Error::NotFound`], [`Error::Suspended`].
    pub async fn patch_profile(&self, caller: &Caller, patch: Patch) -> Result<Me, Error> {
        let patch = Box::new(patch.checked(&self.limits.profile)?);
        let describe = user::Command::Describe { patch };
        let account = self
            .ask_account::<Error>(caller.user, describe, caller.plain_call())
            .await?;
        Ok(self.show_me(account).await?)
    }

    /// Chooses or changes the handle.
    ///
    /// # Errors
    /// [`Error::HandleInvalid`], [`Error::HandleTaken`], [`Error::NotFound`], [`Error::Suspended`].
    pub async fn set_handle(&self, caller: &Caller, handle: &str) -> Result<Me, Error> {
        let handle = handle::parse(handle).ok_or(Error::HandleInvalid)?;
        // Before the claim: nobody without an account holds a handle.
        let account = self
            .ask_account::<Error>(caller.user, user::Command::Read, caller.plain_call())
            .await?;
        if account.standing == Standing::Suspended {
            return Err(Error::Suspended);
        }
        let until = self.clock.wall() + Duration::from_secs(self.limits.profile.claim_s);
        let claim = handle::Command::Claim {
            by: caller.user,
            until,
        };
        if let Err(error) = self
            .cluster
            .ask::<Handle>(&handle, claim, caller.plain_call())
            .await
        {
            return Err(match refusal(error)? {
                handle::Refusal::Taken => Error::HandleTaken,
            });
        }
        // The account's clock may be another node's: it must be sure that the claim still holds.
        let until = until - Duration::from_secs(self.limits.profile.claim_s / 2);
        let set = user::Command::SetHandle { handle, until };
        let account = self
            .ask_account::<Error>(caller.user, set, caller.plain_call())
            .await?;
        Ok(self.show_me(account).await?)
    }
}

impl From<user::Refusal> for Error {
    fn from(refusal: user::Refusal) -> Self {
        match refusal {
            user::Refusal::Suspended => Self::Suspended,
            user::Refusal::ClaimOver => Self::Trouble(Trouble::TimedOut),
            _ => Self::NotFound,
        }
    }
}
