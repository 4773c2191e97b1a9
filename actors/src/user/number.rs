//! Moving to another number: the number is held for this account by a code that fitted (`Claim`), the account takes it, and
//! then the new number is confirmed and the old one let go, in that order, by the outbox. Cut off before the account's
//! commit, the claim ends by itself and nothing has changed.

use super::access::Number;
use super::state::{Account, State, me};
use super::{Event, Refusal, Reply, Tell, User};
use crate::events::{Actor, Audit, Message};
use crate::phone::{self, Phone};
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};

/// Another number is theirs.
#[derive(Clone, Debug)]
pub struct Change(Number);

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        account.revision += 1;
        account.phone = self.0.phone.clone();
        account.sealed = self.0.sealed.clone();
        account.hint.clone_from(&self.0.hint);
    }
}

pub(super) fn change(
    state: &State,
    number: Number,
    until: Timestamp,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    if account.phone == number.phone {
        return Ok(Decision::reply(state.summary(cx)?));
    }
    if until <= cx.now {
        return Err(Refusal::ClaimOver);
    }
    let by = me(cx);
    let to = |phone: &crate::number::PhoneKey, command| Outgoing::to::<Phone>(phone.as_str(), &command);
    let change = Change(number);
    let mut after = account.clone();
    change.fold(&mut after);
    let mut decision = Decision::reply(Reply::Account(Box::new(after.summary(cx, &state.live))))
        .send(to(&after.phone, phone::Command::Confirm { by }));
    if account.active {
        // Invites that wait for it let nobody in.
        decision = decision.send(to(&after.phone, phone::Command::CameIn { user: by, by: None }));
    }
    Ok(decision
        .send(to(&account.phone, phone::Command::Release { by }))
        .send(Audit::new(Actor::User(by), "number_changed").outgoing())
        .event(Event::Number(change))
        .effect(state.tell(Tell::Changed)))
}
