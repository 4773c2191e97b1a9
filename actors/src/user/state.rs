//! What an account holds.

use super::devices::Device;
use super::earning::TakenPart;
use super::invites::SpentInvite;
use super::leaving::Remains;
use super::notices::Kept;
use super::presence::{CLAIM_LEASE, Held, SocketAt};
use super::push::Pushed;
use super::{Effect, Refusal, Reply, Tell};
use crate::id::{InviteId, RoomId, SessionId, UserId};
use crate::number::{PhoneKey, SealedNumber};
use crate::person::{About, Standing};
use crate::tables::{self, Change};
use mitalk_cluster::{Context, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// As stored, and the volatile part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Absent until somebody signs up.
    pub(super) account: Option<Box<Account>>,
    /// What is left of an account that was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<Remains>,
    #[serde(skip)]
    pub(super) live: Live,
}

/// What only this activation knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Attached sockets, oldest first.
    pub(super) sockets: Vec<SocketAt>,
    /// The room they are in.
    pub(super) room: Option<Held>,
    /// Sessions that have ended, oldest first: a claim of theirs may have been overtaken by its release.
    pub(super) released: VecDeque<SessionId>,
}

impl Live {
    /// The room they are in, unless its session has long not been heard of.
    pub(super) fn room_at(&self, now: Timestamp) -> Option<&Held> {
        self.room
            .as_ref()
            .filter(|held| now.since(held.renewed) <= CLAIM_LEASE)
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub(super) phone: PhoneKey,
    pub(super) sealed: SealedNumber,
    pub(super) hint: String,
    pub(super) created_at: Timestamp,
    /// Raised by every change that others or the owner can see.
    #[serde(default)]
    pub(super) revision: u64,

    pub(super) active: bool,
    #[serde(default)]
    pub(super) suspended: bool,
    /// The number is another account's: nobody can sign in to this one, so it never waits again.
    #[serde(default)]
    pub(super) number_lost: bool,
    /// Its owner wants it deleted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leaving_at: Option<Timestamp>,
    /// Invites that the person holds while waiting, oldest first.
    #[serde(default)]
    pub(super) offered: Vec<InviteId>,
    /// A ticket was asked for.
    #[serde(default)]
    pub(super) queued: bool,
    #[serde(default)]
    pub(super) ticket: Option<u64>,
    /// The invite that they came in by.
    #[serde(default)]
    pub(super) redeemed: Option<InviteId>,
    #[serde(default)]
    pub(super) invited_by: Option<UserId>,

    #[serde(default)]
    pub(super) devices: Vec<Device>,
    #[serde(default)]
    pub(super) about: About,
    #[serde(default)]
    pub(super) handle: Option<String>,
    pub(super) shown_as_inviter: bool,

    pub(super) invites_left: u32,
    #[serde(default)]
    pub(super) invites: Vec<SpentInvite>,
    /// What earned some of them.
    #[serde(default)]
    pub(super) part: TakenPart,

    #[serde(default)]
    pub(super) notice_seq: u64,
    #[serde(default)]
    pub(super) notices_read: u64,
    #[serde(default)]
    pub(super) notices: VecDeque<Kept>,
    #[serde(default, skip_serializing_if = "Pushed::is_nothing")]
    pub(super) push: Pushed,
    #[serde(default)]
    pub(super) followed_lately: VecDeque<(UserId, bool)>,
    #[serde(default)]
    pub(super) followers_lately: VecDeque<UserId>,
}

/// An account, as the facade needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Whose.
    pub user: UserId,
    /// Waiting, active or suspended.
    pub standing: Standing,
    /// Their ticket, while waiting.
    pub ticket: Option<u64>,
    /// A ticket was asked for.
    pub queued: bool,
    /// Invites that they hold while waiting.
    pub offered: Vec<InviteId>,
    /// The invite that they came in by.
    #[serde(default)]
    pub redeemed: Option<InviteId>,
    /// For the allow-list.
    pub phone: PhoneKey,
    /// For text messages.
    pub sealed: SealedNumber,
    /// The number's last digits.
    pub hint: String,
    /// When it signed up.
    pub created_at: Timestamp,
    /// What they write about themselves.
    pub about: About,
    /// Unique handle.
    pub handle: Option<String>,
    /// Who invited them.
    pub invited_by: Option<UserId>,
    /// Whether people they invited may show by whom.
    pub shown_as_inviter: bool,
    /// Invites left to give.
    pub invites_left: u32,
    /// Its owner wants it deleted then.
    #[serde(default)]
    pub leaving_at: Option<Timestamp>,
    /// Signed-in devices.
    pub devices: usize,
    /// The room they are in.
    pub room: Option<RoomId>,
    /// Sequence of the newest notice.
    pub notice_seq: u64,
    /// Up to here they were read.
    pub notices_read: u64,
    /// Raised by every change.
    pub revision: u64,
}

impl State {
    pub(super) fn account(&self) -> Result<&Account, Refusal> {
        self.account.as_deref().ok_or(Refusal::NoAccount)
    }

    /// The account, if it may do things.
    pub(super) fn in_use(&self) -> Result<&Account, Refusal> {
        let account = self.account()?;
        if account.suspended {
            Err(Refusal::Suspended)
        } else {
            Ok(account)
        }
    }

    /// The account, if it may do everything.
    pub(super) fn active(&self) -> Result<&Account, Refusal> {
        let account = self.in_use()?;
        if account.active {
            Ok(account)
        } else {
            Err(Refusal::NotActive)
        }
    }

    pub(super) fn summary(&self, cx: &Context) -> Result<Reply, Refusal> {
        let account = self.account()?;
        Ok(Reply::Account(Box::new(account.summary(cx, &self.live))))
    }

    /// What to say to all their sockets.
    pub(super) fn tell(&self, tell: Tell) -> Effect {
        Effect::Tell {
            sockets: self.live.sockets.clone(),
            tell,
        }
    }
}

impl Account {
    pub(super) fn standing(&self) -> Standing {
        match (self.suspended, self.active) {
            (true, _) => Standing::Suspended,
            (false, true) => Standing::Active,
            (false, false) => Standing::Waiting,
        }
    }

    /// The read row as this account is.
    pub(super) fn row(&self, user: UserId) -> Outgoing {
        let row = tables::Profile {
            user,
            standing: self.standing(),
            handle: self.handle.clone(),
            about: self.about.clone(),
            invited_by: self.invited_by,
            shown_as_inviter: self.shown_as_inviter,
            erasing: false,
        };
        Change::Profile(row).outgoing()
    }

    pub(super) fn summary(&self, cx: &Context, live: &Live) -> Summary {
        Summary {
            user: me(cx),
            standing: self.standing(),
            ticket: self.ticket.filter(|_| !self.active),
            queued: self.queued,
            offered: self.offered.clone(),
            redeemed: self.redeemed,
            phone: self.phone.clone(),
            sealed: self.sealed.clone(),
            hint: self.hint.clone(),
            created_at: self.created_at,
            about: self.about.clone(),
            handle: self.handle.clone(),
            invited_by: self.invited_by,
            shown_as_inviter: self.shown_as_inviter,
            invites_left: if self.active { self.invites_left } else { 0 },
            leaving_at: self.leaving_at,
            devices: self.devices.len(),
            room: live.room_at(cx.now).map(|held| held.claim.room),
            notice_seq: self.notice_seq,
            notices_read: self.notices_read,
            revision: self.revision,
        }
    }
}

/// The entity's key as an id.
pub(super) fn me(cx: &Context) -> UserId {
    cx.id
        .key
        .parse()
        .expect("the facade and other entities make user keys of user ids")
}
