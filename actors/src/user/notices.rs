//! What a person is told: a sequence that never falls, the newest kept here, all of them in the read table.
//!
//! Only ids are kept. A room's title is somebody's words: it goes to the sockets that are there now, and whoever reads the
//! notice later sees it as long as the room lives. So what is deleted with a person is nowhere else.

use super::state::{Account, State, me};
use super::{Event, Refusal, Reply, Tell, User, push};
use crate::id::UserId;
use crate::person::{Notice, NoticeKind};
use crate::tables::{self, Change as Row};
use mitalk_cluster::{Context, Decision};
use serde::{Deserialize, Serialize};

/// Newest notices kept with the account; older ones are read from the table.
pub const KEPT_NOTICES: usize = 32;

/// Recognises the event that a notice comes from, as long as the notice is kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(pub u64);

impl Origin {
    /// Of an event's id, for one receiver's own memory: 64 bits of its hash.
    pub fn of(event: &str) -> Self {
        let hash = crate::secrets::sha256(event.as_bytes());
        Self(u64::from_be_bytes(
            hash[..8].try_into().expect("a SHA-256 has 32 bytes"),
        ))
    }
}

/// A notice and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) notice: Notice<UserId>,
    pub(super) origin: Option<Origin>,
}

/// What happened to notices.
#[derive(Clone, Debug)]
pub enum Change {
    /// One more.
    Added {
        /// It.
        notice: Notice<UserId>,
        /// Where it comes from.
        origin: Option<Origin>,
    },
    /// Read up to here.
    Read(u64),
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        account.revision += 1;
        match self {
            Self::Added { notice, origin } => {
                account.notice_seq = notice.seq;
                account.notices.push_back(Kept {
                    notice: notice.clone(),
                    origin: *origin,
                });
                if account.notices.len() > KEPT_NOTICES {
                    account.notices.pop_front();
                }
            }
            Self::Read(up_to) => account.notices_read = *up_to,
        }
    }
}

pub(super) fn notify(
    state: &State,
    what: NoticeKind<UserId>,
    origin: Option<Origin>,
    cx: &Context,
) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    match state.account.as_deref() {
        Some(account) if !account.suspended => add(decision, state, account, what, origin, cx),
        _ => decision,
    }
}

/// Adds a notice to a decision over `account`, unless its origin was told before.
pub(super) fn add(
    decision: Decision<User>,
    state: &State,
    account: &Account,
    what: NoticeKind<UserId>,
    origin: Option<Origin>,
    cx: &Context,
) -> Decision<User> {
    if origin.is_some() && account.notices.iter().any(|kept| kept.origin == origin) {
        return decision;
    }
    let told = Notice {
        seq: account.notice_seq + 1,
        at: cx.now,
        what,
    };
    let notice = Notice {
        what: told.what.clone().without_title(),
        ..told
    };
    let row = Row::Notice(tables::NoticeOf {
        user: me(cx),
        notice: notice.clone(),
    });
    let added = Change::Added { notice, origin };
    let mut after = account.clone();
    added.fold(&mut after);
    let decision = decision
        .event(Event::Notice(added))
        .send(row.outgoing())
        .effect(state.tell(Tell::Notice(told)));
    push::advance(decision, state, &after, cx)
}

pub(super) fn list(state: &State, before: u64, limit: usize) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    let newest = account.notices.iter().rev().map(|kept| &kept.notice);
    let notices: Vec<_> = newest
        .filter(|notice| notice.seq < before)
        .take(limit)
        .cloned()
        .collect();
    let oldest = notices
        .last()
        .map_or(before.min(account.notice_seq + 1), |notice| notice.seq);
    Ok(Decision::reply(Reply::Notices {
        notices,
        more: oldest > 1,
    }))
}

pub(super) fn read(state: &State, up_to: u64, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    let up_to = up_to.min(account.notice_seq);
    if up_to <= account.notices_read {
        return Ok(Decision::reply(Reply::Done));
    }
    let change = Change::Read(up_to);
    let mut after = account.clone();
    change.fold(&mut after);
    let decision = Decision::reply(Reply::Done)
        .event(Event::Notice(change))
        .effect(state.tell(Tell::Changed));
    Ok(push::advance(decision, state, &after, cx))
}
