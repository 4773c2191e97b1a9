//! Giving, taking back and accepting invites.

use super::people::briefs;
use super::{Mitalk, random_bits};
use crate::caller::{Caller, Stranger};
use crate::error::{Trouble, refusal};
use crate::id::{ID_CHARS, InviteId, UserId};
use crate::invite::{self, Status};
use crate::number::{PhoneKey, PhoneNumber};
use crate::person::{Brief, Me, Standing};
use crate::phone::{self, BOUND_INVITES, Phone};
use crate::secrets::same;
use crate::user::{self, SpentInvite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mitalk_cluster::{Call, StoreError, Timestamp};
use std::time::Duration;

/// Bytes of the secret half of a link, a MAC of its invite's id: nobody who only knows the id (it is in events) can use it.
const LINK_BYTES: usize = 12;

/// Why an invite was not given, taken back or accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number that can get text messages.
    #[error("not a valid phone number in international form, like +49 and the rest")]
    PhoneInvalid,
    /// None left.
    #[error("you have no invites left")]
    InviteQuotaUsedUp,
    /// So many invites are pending that the account can not remember another.
    #[error("too many of your invites are pending: take one back first")]
    InvitesTooMany,
    /// So many invites wait for this number already that another one is of no use.
    #[error("enough people have invited this number already: keep this invite for somebody else")]
    NumberInvitedEnough,
    /// Only active people invite.
    #[error("your account is not active yet")]
    NotActive,
    /// An active person needs no invite.
    #[error("your account is active already: leave this invite to somebody else")]
    AlreadyActive,
    /// Accepted, revoked, expired or given back already.
    #[error("this invite is not pending any more")]
    InviteNotPending,
    /// No such link, or not the caller's invite.
    #[error("there is no such invite")]
    InviteNotFound,
    /// Nobody comes in by invite in this phase.
    #[error("invites do not admit anybody yet: you keep it, and come in when they do")]
    InvitesNotYet,
    /// Not the domain's answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Error {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PhoneInvalid => "phone_invalid",
            Self::InviteQuotaUsedUp => "invite_quota_used_up",
            Self::InvitesTooMany => "invites_too_many",
            Self::NumberInvitedEnough => "number_invited_enough",
            Self::NotActive => "not_active",
            Self::AlreadyActive => "already_active",
            Self::InviteNotPending => "invite_not_pending",
            Self::InviteNotFound => "invite_not_found",
            Self::InvitesNotYet => "invites_not_yet",
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

/// Whom an invite is for.
#[derive(Clone)]
pub enum Invitee {
    /// The owner of a phone number, as typed; they get a text message.
    Phone(String),
    /// Whoever first follows the link.
    Link,
}

/// An invite, as its giver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Which.
    pub id: InviteId,
    /// Where it stands.
    pub status: Status,
    /// The last digits of the number; absent for links.
    pub phone_hint: Option<String>,
    /// The link's code (for `/i/<code>`) while it is pending; absent for numbers.
    pub link_code: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who accepted it.
    pub accepted_by: Option<Brief>,
}

/// All invites of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invites {
    /// Newest first.
    pub invites: Vec<Invite>,
    /// Left to give.
    pub left: u32,
    /// Earned so far by taking part.
    pub earned: u32,
    /// Rooms on stage with somebody else until the next one; absent when there is no more to earn.
    pub rooms_to_next: Option<u32>,
}

/// What the holder of a link sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Whether it can still be accepted.
    pub status: Status,
    /// Who invites, unless switched off.
    pub by: Option<Brief>,
}

impl Mitalk {
    /// Gives an invite. With a request id, a repeat gives the same one and spends nothing.
    ///
    /// # Errors
    /// [`Error::PhoneInvalid`], [`Error::InviteQuotaUsedUp`], [`Error::InvitesTooMany`], [`Error::NumberInvitedEnough`],
    /// [`Error::NotActive`].
    pub async fn invite(&self, caller: &Caller, invitee: Invitee) -> Result<Invite, Error> {
        let limits = &self.limits.invites;
        let (invitee, hint) = self.seal(invitee)?;
        let bits = match caller.request {
            Some(request) => {
                self.secrets
                    .derived_bits(&[b"invite", caller.user.to_string().as_bytes(), &request.0])
            }
            None => random_bits(),
        };
        let id = InviteId::new(caller.user.home(), bits);
        if let invite::Invitee::Number { phone, .. } = &invitee {
            self.can_wait_for(phone, id, caller).await?;
        }
        let give = user::Command::Invite {
            id,
            invitee: invitee.clone(),
            hint: hint.clone(),
            lifetime: Duration::from_secs(limits.lifetime_s),
            most: limits.remembered,
        };
        let given = match self.ask_user::<Error>(caller.user, give, caller.call()).await? {
            // The answer has nothing of the number in it.
            user::Reply::Invite(given) => SpentInvite { hint, ..given },
            _ => return Err(Trouble::Corrupt.into()),
        };
        // Its outbox creates the invite, too; done here as well, the link works when the caller has it.
        let create = invite::Command::Create {
            id: given.id,
            inviter: caller.user,
            invitee,
            expires_at: given.expires_at,
        };
        self.ask_invite(given.id, create, caller.plain_call()).await?;
        Ok(self.show_invites(vec![given]).await?.remove(0))
    }

    /// A number keeps so many invites. Of one whose owner is in it looks as if there were none.
    async fn can_wait_for(&self, phone: &PhoneKey, id: InviteId, caller: &Caller) -> Result<(), Error> {
        let read = phone::Command::Read;
        let asked = self
            .cluster
            .ask::<Phone>(phone.as_str(), read, caller.plain_call());
        match asked.await {
            Ok(phone::Reply::Read { invites, .. })
                if invites.len() >= BOUND_INVITES && !invites.contains(&id) =>
            {
                Err(Error::NumberInvitedEnough)
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // Nothing is refused to who only looks.
                let _: phone::Refusal = refusal(error)?;
                Ok(())
            }
        }
    }

    /// The caller's invites and what is left.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn invites(&self, caller: &Caller) -> Result<Invites, Error> {
        self.invites_given_by(caller.user, caller.plain_call()).await
    }

    /// Takes an invite back; what it cost is given back soon after.
    ///
    /// # Errors
    /// [`Error::InviteNotFound`], [`Error::InviteNotPending`].
    pub async fn revoke_invite(&self, caller: &Caller, invite: InviteId) -> Result<(), Error> {
        let revoke = invite::Command::Revoke { by: caller.user };
        self.ask_invite(invite, revoke, caller.plain_call()).await?;
        // Its outbox tells the giver, too; done here as well, they see at once what they have again.
        let settle = user::Command::SettleInvite {
            invite,
            status: Status::Revoked,
            by: None,
        };
        self.ask_user::<Error>(caller.user, settle, caller.plain_call())
            .await?;
        Ok(())
    }

    /// What a link is worth, for whoever holds it.
    ///
    /// # Errors
    /// [`Error::InviteNotFound`].
    pub async fn preview_invite(&self, stranger: &Stranger, code: &str) -> Result<Preview, Error> {
        let invite = self.invite_of_link(code).ok_or(Error::InviteNotFound)?;
        let terms = self
            .ask_invite(invite, invite::Command::Read, stranger.call())
            .await?;
        Ok(Preview {
            status: terms.status,
            by: self.show_inviter(Some(terms.inviter)).await?,
        })
    }

    /// A waiting person comes in by a link. In a phase where invites let nobody in, they keep it and come in by it when it
    /// does, unless somebody else is faster.
    ///
    /// # Errors
    /// [`Error::InviteNotFound`], [`Error::InviteNotPending`], [`Error::AlreadyActive`], [`Error::InvitesNotYet`].
    pub async fn accept_invite(&self, caller: &Caller, code: &str) -> Result<Me, Error> {
        let invite = self.invite_of_link(code).ok_or(Error::InviteNotFound)?;
        let call = caller.plain_call();
        let before = self
            .ask_account::<Error>(caller.user, user::Command::Read, call.clone())
            .await?;
        let terms = self
            .ask_invite(invite, invite::Command::Read, call.clone())
            .await?;
        let theirs = terms.accepted_by == Some(caller.user);
        if before.standing == Standing::Active {
            // The answer to a request that came in before may have been lost.
            return if theirs {
                Ok(self.show_me(before).await?)
            } else {
                Err(Error::AlreadyActive)
            };
        }
        if terms.status != Status::Pending && !theirs {
            return Err(Error::InviteNotPending);
        }
        let offer = user::Command::OfferInvites {
            invites: vec![invite],
        };
        self.ask_user::<Error>(caller.user, offer, call.clone()).await?;
        let offered = self
            .ask_account::<Error>(caller.user, user::Command::Read, call.clone())
            .await?;
        let account = self.settle_waiting(offered, &call).await?;
        if account.standing == Standing::Active {
            return Ok(self.show_me(account).await?);
        }
        let phase = self.current_phase(&call).await?;
        Err(if phase.by_invite() {
            Error::InviteNotPending
        } else {
            Error::InvitesNotYet
        })
    }

    pub(super) async fn invites_given_by(&self, user: UserId, call: Call) -> Result<Invites, Error> {
        match self.ask_user::<Error>(user, user::Command::Invites, call).await? {
            user::Reply::Invites { invites, left, part } => Ok(Invites {
                invites: self.show_invites(invites).await?,
                left,
                earned: user::earned(&part),
                rooms_to_next: user::rooms_to_next(&part),
            }),
            _ => Err(Trouble::Corrupt.into()),
        }
    }

    /// The invite that a link's code names, if the code was made here.
    pub(super) fn invite_of_link(&self, code: &str) -> Option<InviteId> {
        let (invite, secret) = code.split_at_checked(ID_CHARS)?;
        let genuine = self
            .secrets
            .link_secrets(invite)
            .iter()
            .fold(false, |found, hash| {
                same(
                    URL_SAFE_NO_PAD.encode(&hash[..LINK_BYTES]).as_bytes(),
                    secret.as_bytes(),
                ) | found
            });
        invite.parse().ok().filter(|_| genuine)
    }

    fn link_code(&self, invite: InviteId) -> String {
        let invite = invite.to_string();
        let secret = URL_SAFE_NO_PAD.encode(&self.secrets.link_secrets(&invite)[0][..LINK_BYTES]);
        invite + &secret
    }

    fn seal(&self, invitee: Invitee) -> Result<(invite::Invitee, Option<String>), Error> {
        let Invitee::Phone(text) = invitee else {
            return Ok((invite::Invitee::Link, None));
        };
        let number = PhoneNumber::parse(&text).map_err(|_| Error::PhoneInvalid)?;
        let (phone, sealed) = (self.secrets.phone_key(&number), self.secrets.seal_number(&number));
        Ok((invite::Invitee::Number { phone, sealed }, Some(number.hint())))
    }

    async fn show_invites(&self, spent: Vec<SpentInvite>) -> Result<Vec<Invite>, Trouble> {
        let people: Vec<_> = spent.iter().filter_map(|spent| spent.accepted_by).collect();
        let people = briefs(&*self.reads, &people).await?;
        let shown = spent.into_iter().map(|spent| {
            let link = spent.hint.is_none() && spent.status == Status::Pending;
            Invite {
                id: spent.id,
                status: spent.status,
                link_code: link.then(|| self.link_code(spent.id)),
                phone_hint: spent.hint,
                created_at: spent.created_at,
                expires_at: spent.expires_at,
                accepted_by: spent
                    .accepted_by
                    .and_then(|by| people.iter().find(|person| person.id == by).cloned()),
            }
        });
        Ok(shown.collect())
    }

    async fn ask_invite(
        &self,
        invite: InviteId,
        command: invite::Command,
        call: Call,
    ) -> Result<invite::Terms, Error> {
        match self
            .cluster
            .ask::<invite::Invite>(&invite.to_string(), command, call)
            .await
        {
            Ok(invite::Reply(terms)) => Ok(terms),
            Err(error) => Err(match refusal(error)? {
                invite::Refusal::NotFound => Error::InviteNotFound,
                invite::Refusal::NotPending => Error::InviteNotPending,
            }),
        }
    }
}

impl From<user::Refusal> for Error {
    fn from(refusal: user::Refusal) -> Self {
        match refusal {
            user::Refusal::QuotaUsedUp => Self::InviteQuotaUsedUp,
            user::Refusal::TooManyPending => Self::InvitesTooMany,
            _ => Self::NotActive,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}
