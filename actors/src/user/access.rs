//! Signing up, waiting, coming in, being stopped.

use super::earning::TakenPart;
use super::push::Pushed;
use super::state::{Account, State, me};
use super::{Admitted, Effect, Event, Refusal, Reply, Tell, User, devices, notices, presence, profile};
use crate::events::{self, Actor, Audit, Message};
use crate::handle::{self, Handle};
use crate::id::{Home, InviteId, UserId};
use crate::invite::{self, Invite};
use crate::number::{PhoneKey, SealedNumber};
use crate::person::{About, NoticeKind};
use crate::phone::{self, Phone};
use crate::waitlist::{self, Waitlist, block::Block, block_of};
use mitalk_cluster::{Context, Decision, Outgoing};
use std::collections::VecDeque;

/// Invites that a waiting person can hold; those of their number and a few links.
const OFFERED: usize = 16;

/// A proven number.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) phone: PhoneKey,
    pub(super) sealed: SealedNumber,
    pub(super) hint: String,
}

/// What happened to access.
#[derive(Clone, Debug)]
pub enum Change {
    /// They hold an invite.
    Offered(InviteId),
    /// They do not any more.
    OfferGone(InviteId),
    /// A ticket was asked for.
    Queued,
    /// It is theirs.
    Ticket(u64),
    /// They are active.
    Admitted {
        /// By an invite of somebody.
        by: Option<(InviteId, UserId)>,
    },
    /// An operator stopped it, or let it go on.
    Suspended(bool),
    /// The number is another account's.
    NumberLost,
    /// The number was sealed anew, by a newer key.
    Resealed(SealedNumber),
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        account.revision += 1;
        match self {
            Self::Offered(invite) => account.offered.push(*invite),
            Self::OfferGone(invite) => account.offered.retain(|other| other != invite),
            Self::Queued => account.queued = true,
            Self::Ticket(number) => account.ticket = Some(*number),
            Self::Admitted { by } => {
                account.active = true;
                account.offered.clear();
                account.redeemed = by.map(|(invite, _)| invite);
                account.invited_by = by.map(|(_, inviter)| inviter);
            }
            Self::Suspended(suspended) => {
                account.suspended = *suspended;
                if *suspended {
                    account.devices.clear();
                    // Who is stopped does not wait.
                    if !account.active {
                        account.queued = false;
                        account.ticket = None;
                    }
                }
            }
            Self::NumberLost => account.number_lost = true,
            Self::Resealed(sealed) => account.sealed = sealed.clone(),
        }
    }
}

pub(super) fn sign_up(
    state: &State,
    number: Number,
    quota: u32,
    offered: Vec<InviteId>,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    if state.gone.is_some() {
        return Err(Refusal::Gone);
    }
    if let Some(account) = &state.account {
        let mut decision = offer(state, &offered, cx);
        decision.reply = state.summary(cx)?;
        // So that the old key can go once everybody has been here.
        if account.sealed.kid != number.sealed.kid {
            decision = decision.event(Event::Access(Change::Resealed(number.sealed)));
        }
        return Ok(decision);
    }
    let account = Account {
        phone: number.phone,
        sealed: number.sealed,
        hint: number.hint,
        created_at: cx.now,
        revision: 1,
        active: false,
        suspended: false,
        number_lost: false,
        leaving_at: None,
        offered: offered.into_iter().take(OFFERED).collect(),
        queued: false,
        ticket: None,
        redeemed: None,
        invited_by: None,
        devices: vec![],
        about: About::default(),
        handle: None,
        shown_as_inviter: true,
        invites_left: quota,
        invites: vec![],
        part: TakenPart::default(),
        notice_seq: 0,
        notices_read: 0,
        notices: VecDeque::new(),
        push: Pushed::default(),
        followed_lately: VecDeque::new(),
        followers_lately: VecDeque::new(),
    };
    let summary = account.summary(cx, &state.live);
    Ok(Decision::reply(Reply::Account(Box::new(summary)))
        .send(Outgoing::to::<Phone>(
            account.phone.as_str(),
            &phone::Command::Confirm { by: me(cx) },
        ))
        .send(account.row(me(cx)))
        .event(Event::SignedUp(Box::new(account))))
}

/// Remembers invites for somebody who waits; whoever shows the account to them next tries to come in by one.
pub(super) fn offer(state: &State, invites: &[InviteId], _cx: &Context) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let Some(account) = state.account.as_deref().filter(|account| !account.active) else {
        return decision;
    };
    let room = OFFERED.saturating_sub(account.offered.len());
    let new: Vec<_> = invites
        .iter()
        .filter(|invite| !account.offered.contains(invite))
        .take(room)
        .copied()
        .collect();
    if new.is_empty() {
        return decision;
    }
    new.into_iter()
        .fold(decision, |decision, invite| {
            decision.event(Event::Access(Change::Offered(invite)))
        })
        .effect(state.tell(Tell::Changed))
}

pub(super) fn drop_offer(state: &State, invite: InviteId) -> Decision<User> {
    let held = state
        .account
        .as_ref()
        .is_some_and(|account| account.offered.contains(&invite));
    let decision = Decision::reply(Reply::Done);
    if held {
        decision.event(Event::Access(Change::OfferGone(invite)))
    } else {
        decision
    }
}

pub(super) fn queue(state: &State, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    let decision = Decision::reply(Reply::Done);
    // Who lost their number cannot sign in: a place in the queue would be nobody's.
    if account.active || account.queued || account.suspended || account.number_lost {
        return Ok(decision);
    }
    Ok(wait(decision, cx))
}

fn wait(decision: Decision<User>, cx: &Context) -> Decision<User> {
    let take = waitlist::Command::Take { user: me(cx) };
    decision
        .event(Event::Access(Change::Queued))
        .send(Outgoing::to::<Waitlist>(me(cx).home().as_str(), &take))
}

/// What their stopped account has to say so that nobody calls them, if they wait. Another ticket may be on its way: it is
/// crossed out when it comes.
pub(super) fn stop_waiting(decision: Decision<User>, account: &Account, cx: &Context) -> Decision<User> {
    if account.active || !account.queued {
        return decision;
    }
    let home = me(cx).home();
    let decision = match account.ticket {
        Some(number) => decision.send(leave(home, number)),
        None => decision,
    };
    let left = waitlist::Command::Left { user: me(cx) };
    decision.send(Outgoing::to::<Waitlist>(home.as_str(), &left))
}

/// The first ticket is theirs; another one, or one that comes after they did, is crossed out.
pub(super) fn take_ticket(state: &State, home: Home, number: u64) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    match state.account.as_deref() {
        Some(account) if account.ticket == Some(number) => decision,
        Some(account) if account.ticket.is_none() && account.queued && !account.active => decision
            .event(Event::Access(Change::Ticket(number)))
            .effect(state.tell(Tell::Changed)),
        _ => decision.send(leave(home, number)),
    }
}

pub(super) fn admit(state: &State, how: Admitted, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    if account.active {
        return Ok(Decision::reply(state.summary(cx)?));
    }
    if account.suspended {
        return Err(Refusal::Suspended);
    }
    let decision = come_in(state, account, None, cx);
    if how != Admitted::Operator {
        return Ok(decision);
    }
    let audit = Audit::new(Actor::Operator, "user_admitted").user(me(cx));
    Ok(decision.send(audit.outgoing()))
}

/// The invite is theirs already; whether they came in by it is decided here, once.
pub(super) fn redeem(state: &State, invite: InviteId, inviter: UserId, cx: &Context) -> Decision<User> {
    let settle = |kept| {
        let settle = invite::Command::Settle { by: me(cx), kept };
        Outgoing::to::<Invite>(&invite.to_string(), &settle)
    };
    let Some(account) = state.account.as_deref() else {
        return Decision::reply(Reply::Done).send(settle(false));
    };
    if !account.active && !account.suspended {
        return come_in(state, account, Some((invite, inviter)), cx).send(settle(true));
    }
    // Said again: the first time may have been lost on the way, and settling is idempotent.
    let kept = account.redeemed == Some(invite);
    let summary = account.summary(cx, &state.live);
    Decision::reply(Reply::Account(Box::new(summary))).send(settle(kept))
}

fn come_in(state: &State, account: &Account, by: Option<(InviteId, UserId)>, cx: &Context) -> Decision<User> {
    let change = Change::Admitted { by };
    let mut after = account.clone();
    change.fold(&mut after);
    let came_in = phone::Command::CameIn {
        user: me(cx),
        by: by.map(|(invite, _)| invite),
    };
    let mut decision = Decision::reply(Reply::Account(Box::new(after.summary(cx, &state.live))))
        .event(Event::Access(change))
        .send(after.row(me(cx)))
        .send(Outgoing::to::<Phone>(account.phone.as_str(), &came_in))
        .effect(state.tell(Tell::Changed));
    if let Some(number) = account.ticket {
        decision = decision.send(leave(me(cx).home(), number));
    }
    if !account.queued {
        return decision;
    }
    // Only who had to wait is told: the others are in before they look.
    decision = notices::add(decision, state, &after, NoticeKind::Admitted, None, cx);
    decision.send(events::Notices::Admitted { user: me(cx) }.outgoing())
}

fn leave(home: Home, ticket: u64) -> Outgoing {
    let block = waitlist::key(home.as_str(), u64::from(block_of(ticket)));
    Outgoing::to::<Block>(&block, &waitlist::block::Command::Leave { ticket })
}

pub(super) fn suspend(state: &State, suspended: bool, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.account()?;
    if account.suspended == suspended {
        return Ok(Decision::reply(Reply::Done));
    }
    let change = Change::Suspended(suspended);
    let mut after = account.clone();
    change.fold(&mut after);
    let action = if suspended {
        "user_suspended"
    } else {
        "user_restored"
    };
    let decision = Decision::reply(Reply::Done)
        .event(Event::Access(change))
        .send(after.row(me(cx)))
        .send(Audit::new(Actor::Operator, action).user(me(cx)).outgoing());
    if suspended {
        let decision = stop_waiting(decision, account, cx);
        return Ok(shut_out_all(decision, state, account, cx));
    }
    let restored = decision
        .send(devices::token_row(None, false, cx))
        .effect(Effect::LetIn);
    Ok(if account.active || account.number_lost {
        restored
    } else {
        wait(restored, cx)
    })
}

/// Each device by itself too: when the account is let in again, its tokens of before still do not count. Their rows go first:
/// who has learnt of the account, after a crash in the middle, knows of its devices.
fn shut_out_all(decision: Decision<User>, state: &State, account: &Account, cx: &Context) -> Decision<User> {
    let decision = presence::put_out(decision, state, None);
    let devices: Vec<_> = account.devices.iter().map(|device| device.id).collect();
    let rows = devices.iter().copied().map(Some).chain([None]);
    rows.fold(decision, |decision, device| {
        decision.send(devices::token_row(device, true, cx))
    })
    .effect(Effect::ShutOutAll(devices))
}

/// Of a number that they have no more, or not yet again, they need not hear.
pub(super) fn number_taken(state: &State, phone: &PhoneKey, cx: &Context) -> Decision<User> {
    match &state.account {
        Some(account) if account.phone == *phone => lose_number(state, cx),
        _ => Decision::reply(Reply::Done),
    }
}

/// The number is another account's, so nobody can sign in to this one again: it is stopped, and its handle free.
pub(super) fn lose_number(state: &State, cx: &Context) -> Decision<User> {
    let Some(account) = state.account.as_deref().filter(|account| !account.suspended) else {
        return Decision::reply(Reply::Done);
    };
    let change = Change::Suspended(true);
    let no_handle = profile::Change::Handle(None);
    let mut after = account.clone();
    change.fold(&mut after);
    no_handle.fold(&mut after);
    let decision = Decision::reply(Reply::Done)
        .event(Event::Access(change))
        .event(Event::Access(Change::NumberLost))
        .event(Event::Profile(no_handle))
        .send(after.row(me(cx)))
        .send(
            Audit::new(Actor::Service, "user_lost_number")
                .user(me(cx))
                .outgoing(),
        );
    let decision = stop_waiting(decision, account, cx);
    let decision = shut_out_all(decision, state, account, cx);
    match &account.handle {
        Some(handle) => decision.send(Outgoing::to::<Handle>(
            handle,
            &handle::Command::Release { by: me(cx) },
        )),
        None => decision,
    }
}
