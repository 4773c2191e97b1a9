//! What the consumer asks when it is to push, and what becomes of what a push service did not take.

use super::{Change, FIRST_RETRY, LAST_RETRY, Later, Subscribed};
use crate::events::{Message as _, Pushes};
use crate::id::DeviceId;
use crate::user::state::{Account, State, me};
use crate::user::{Event, Reply, User};
use mitalk_cluster::{Context, Decision};
use std::time::Duration;

/// From here on it is the consumer's, which comes back with it if it must.
pub(super) fn try_again(
    decision: Decision<User>,
    state: &State,
    account: &Account,
    (device, later): (DeviceId, &Later),
    cx: &Context,
) -> Decision<User> {
    let at = account.push.settings.awake(cx.now);
    let is_useful = account
        .useful(later.from_seq, later.up_to_seq, at)
        .next()
        .is_some();
    let is_told = !state.live.sockets.is_empty();
    let set = |later| Event::Push(Change::Later { device, later });
    match () {
        () if is_told || !is_useful => decision.event(set(None)),
        () if at > cx.now => decision.event(set(Some(Later { at, ..later.clone() }))),
        () => {
            let row = Pushes::Due {
                to: me(cx),
                from_seq: later.from_seq,
                up_to_seq: later.up_to_seq,
                device: Some(device),
                tag: later.tag.clone(),
                tries: later.tries,
            };
            decision.event(set(None)).send(row.outgoing())
        }
    }
}

/// What a push says, and to whom. `device`: only there. Empty where there is nothing to say any more.
pub(in crate::user) fn push(
    state: &State,
    from_seq: u64,
    up_to_seq: u64,
    device: Option<DeviceId>,
    cx: &Context,
) -> Decision<User> {
    let nothing = Reply::Push {
        to: vec![],
        notices: vec![],
    };
    let Ok(account) = state.in_use() else {
        return Decision::reply(nothing);
    };
    if !state.live.sockets.is_empty() {
        return Decision::reply(nothing);
    }
    let notices = account.useful(from_seq, up_to_seq, cx.now).cloned().collect();
    let is_meant = |id: DeviceId, push: &Subscribed| match (device, &push.later) {
        (Some(device), _) => device == id,
        // It will hear of this with what it has missed.
        (None, Some(later)) => !later.covers(from_seq, up_to_seq),
        (None, None) => true,
    };
    let to = account.subscribed().filter(|(id, push)| is_meant(*id, push));
    let to = to.map(|(id, push)| (id, push.to.clone())).collect();
    Decision::reply(Reply::Push { to, notices })
}

/// A push service did not take it: again after `wait` at least, and later with every try.
pub(in crate::user) fn later(
    state: &State,
    device: DeviceId,
    missed: Later,
    wait: Duration,
    cx: &Context,
) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let Some(account) = state.account.as_deref() else {
        return decision;
    };
    let Some(push) = account.subscribed_on(device) else {
        return decision;
    };
    let is_known = |known: &Later| known.tag == missed.tag && known.covers(missed.from_seq, missed.up_to_seq);
    if push.later.as_ref().is_some_and(is_known) {
        return decision;
    }
    let doubled = FIRST_RETRY.saturating_mul(1_u32.checked_shl(missed.tries).unwrap_or(u32::MAX));
    let at = cx.now + doubled.min(LAST_RETRY).max(wait);
    let tries = missed.tries + 1;
    let missed = Later { at, tries, ..missed };
    let later = match push.later.clone() {
        Some(known) => known.and(missed),
        None => missed,
    };
    let at = account.push.settings.awake(later.at);
    if account
        .useful(later.from_seq, later.up_to_seq, at)
        .next()
        .is_none()
    {
        return decision;
    }
    let later = Some(Later { at, ..later });
    decision.event(Event::Push(Change::Later { device, later }))
}
