//! Other people: profiles, following, and the caller's notices.

pub use super::shown::briefs;

use super::Mitalk;
use crate::caller::Caller;
use crate::error::Trouble;
use crate::handle;
use crate::id::UserId;
use crate::person::{Brief, Notice, View};
use crate::ports::PeoplePage;
use crate::user;
use mitalk_cluster::StoreError;
use std::time::Duration;

/// Why a question about people was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody of that id or handle.
    #[error("there is no such person")]
    PersonNotFound,
    /// One can not follow oneself.
    #[error("this can not be done to oneself")]
    NotYourself,
    /// More than the limit.
    #[error("at most {most} people can be followed")]
    FollowingTooMany {
        /// The limit.
        most: u64,
    },
    /// Only active people follow.
    #[error("your account is not active yet")]
    NotActive,
    /// Not a cursor of this list.
    #[error("the cursor is not one of this list")]
    CursorInvalid,
    /// Not the domain's answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Error {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PersonNotFound => "person_not_found",
            Self::NotYourself => "not_yourself",
            Self::FollowingTooMany { .. } => "following_too_many",
            Self::NotActive => "not_active",
            Self::CursorInvalid => "cursor_invalid",
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

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// For the next page; absent at the end.
    pub next: Option<String>,
}

/// Whom to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// By id.
    Id(UserId),
    /// By handle, in any case.
    Handle(String),
}

impl Mitalk {
    /// Somebody's profile.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`].
    pub async fn profile(&self, caller: &Caller, who: Who) -> Result<View, Error> {
        let user = match who {
            Who::Id(user) => user,
            Who::Handle(handle) => {
                let handle = handle::parse(&handle).ok_or(Error::PersonNotFound)?;
                self.reads.handle(&handle).await?.ok_or(Error::PersonNotFound)?
            }
        };
        let seen = self.reads.seen(user, caller.user).await?;
        let seen = seen
            .filter(|seen| !seen.profile.is_deleted())
            .ok_or(Error::PersonNotFound)?;
        Ok(View {
            profile: self.show_profile(seen.profile).await?,
            followed: seen.followed,
            follows_you: seen.follows_you,
            followers: seen.counts.followers,
            following: seen.counts.following,
        })
    }

    /// Follows somebody; again changes nothing.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`], [`Error::NotYourself`], [`Error::FollowingTooMany`], [`Error::NotActive`].
    pub async fn follow(&self, caller: &Caller, whom: UserId) -> Result<(), Error> {
        if whom == caller.user {
            return Err(Error::NotYourself);
        }
        let there = self.reads.profiles(&[whom]).await?;
        if there.iter().all(crate::tables::Profile::is_deleted) {
            return Err(Error::PersonNotFound);
        }
        let most = self.limits.notices.following;
        if self.reads.follow_counts(caller.user).await?.following >= most {
            if !self.reads.followed_among(caller.user, &[whom]).await?.is_empty() {
                return Ok(());
            }
            return Err(Error::FollowingTooMany { most });
        }
        self.set_follow(caller, whom, true, false).await
    }

    /// Follows somebody no more; again changes nothing.
    ///
    /// # Errors
    /// [`Error::NotActive`].
    pub async fn unfollow(&self, caller: &Caller, whom: UserId) -> Result<(), Error> {
        let listed = self.reads.followed_among(caller.user, &[whom]).await?;
        self.set_follow(caller, whom, false, !listed.is_empty()).await
    }

    async fn set_follow(
        &self,
        caller: &Caller,
        whom: UserId,
        follows: bool,
        listed: bool,
    ) -> Result<(), Error> {
        let command = user::Command::Follow {
            whom,
            follows,
            listed,
        };
        self.ask_user::<Error>(caller.user, command, caller.plain_call())
            .await?;
        Ok(())
    }

    /// Who follows a person, by id.
    ///
    /// # Errors
    /// [`Error::CursorInvalid`].
    pub async fn followers(
        &self,
        _caller: &Caller,
        of: UserId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Brief>, Error> {
        let (after, limit) = (read_cursor(cursor)?, self.page(limit));
        self.show_page(self.reads.followers(of, after, limit).await?)
            .await
    }

    /// Whom a person follows, by id.
    ///
    /// # Errors
    /// [`Error::CursorInvalid`].
    pub async fn following(
        &self,
        _caller: &Caller,
        of: UserId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Brief>, Error> {
        let (after, limit) = (read_cursor(cursor)?, self.page(limit));
        self.show_page(self.reads.following(of, after, limit).await?)
            .await
    }

    /// The caller's notices with a sequence below `before` (absent: from the newest), newest first.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn notices(
        &self,
        caller: &Caller,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page<Notice<Brief>>, Error> {
        let (before, limit) = (before.unwrap_or(u64::MAX), self.page(limit));
        let list = user::Command::Notices { before, limit };
        let (mut notices, more) = match self
            .ask_user::<Error>(caller.user, list, caller.plain_call())
            .await?
        {
            user::Reply::Notices { notices, more } => (notices, more),
            _ => return Err(Trouble::Corrupt.into()),
        };
        if more && notices.len() < limit {
            // Older than what the account keeps: those are in the table since long.
            let before = notices.last().map_or(before, |notice| notice.seq);
            notices.extend(
                self.reads
                    .notices(caller.user, before, limit - notices.len())
                    .await?,
            );
        }
        let next = notices
            .last()
            .map(|notice| notice.seq)
            .filter(|seq| *seq > 1 && notices.len() == limit);
        Ok(Page {
            items: self.show_notices(notices).await?,
            next: next.map(|seq| seq.to_string()),
        })
    }

    /// Marks notices as read, up to a sequence; never goes back.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn notices_read(&self, caller: &Caller, up_to: u64) -> Result<(), Error> {
        let read = user::Command::ReadNotices { up_to };
        self.ask_user::<Error>(caller.user, read, caller.plain_call())
            .await?;
        Ok(())
    }

    fn page(&self, limit: usize) -> usize {
        limit.clamp(1, self.limits.notices.page.max(1))
    }

    async fn show_page(&self, page: PeoplePage) -> Result<Page<Brief>, Error> {
        Ok(Page {
            items: briefs(&*self.reads, &page.people).await?,
            next: page.last.as_ref().map(UserId::to_string),
        })
    }
}

/// The cursor of lists of people is the id of who was looked at last: it stays valid whatever changes.
fn read_cursor(cursor: Option<&str>) -> Result<Option<UserId>, Error> {
    cursor
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::CursorInvalid)
}

impl From<user::Refusal> for Error {
    fn from(refusal: user::Refusal) -> Self {
        match refusal {
            user::Refusal::NoAccount => Self::PersonNotFound,
            _ => Self::NotActive,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}
