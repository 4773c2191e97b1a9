//! An invite: `pending -> accepted | revoked | expired`, or given back when its invitee came in another way.
//!
//! This entity decides who wins the invite: the first to accept it. Whether it is the invitee's first accepted invite is
//! for their account to decide, so an acceptance is settled in a second step: the account answers with
//! [`Command::Settle`], and only then is the inviter told. Each way ends exactly once, and the inviter's account hears of
//! each end exactly once by state ([`user::Command::SettleInvite`] changes only what is pending there).
//! The time limit is a durable timer. The number that it was for is not kept once it has ended: it may be somebody else's by
//! then, or of somebody who left.

use crate::events::{self, Message};
use crate::id::{InviteId, UserId};
use crate::number::{PhoneKey, SealedNumber};
use crate::phone::{self, Phone};
use crate::user::{self, User};
use mitalk_cluster::{Context, Decision, Entity, Outgoing, Timer, Timestamp};
use serde::{Deserialize, Serialize};

const EXPIRE: &str = "expire";

/// Where an invite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Can be accepted.
    Pending,
    /// Was accepted.
    Accepted,
    /// Taken back by the inviter, who has it again.
    Revoked,
    /// Its time went by; the inviter has it again.
    Expired,
    /// The person came in another way; the inviter has it again.
    GivenBack,
}

/// Whom an invite is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invitee {
    /// The owner of a number.
    Number {
        /// For looking it up.
        phone: PhoneKey,
        /// For the text message.
        sealed: SealedNumber,
    },
    /// Whoever has the link.
    Link,
    /// The owner of a number, which is not kept once the invite has ended.
    Forgotten,
}

/// The entity type; its key is the invite's id.
pub enum Invite {}

/// As stored: nothing before it is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State(Option<Terms>);

/// An invite that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Which.
    pub id: InviteId,
    /// Who gave it.
    pub inviter: UserId,
    /// Whom it is for.
    pub invitee: Invitee,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// Who accepted it.
    pub accepted_by: Option<UserId>,
    /// The acceptor's account took it as the one that it came in by.
    pub settled: bool,
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The inviter's account paid for it.
    Create {
        /// Which: the key as an id.
        id: InviteId,
        /// Who gives it.
        inviter: UserId,
        /// Whom for.
        invitee: Invitee,
        /// When it ends by itself.
        expires_at: Timestamp,
    },
    /// What is it?
    Read,
    /// A waiting person takes it.
    Accept {
        /// Who.
        by: UserId,
    },
    /// The acceptor's account came in by it, or had come in another way.
    Settle {
        /// Whose account.
        by: UserId,
        /// It came in by this one.
        kept: bool,
    },
    /// The inviter takes it back.
    Revoke {
        /// Who asks: only the inviter may.
        by: UserId,
    },
    /// The invitee came in another way.
    GiveBack,
    /// Its time is over, if it is.
    Expire,
}

/// The invite as it is after the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply(pub Terms);

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Never created, or not the asker's.
    #[error("there is no such invite")]
    NotFound,
    /// It ended before.
    #[error("the invite is not pending")]
    NotPending,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// It exists.
    Created(Box<Terms>),
    /// Somebody has it, unless their account came in another way.
    Accepted {
        /// Who.
        by: UserId,
    },
    /// It is theirs for good.
    Settled,
    /// It ended without anybody coming in by it.
    Ended(Status),
}

impl Entity for Invite {
    const KIND: &'static str = "invite";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = crate::effects::None;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        if let Command::Create {
            id,
            inviter,
            invitee,
            expires_at,
        } = command
        {
            return Ok(create(state, id, inviter, invitee, expires_at));
        }
        let terms = state.0.as_ref().ok_or(Refusal::NotFound)?;
        match command {
            Command::Read | Command::Create { .. } => Ok(unchanged(terms)),
            Command::Accept { by } => accept(terms, by, cx),
            Command::Settle { by, kept } => Ok(settle(terms, by, kept)),
            Command::Revoke { by } if by != terms.inviter => Err(Refusal::NotFound),
            Command::Revoke { .. } => match terms.status {
                Status::Pending => Ok(end(terms, Status::Revoked)),
                Status::Revoked => Ok(unchanged(terms)),
                _ => Err(Refusal::NotPending),
            },
            Command::GiveBack if terms.status == Status::Pending => Ok(end(terms, Status::GivenBack)),
            Command::Expire if expired(terms, cx) => Ok(end(terms, Status::Expired)),
            Command::GiveBack | Command::Expire => Ok(unchanged(terms)),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::Created(terms) => state.0 = Some(*terms.clone()),
            event => {
                if let Some(terms) = &mut state.0 {
                    *terms = terms.after(event);
                }
            }
        }
    }

    fn timers(state: &State) -> Vec<Timer> {
        let pending = state.0.iter().filter(|terms| terms.status == Status::Pending);
        pending
            .map(|terms| Timer {
                name: EXPIRE.to_owned(),
                due: terms.expires_at,
            })
            .collect()
    }

    fn on_timer(name: &str) -> Option<Command> {
        (name == EXPIRE).then_some(Command::Expire)
    }
}

impl Terms {
    fn after(&self, event: &Event) -> Self {
        let mut terms = self.clone();
        match event {
            Event::Created(_) => {}
            Event::Accepted { by } => {
                terms.status = Status::Accepted;
                terms.accepted_by = Some(*by);
            }
            Event::Settled => {
                terms.settled = true;
                terms.invitee.forget();
            }
            Event::Ended(status) => {
                terms.status = *status;
                terms.accepted_by = None;
                terms.invitee.forget();
            }
        }
        terms
    }
}

impl Invitee {
    fn forget(&mut self) {
        if let Self::Number { .. } = self {
            *self = Self::Forgotten;
        }
    }
}

fn expired(terms: &Terms, cx: &Context) -> bool {
    terms.status == Status::Pending && terms.expires_at <= cx.now
}

fn unchanged(terms: &Terms) -> Decision<Invite> {
    Decision::reply(Reply(terms.clone()))
}

fn changed(terms: &Terms, event: Event) -> Decision<Invite> {
    Decision::reply(Reply(terms.after(&event))).event(event)
}

fn create(
    state: &State,
    id: InviteId,
    inviter: UserId,
    invitee: Invitee,
    expires_at: Timestamp,
) -> Decision<Invite> {
    if let Some(terms) = &state.0 {
        return unchanged(terms);
    }
    let to_number = matches!(invitee, Invitee::Number { .. });
    let status = Status::Pending;
    let terms = Terms {
        id,
        inviter,
        invitee,
        expires_at,
        status,
        accepted_by: None,
        settled: false,
    };
    let mut decision = changed(&terms, Event::Created(Box::new(terms.clone())));
    if let Invitee::Number { phone, .. } = &terms.invitee {
        decision = decision.send(Outgoing::to::<Phone>(
            phone.as_str(),
            &phone::Command::Bind { invite: id },
        ));
    }
    decision.send(
        events::Invites::Created {
            invite: id,
            by: inviter,
            to_number,
        }
        .outgoing(),
    )
}

fn accept(terms: &Terms, by: UserId, cx: &Context) -> Result<Decision<Invite>, Refusal> {
    match terms.status {
        Status::Accepted if terms.accepted_by == Some(by) => Ok(unchanged(terms)),
        // The timer may be late, and the inviter may not accept for an account of their own.
        Status::Pending if !expired(terms, cx) && by != terms.inviter => {
            let redeem = user::Command::Redeem {
                invite: terms.id,
                inviter: terms.inviter,
            };
            Ok(changed(terms, Event::Accepted { by }).send(Outgoing::to::<User>(&by.to_string(), &redeem)))
        }
        _ => Err(Refusal::NotPending),
    }
}

fn settle(terms: &Terms, by: UserId, kept: bool) -> Decision<Invite> {
    if terms.status != Status::Accepted || terms.accepted_by != Some(by) || terms.settled {
        return unchanged(terms);
    }
    if !kept {
        return end(terms, Status::GivenBack);
    }
    changed(terms, Event::Settled)
        .send(tell_inviter(terms, Status::Accepted))
        .send(events::Invites::Accepted { invite: terms.id, by }.outgoing())
}

/// Ends it without anybody coming in by it: the inviter has it again, the number waits for it no more.
fn end(terms: &Terms, status: Status) -> Decision<Invite> {
    let invite = terms.id;
    let event = match status {
        Status::Revoked => events::Invites::Revoked { invite },
        Status::Expired => events::Invites::Expired { invite },
        Status::GivenBack | Status::Pending | Status::Accepted => events::Invites::GivenBack { invite },
    };
    let mut decision = changed(terms, Event::Ended(status)).send(tell_inviter(terms, status));
    if let Invitee::Number { phone, .. } = &terms.invitee {
        decision = decision.send(Outgoing::to::<Phone>(
            phone.as_str(),
            &phone::Command::Unbind { invite },
        ));
    }
    decision.send(event.outgoing())
}

fn tell_inviter(terms: &Terms, status: Status) -> Outgoing {
    let by = terms.accepted_by.filter(|_| status == Status::Accepted);
    Outgoing::to::<User>(
        &terms.inviter.to_string(),
        &user::Command::SettleInvite {
            invite: terms.id,
            status,
            by,
        },
    )
}

#[cfg(test)]
mod tests;
