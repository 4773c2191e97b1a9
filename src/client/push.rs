//! Web Push.

use super::{Client, Error};
use crate::wire::push::{NoticeSettings, PushKey, PushSubscription};
use reqwest::Method;

impl Client {
    /// What browsers subscribe with.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn push_key(&self) -> Result<PushKey, Error> {
        self.get(&["v1", "push"]).await
    }

    /// Pushes to this device from now on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn subscribe(&self, subscription: &PushSubscription) -> Result<(), Error> {
        self.act_with(Method::PUT, &["v1", "me", "push"], subscription)
            .await
    }

    /// Pushes to this device no more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn unsubscribe(&self) -> Result<(), Error> {
        self.act(Method::DELETE, &["v1", "me", "push"]).await
    }

    /// What the caller is pushed.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn notice_settings(&self) -> Result<NoticeSettings, Error> {
        self.get(&["v1", "me", "notice-settings"]).await
    }

    /// Changes that.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_notice_settings(&self, settings: &NoticeSettings) -> Result<NoticeSettings, Error> {
        self.send(Method::PUT, &["v1", "me", "notice-settings"], settings)
            .await
    }
}
