//! Invites to give: the quota, and what became of those that were given.
//!
//! Giving takes one from the quota and adds a pending invite in one commit. An invite that ends without anybody coming in
//! by it gives one back, once: only what is pending here can end. One by which somebody came in counts towards earning
//! more ([`earning`](super::earning)).

use super::earning::Deed;
use super::state::{Account, State, me};
use super::{Event, Refusal, Reply, Tell, User, leaving, notices};
use crate::events::{Actor, Audit, Message};
use crate::id::{InviteId, UserId};
use crate::invite::{self, Invite, Invitee, Status};
use crate::person::NoticeKind;
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An invite that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentInvite {
    /// Which.
    pub id: InviteId,
    /// Where it stands.
    pub status: Status,
    /// The number's last digits; absent for links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who came in by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<UserId>,
}

/// What a new invite is made of.
pub(super) struct Gift {
    pub(super) invitee: Invitee,
    pub(super) hint: Option<String>,
    pub(super) lifetime: Duration,
}

/// What happened to invites.
#[derive(Clone, Debug)]
pub enum Change {
    /// One was given. At most `most` are remembered.
    Given {
        /// It.
        invite: SpentInvite,
        /// The oldest settled one makes room.
        most: usize,
    },
    /// One has ended.
    Settled {
        /// Which.
        invite: InviteId,
        /// How.
        status: Status,
        /// Who came in by it.
        by: Option<UserId>,
    },
    /// More to give.
    Granted(u32),
    /// They took part, which may earn some.
    TookPart(Deed),
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        account.revision += 1;
        match self {
            Self::Given { invite, most } => {
                if account.invites.len() >= *most
                    && let Some(at) = oldest_settled(account)
                {
                    account.invites.remove(at);
                }
                account.invites_left -= 1;
                account.invites.push(invite.clone());
            }
            Self::Settled { invite, status, by } => {
                if let Some(spent) = account.invites.iter_mut().find(|spent| spent.id == *invite) {
                    spent.status = *status;
                    spent.accepted_by = *by;
                }
                account.invites_left += u32::from(*status != Status::Accepted);
            }
            Self::Granted(count) => account.invites_left += count,
            Self::TookPart(deed) => account.invites_left += account.part.add(*deed),
        }
    }
}

fn oldest_settled(account: &Account) -> Option<usize> {
    account
        .invites
        .iter()
        .position(|spent| spent.status != Status::Pending)
}

pub(super) fn give(
    state: &State,
    id: InviteId,
    gift: Gift,
    most: usize,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    let account = state.active()?;
    if let Some(given) = account.invites.iter().find(|spent| spent.id == id) {
        return Ok(Decision::reply(answer(given)));
    }
    if account.invites_left == 0 {
        return Err(Refusal::QuotaUsedUp);
    }
    if account.invites.len() >= most && oldest_settled(account).is_none() {
        return Err(Refusal::TooManyPending);
    }
    let expires_at = cx.now + gift.lifetime;
    let invite = SpentInvite {
        id,
        status: Status::Pending,
        hint: gift.hint,
        created_at: cx.now,
        expires_at,
        accepted_by: None,
    };
    let create = invite::Command::Create {
        id,
        inviter: me(cx),
        invitee: gift.invitee,
        expires_at,
    };
    Ok(Decision::reply(answer(&invite))
        .event(Event::Invite(Change::Given { invite, most }))
        .send(Outgoing::to::<Invite>(&id.to_string(), &create))
        .effect(state.tell(Tell::Changed)))
}

/// Remembered beside the account for a while, which outlives whoever leaves: nothing of the number is in it. Who asks knows it.
fn answer(invite: &SpentInvite) -> Reply {
    Reply::Invite(SpentInvite {
        hint: None,
        ..invite.clone()
    })
}

pub(super) fn settle(
    state: &State,
    invite: InviteId,
    status: Status,
    by: Option<UserId>,
    cx: &Context,
) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let Some(account) = state.account.as_deref() else {
        return leaving::settled_when_gone(state, by, cx);
    };
    let pending = |spent: &&SpentInvite| spent.id == invite && spent.status == Status::Pending;
    if status == Status::Pending || !account.invites.iter().any(|spent| pending(&spent)) {
        return decision;
    }
    let mut settled = decision
        .event(Event::Invite(Change::Settled { invite, status, by }))
        .effect(state.tell(Tell::Changed));
    if status == Status::Accepted {
        settled = settled.event(Event::Invite(Change::TookPart(Deed::Accepted)));
    }
    match by {
        Some(person) => notices::add(
            settled,
            state,
            account,
            NoticeKind::InviteAccepted { person },
            None,
            cx,
        ),
        None => settled,
    }
}

pub(super) fn grant(state: &State, count: u32, most: u32, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    let count = count.min(most.saturating_sub(account.invites_left));
    let left = if account.active {
        account.invites_left + count
    } else {
        0
    };
    let audit = Audit::new(Actor::Operator, "invites_granted")
        .user(me(cx))
        .count(u64::from(count));
    Ok(
        // The answer is remembered with the account, so it is no more than what was asked.
        Decision::reply(Reply::InvitesLeft(left))
            .event(Event::Invite(Change::Granted(count)))
            .send(audit.outgoing())
            .effect(state.tell(Tell::Changed)),
    )
}

pub(super) fn list(state: &State) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    let invites = account.invites.iter().rev().cloned().collect();
    let left = if account.active { account.invites_left } else { 0 };
    let part = account.part.clone();
    Ok(Decision::reply(Reply::Invites { invites, left, part }))
}
