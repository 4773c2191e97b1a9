//! Other people.

use super::{Client, Error};
use crate::wire::Page;
use crate::wire::people::{PersonBrief, ProfileView};
use reqwest::Method;

impl Client {
    /// Somebody's profile.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn profile(&self, id: &str) -> Result<ProfileView, Error> {
        self.get(&["v1", "users", id]).await
    }

    /// The profile of whoever has a handle.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn profile_by_handle(&self, handle: &str) -> Result<ProfileView, Error> {
        self.get(&["v1", "handles", handle]).await
    }

    /// Follows somebody.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn follow(&self, id: &str) -> Result<(), Error> {
        self.act(Method::PUT, &["v1", "users", id, "follow"]).await
    }

    /// Follows somebody no more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn unfollow(&self, id: &str) -> Result<(), Error> {
        self.act(Method::DELETE, &["v1", "users", id, "follow"]).await
    }

    /// Who follows a person.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn followers(
        &self,
        id: &str,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Page<PersonBrief>, Error> {
        self.page(&["v1", "users", id, "followers"], cursor, limit).await
    }

    /// Whom a person follows.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn following(
        &self,
        id: &str,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Page<PersonBrief>, Error> {
        self.page(&["v1", "users", id, "following"], cursor, limit).await
    }
}
