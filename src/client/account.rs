//! The caller's own account and notices.

use super::{Client, Error};
use crate::wire::Page;
use crate::wire::auth::{CodeSent, Devices, NumberCodeRequest, NumberRequest};
use crate::wire::people::{HandleRequest, Me, Notice, NoticesRead, ProfilePatch};
use crate::wire::service::Service;
use reqwest::Method;

impl Client {
    /// The account.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn me(&self) -> Result<Me, Error> {
        self.get(&["v1", "me"]).await
    }

    /// Changes the profile.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn patch_profile(&self, patch: &ProfilePatch) -> Result<Me, Error> {
        self.send(Method::PATCH, &["v1", "me", "profile"], patch).await
    }

    /// Chooses or changes the handle.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_handle(&self, handle: &str) -> Result<Me, Error> {
        let request = HandleRequest {
            handle: handle.to_owned(),
        };
        self.send(Method::PUT, &["v1", "me", "handle"], &request).await
    }

    /// The devices that are signed in.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn devices(&self) -> Result<Devices, Error> {
        self.get(&["v1", "me", "devices"]).await
    }

    /// Signs a device out.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn revoke_device(&self, id: &str) -> Result<(), Error> {
        self.act(Method::DELETE, &["v1", "me", "devices", id]).await
    }

    /// Everything that is the caller's: the bytes of a ZIP archive.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn export(&self) -> Result<Vec<u8>, Error> {
        let response = self.request(Method::GET, &["v1", "me", "export"]).send().await?;
        Ok(super::checked(response).await?.bytes().await?.into())
    }

    /// What the service says of itself.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn service(&self) -> Result<Service, Error> {
        self.get(&["v1", "service"]).await
    }

    /// Asks for one of the two codes that a change of number needs; absent: to the number that the account has.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send_number_code(&self, phone: Option<&str>) -> Result<CodeSent, Error> {
        let request = NumberCodeRequest {
            phone: phone.map(str::to_owned),
        };
        self.send(Method::POST, &["v1", "me", "number", "code"], &request)
            .await
    }

    /// Moves the account to another number.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn change_number(&self, request: &NumberRequest) -> Result<Me, Error> {
        self.send(Method::PUT, &["v1", "me", "number"], request).await
    }

    /// Asks for the account's deletion.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_account(&self) -> Result<Me, Error> {
        super::answer(self.request(Method::PUT, &["v1", "me", "deletion"])).await
    }

    /// Takes that back.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn keep_account(&self) -> Result<Me, Error> {
        super::answer(self.request(Method::DELETE, &["v1", "me", "deletion"])).await
    }

    /// Notices, newest first.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn notices(&self, cursor: Option<&str>, limit: Option<usize>) -> Result<Page<Notice>, Error> {
        self.page(&["v1", "notices"], cursor, limit).await
    }

    /// Marks notices as read.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn notices_read(&self, up_to: u64) -> Result<(), Error> {
        self.act_with(Method::PUT, &["v1", "notices", "read"], &NoticesRead { up_to })
            .await
    }
}
