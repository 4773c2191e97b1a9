//! What the caller is pushed: this device's subscription, and the account's settings.

pub use crate::user::push::{
    AUTH_BYTES, ENDPOINT_BYTES, Kind, LANGUAGE_BYTES, P256DH_BYTES, Quiet, Settings, Subscription, Wrong,
    key_id,
};

use super::Mitalk;
use crate::caller::Caller;
use crate::error::Trouble;
use crate::user;
use std::time::Duration;

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// This service pushes nothing.
    #[error("this service does not push")]
    Off,
    /// It was made for another key of the service.
    #[error("the service has another key by now; subscribe anew with it")]
    KeyChanged,
    /// Not a push service that is known, or keys that are none.
    #[error("the subscription is not one of a push service that this one sends to")]
    EndpointRefused,
    /// Quiet hours that there cannot be.
    #[error(transparent)]
    Quiet(#[from] Wrong),
    /// The account, or this device of it, is gone.
    #[error("no such device")]
    NoDevice,
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
            Self::Off => "push_off",
            Self::KeyChanged => "push_key_changed",
            Self::EndpointRefused => "push_endpoint_refused",
            Self::Quiet(Wrong::Minutes) => "quiet_hours_invalid",
            Self::Quiet(Wrong::Zone) => "zone_unknown",
            Self::NoDevice => "device_not_found",
            Self::Suspended => "suspended",
            Self::Trouble(trouble) => trouble.code(),
        }
    }

    /// When the same request may succeed; absent if waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Trouble(trouble) => trouble.retry_after(),
            _ => None,
        }
    }
}

impl Mitalk {
    /// The public key that browsers subscribe with, in base64url.
    ///
    /// # Errors
    /// [`Error::Off`].
    pub fn push_key(&self) -> Result<&str, Error> {
        self.push.server_key().ok_or(Error::Off)
    }

    /// From now on the caller's device is pushed to, there.
    ///
    /// # Errors
    /// [`Error::Off`], [`Error::KeyChanged`], [`Error::EndpointRefused`], [`Error::NoDevice`], [`Error::Suspended`].
    pub async fn subscribe(&self, caller: &Caller, to: Subscription) -> Result<(), Error> {
        if to.made_for != key_id(self.push_key()?) {
            return Err(Error::KeyChanged);
        }
        let sizes = (
            to.endpoint.len(),
            to.p256dh.len(),
            to.auth.len(),
            to.language.len(),
        );
        let is_small = sizes.0 <= ENDPOINT_BYTES && sizes.3 <= LANGUAGE_BYTES;
        if !is_small || (sizes.1, sizes.2) != (P256DH_BYTES, AUTH_BYTES) || !self.push.accepts(&to) {
            return Err(Error::EndpointRefused);
        }
        let (device, to) = (caller.device, Box::new(to));
        self.ask_push(caller, user::Command::Subscribe { device, to })
            .await?;
        Ok(())
    }

    /// The caller's device is not pushed to any more.
    ///
    /// # Errors
    /// [`Error::NoDevice`].
    pub async fn unsubscribe(&self, caller: &Caller) -> Result<(), Error> {
        let (device, endpoint) = (caller.device, None);
        self.ask_push(caller, user::Command::Unsubscribe { device, endpoint })
            .await?;
        Ok(())
    }

    /// What the caller is pushed.
    ///
    /// # Errors
    /// [`Error::NoDevice`].
    pub async fn notice_settings(&self, caller: &Caller) -> Result<Settings, Error> {
        self.ask_settings(caller, user::Command::NoticeSettings).await
    }

    /// Changes that. The answer is what is kept.
    ///
    /// # Errors
    /// [`Error::Quiet`], [`Error::NoDevice`], [`Error::Suspended`].
    pub async fn set_notice_settings(
        &self,
        caller: &Caller,
        mut settings: Settings,
    ) -> Result<Settings, Error> {
        if let Some(quiet) = &settings.quiet {
            quiet.check()?;
        }
        settings.off.sort_unstable();
        settings.off.dedup();
        self.ask_settings(caller, user::Command::SetNoticeSettings { settings })
            .await
    }

    async fn ask_settings(&self, caller: &Caller, command: user::Command) -> Result<Settings, Error> {
        match self.ask_push(caller, command).await? {
            user::Reply::NoticeSettings(settings) => Ok(settings),
            _ => Err(Trouble::Corrupt.into()),
        }
    }

    async fn ask_push(&self, caller: &Caller, command: user::Command) -> Result<user::Reply, Error> {
        self.ask_user::<Error>(caller.user, command, caller.plain_call())
            .await
    }
}

impl From<user::Refusal> for Error {
    fn from(refusal: user::Refusal) -> Self {
        match refusal {
            user::Refusal::Suspended => Self::Suspended,
            _ => Self::NoDevice,
        }
    }
}
