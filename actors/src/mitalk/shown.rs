//! Putting together what is shown: accounts, people in lists, notices.

use super::Core;
use crate::error::Trouble;
use crate::id::UserId;
use crate::person::{Brief, Me, Notice, Profile, Standing, Ticket};
use crate::ports::Reads;
use crate::tables;
use crate::user::Summary;
use mitalk_cluster::StoreError;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// People asked for at once: the bound of `Reads::profiles`.
const AT_ONCE: usize = 100;

/// These people as lists show them, in order; who is not known (yet) by id only.
///
/// # Errors
/// The store's.
pub async fn briefs(reads: &dyn Reads, users: &[UserId]) -> Result<Vec<Brief>, StoreError> {
    let mut known = HashMap::new();
    for some in users.chunks(AT_ONCE) {
        known.extend(
            reads
                .profiles(some)
                .await?
                .into_iter()
                .map(|profile| (profile.user, profile.brief())),
        );
    }
    Ok(users
        .iter()
        .map(|user| known.get(user).cloned().unwrap_or_else(|| Brief::unknown(*user)))
        .collect())
}

impl Core {
    /// An account as its owner sees it.
    pub(super) async fn show_me(&self, account: Summary) -> Result<Me, Trouble> {
        let ticket = match account.ticket.filter(|_| account.standing == Standing::Waiting) {
            Some(number) => {
                self.positions
                    .place(account.user.home(), number, self.clock.boot())
                    .await?
            }
            None => None,
        };
        let invited_by = self.show_inviter(account.invited_by).await?;
        Ok(me_of(account, ticket, invited_by))
    }

    /// The same for somebody who must not go without: what can not be read now, their place and who invited them, is left out
    /// and follows.
    pub(super) async fn show_me_at_least(&self, account: Summary, within: Duration) -> Me {
        match tokio::time::timeout(within, self.show_me(account.clone())).await {
            Ok(Ok(me)) => me,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an account is not shown in full");
                me_of(account, None, None)
            }
            Err(_) => me_of(account, None, None),
        }
    }

    /// A row as others see it.
    pub(super) async fn show_profile(&self, row: tables::Profile) -> Result<Profile, StoreError> {
        let invited_by = self.show_inviter(row.invited_by).await?;
        Ok(Profile {
            id: row.user,
            handle: row.handle,
            about: row.about,
            invited_by,
        })
    }

    /// Who invited somebody, unless they switched that off.
    pub(crate) async fn show_inviter(&self, inviter: Option<UserId>) -> Result<Option<Brief>, StoreError> {
        let Some(inviter) = inviter else { return Ok(None) };
        let profiles = self.reads.profiles(&[inviter]).await?;
        Ok(profiles
            .first()
            .filter(|profile| profile.shown_as_inviter && !profile.is_deleted())
            .map(tables::Profile::brief))
    }

    /// With names and titles, as far as there are any: nothing of people who left, or of rooms that are over.
    pub(crate) async fn show_notices(
        &self,
        mut notices: Vec<Notice<UserId>>,
    ) -> Result<Vec<Notice<Brief>>, StoreError> {
        for notice in &mut notices {
            if let Some((room, title)) = notice.what.room_mut().filter(|(_, title)| title.is_empty()) {
                *title = self.rooms.title(room).unwrap_or_default();
            }
        }
        let people: Vec<_> = notices
            .iter()
            .filter_map(|notice| notice.what.person().copied())
            .collect();
        let mut shown = briefs(&*self.reads, &people).await?.into_iter();
        let show = |user| shown.next().unwrap_or_else(|| Brief::unknown(user));
        let mut show = show;
        Ok(notices
            .into_iter()
            .map(|notice| Notice {
                seq: notice.seq,
                at: notice.at,
                what: notice.what.map(&mut show),
            })
            .collect())
    }
}

fn me_of(account: Summary, ticket: Option<Ticket>, invited_by: Option<Brief>) -> Me {
    let mut hasher = DefaultHasher::new();
    (
        account.revision,
        account.room,
        ticket.map(|ticket| ticket.ahead),
        &invited_by,
    )
        .hash(&mut hasher);
    Me {
        standing: account.standing,
        ticket,
        profile: Profile {
            id: account.user,
            handle: account.handle,
            about: account.about,
            invited_by,
        },
        invites_left: account.invites_left,
        shown_as_inviter: account.shown_as_inviter,
        leaving_at: account.leaving_at,
        room: account.room,
        notice_seq: account.notice_seq,
        notices_read: account.notices_read,
        revision: hasher.finish(),
    }
}
