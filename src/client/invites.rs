//! Giving, taking back and accepting invites.

use super::{Client, Error};
use crate::wire::invites::{Invite, InvitePreview, InviteRequest, Invites};
use crate::wire::people::Me;
use reqwest::Method;

impl Client {
    /// Gives an invite; a repeat with the same key gives the same one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn invite(&self, request: &InviteRequest, key: &str) -> Result<Invite, Error> {
        self.create(&["v1", "invites"], request, key).await
    }

    /// The caller's invites and what is left.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn invites(&self) -> Result<Invites, Error> {
        self.get(&["v1", "invites"]).await
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn revoke_invite(&self, id: &str) -> Result<(), Error> {
        self.act(Method::DELETE, &["v1", "invites", id]).await
    }

    /// What a link is worth; `code` is what follows `/i/`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn preview_invite(&self, code: &str) -> Result<InvitePreview, Error> {
        self.get(&["v1", "invite-links", code]).await
    }

    /// Comes in by a link.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn accept_invite(&self, code: &str) -> Result<Me, Error> {
        super::answer(self.request(Method::POST, &["v1", "invite-links", code, "accept"])).await
    }
}
