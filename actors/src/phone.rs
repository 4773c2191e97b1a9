//! A phone number: its one-time codes, whose it is, and the invites that wait for it.
//!
//! The entity is found by the number's keyed hash and never holds the number itself. Codes come as hashes, made under a
//! key that this entity does not know, and are compared in constant time; a code is void after its time, its tries or its
//! use. Quotas are windows of a day. Ownership is `Claim` (by a code that fitted), the account's commit, `Confirm`; as
//! with handles, this entity decides, and an account that confirms too late loses the number.
//! Answers about codes are the same whether the number has an account or not.
//!
//! Of an account that was deleted, or has another number, nothing is kept: the number is anybody's. What its quotas count
//! are times only, which stay for their day.
//!
//! Numbers that change hands after 90 days are not here yet.

mod codes;
mod invites;
mod owner;

use crate::id::{InviteId, UserId};
use crate::language::Language;
use crate::limits::Codes;
use crate::number::SealedNumber;
use mitalk_cluster::{Context, Decision, Entity, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Pending invites that wait for one number; one more is refused, or given back if it comes all the same.
pub const BOUND_INVITES: usize = 8;

/// Ended invites that are remembered: their `Bind` may come once more, long after its `Unbind` (rule 12), and would take
/// a place that nobody frees.
const UNBOUND_INVITES: usize = 4 * BOUND_INVITES;

/// The entity type; its key is the number's keyed hash.
pub enum Phone {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    code: Option<codes::Code>,
    /// When codes were sent within the last day.
    sent: Vec<Timestamp>,
    /// When codes were wrong within the last day.
    wrong: Vec<Timestamp>,
    owner: Option<owner::Owner>,
    /// The owner's account is active: invites let nobody in any more.
    came_in: bool,
    /// Pending invites, oldest first.
    bound: Vec<InviteId>,
    /// Those that ended last, oldest first: an invite comes once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unbound: Vec<InviteId>,
}

/// A one-time code on its way to the message. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Send this code, if another one may be sent.
    SendCode {
        /// Six random digits.
        code: Secret,
        /// Their hash under the newest key.
        hash: [u8; 32],
        /// Where to.
        number: SealedNumber,
        /// In which language, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<Language>,
        /// The limits.
        limits: Codes,
    },
    /// Somebody says what the code was.
    Verify {
        /// Its hashes under all valid keys.
        hashes: Vec<[u8; 32]>,
        /// Who they will be if the number has no account yet.
        candidate: UserId,
        /// How long the number is held for an account that does not exist yet.
        claim_for: Duration,
        /// The limits.
        limits: Codes,
    },
    /// The owner says what the code was, to prove that the number is still theirs. The code stays good.
    Prove {
        /// Its hashes under all valid keys.
        hashes: Vec<[u8; 32]>,
        /// The owner.
        by: UserId,
        /// The limits.
        limits: Codes,
    },
    /// The account exists.
    Confirm {
        /// Whose.
        by: UserId,
    },
    /// The account was deleted, or has another number.
    Release {
        /// Whose.
        by: UserId,
    },
    /// The owner's account is active.
    CameIn {
        /// Whose account.
        user: UserId,
        /// By which invite, if by any.
        by: Option<InviteId>,
    },
    /// An invite waits for this number.
    Bind {
        /// Which.
        invite: InviteId,
    },
    /// It does not any more.
    Unbind {
        /// Which.
        invite: InviteId,
    },
    /// Whose is it, and does it wait for this invite?
    Read,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done, or nothing had to be.
    Done,
    /// The code is on its way.
    Sent {
        /// Another one may be asked for after so long.
        resend_after: Duration,
    },
    /// The code fitted.
    Verified {
        /// Whose the number is, or is held for.
        user: UserId,
        /// Invites that wait for it, oldest first.
        invites: Vec<InviteId>,
    },
    /// It did not.
    Wrong {
        /// Tries left for this code.
        left: u32,
    },
    /// To `Read`.
    Read {
        /// Whose the number is, confirmed.
        owner: Option<UserId>,
        /// Invites that wait for it.
        invites: Vec<InviteId>,
    },
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Too many codes, or too many wrong ones.
    #[error("too many codes")]
    TooMany {
        /// When the next one may be asked for.
        retry_after: Duration,
    },
    /// No code is out, or its time is over.
    #[error("the code has expired")]
    Expired,
    /// Wrong too often.
    #[error("the code was wrong too often")]
    TriesUsedUp,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A code is out; `day` is when the window of quotas begins.
    CodeSent {
        /// It.
        code: codes::Code,
        /// When.
        at: Timestamp,
        /// What was sent or wrong before is forgotten.
        day: Timestamp,
    },
    /// Somebody guessed.
    CodeWrong {
        /// When.
        at: Timestamp,
    },
    /// The code was used.
    CodeUsed,
    /// The number is held, or somebody's.
    Owned(owner::Owner),
    /// It is nobody's any more.
    Released,
    /// Invites count no more.
    CameIn,
    /// An invite waits.
    Bound(InviteId),
    /// An invite waits no more.
    Unbound(InviteId),
}

/// What is done after the commit.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Sends a code, once and never again.
    SendCode {
        /// It.
        code: Secret,
        /// Where to.
        number: SealedNumber,
        /// In which language, if that is known.
        language: Option<Language>,
    },
}

impl Entity for Phone {
    const KIND: &'static str = "phone";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = Effect;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        match command {
            Command::SendCode {
                code,
                hash,
                number,
                language,
                limits,
            } => {
                let send = codes::Send {
                    code,
                    hash,
                    number,
                    language,
                };
                codes::send(state, send, &limits, cx)
            }
            Command::Verify {
                hashes,
                candidate,
                claim_for,
                limits,
            } => Ok(match codes::check(state, &hashes, &limits, cx)? {
                codes::Checked::Fits => owner::verified(state, candidate, claim_for, cx),
                codes::Checked::Wrong { left } => {
                    Decision::reply(Reply::Wrong { left }).event(Event::CodeWrong { at: cx.now })
                }
            }),
            Command::Prove { hashes, by, limits } => prove(state, &hashes, by, &limits, cx),
            Command::Confirm { by } => Ok(owner::confirm(state, by, cx)),
            Command::Release { by } => Ok(owner::release(state, by, cx)),
            Command::CameIn { user, by } => Ok(invites::came_in(state, user, by)),
            Command::Bind { invite } => Ok(invites::bind(state, invite)),
            Command::Unbind { invite } => Ok(invites::unbind(state, invite)),
            Command::Read => Ok(Decision::reply(Reply::Read {
                owner: state
                    .owner
                    .as_ref()
                    .filter(|owner| owner.until.is_none())
                    .map(|owner| owner.user),
                invites: state.bound.clone(),
            })),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::CodeSent { code, at, day } => {
                state.code = Some(code.clone());
                state.sent.retain(|sent| sent > day);
                state.wrong.retain(|wrong| wrong > day);
                state.sent.push(*at);
            }
            Event::CodeWrong { at } => {
                state.wrong.push(*at);
                if let Some(code) = &mut state.code {
                    code.wrong += 1;
                }
            }
            Event::CodeUsed => state.code = None,
            Event::Owned(owner) => state.owner = Some(owner.clone()),
            Event::Released => {
                state.code = None;
                state.owner = None;
                state.came_in = false;
            }
            Event::CameIn => {
                state.came_in = true;
                state.bound.clear();
            }
            Event::Bound(invite) => state.bound.push(*invite),
            Event::Unbound(invite) => {
                state.bound.retain(|other| other != invite);
                state.unbound.push(*invite);
                let forgotten = state.unbound.len().saturating_sub(UNBOUND_INVITES);
                state.unbound.drain(..forgotten);
            }
        }
    }
}

fn prove(
    state: &State,
    hashes: &[[u8; 32]],
    by: UserId,
    limits: &Codes,
    cx: &Context,
) -> Result<Decision<Phone>, Refusal> {
    let is_theirs = |owner: &owner::Owner| owner.user == by && owner.until.is_none();
    if !state.owner.as_ref().is_some_and(is_theirs) {
        return Err(Refusal::Expired);
    }
    Ok(match codes::check(state, hashes, limits, cx)? {
        codes::Checked::Fits => Decision::reply(Reply::Done),
        codes::Checked::Wrong { left } => {
            Decision::reply(Reply::Wrong { left }).event(Event::CodeWrong { at: cx.now })
        }
    })
}

#[cfg(test)]
mod tests;
