//! Web Push: which devices are pushed to, what of, and when.
//!
//! A notice that no live socket is there for is due at once, a while after the last push, or when the quiet hours are over;
//! all that wait by then are one push. Due means a row of the outbox with ids: the consumer of [`PUSHES`](crate::events::PUSHES)
//! asks what to say by now (`Push`) and sends. What a push service does not take is tried again by this account's timer
//! (`Later`, per device), with the same tag, for as long as it is of use: nothing waits in the consumer.
//!
//! Invariants: notices up to `up_to` are never pushed by themselves again; a push is of unread notices whose kind is on; at
//! most one `Later` per device; at most [`SUBSCRIBED`] devices; a subscription goes with its device.

mod settings;
mod subscription;
mod tries;

pub use settings::{DAY_MINUTES, Kind, Quiet, Settings, Wrong, ZONE_BYTES};
pub(super) use subscription::Subscribed;
pub use subscription::{
    AUTH_BYTES, ENDPOINT_BYTES, LANGUAGE_BYTES, Later, P256DH_BYTES, Subscription, key_id,
};
use tries::try_again;
pub(super) use tries::{later, push};

use super::devices::Device;
use super::notices::Origin;
use super::state::{Account, State, me};
use super::{Command, Event, Refusal, Reply, User};
use crate::events::{Message as _, Pushes};
use crate::id::DeviceId;
use crate::id::UserId;
use crate::person::Notice;
use mitalk_cluster::{Context, Decision, Timer, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Devices of a person that are pushed to; for another one, the device that signed in first is not any more.
pub const SUBSCRIBED: usize = 5;
/// Notices within so long of a push are one push, at its end.
pub const COLLAPSE: Duration = Duration::from_secs(30);
/// The same where somebody waits for the person.
pub const COLLAPSE_URGENT: Duration = Duration::from_secs(3);
/// Before the second try at a push service that does not answer; doubled from try to try.
pub const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Between two tries, at most.
pub const LAST_RETRY: Duration = Duration::from_secs(10 * 60);
const TIMER: &str = "push";

/// What an account knows of pushes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pushed {
    #[serde(skip_serializing_if = "is_default")]
    settings: Settings,
    /// Notices up to here were pushed, or told to a socket.
    up_to: u64,
    /// The last push.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    /// What waits is due then.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
}

fn is_default(settings: &Settings) -> bool {
    *settings == Settings::default()
}

impl Pushed {
    /// Of most accounts, which are never pushed to.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Change {
    /// A device is pushed to, there.
    Subscribed {
        /// Which.
        device: DeviceId,
        /// Where.
        to: Subscription,
    },
    /// It is no more.
    Unsubscribed(DeviceId),
    /// Other settings.
    Set(Settings),
    /// Pushed, told, or to be pushed later.
    Moved {
        /// Up to this notice.
        up_to: u64,
        /// The last push.
        last: Option<Timestamp>,
        /// The next.
        next_at: Option<Timestamp>,
    },
    /// A device's push is tried again, or not any more.
    Later {
        /// Which.
        device: DeviceId,
        /// When, and what.
        later: Option<Later>,
    },
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        match self {
            Self::Subscribed { device, to } => subscribe_in(account, *device, to),
            Self::Unsubscribed(device) => {
                if let Some(device) = find_mut(account, *device) {
                    device.push = None;
                }
            }
            Self::Set(settings) => account.push.settings = settings.clone(),
            Self::Moved { up_to, last, next_at } => {
                account.push.up_to = *up_to;
                account.push.last = *last;
                account.push.next_at = *next_at;
            }
            Self::Later { device, later } => {
                if let Some(push) = find_mut(account, *device).and_then(|device| device.push.as_mut()) {
                    push.later.clone_from(later);
                }
            }
        }
    }
}

fn subscribe_in(account: &mut Account, device: DeviceId, to: &Subscription) {
    if account.devices.iter().all(|known| known.push.is_none()) {
        // What was there before is no news.
        account.push.up_to = account.notice_seq;
    }
    for other in &mut account.devices {
        // A browser that signed in again.
        other.push.take_if(|known| known.to.endpoint == to.endpoint);
    }
    let others = account.devices.iter_mut().filter(|other| other.id != device);
    let mut others: Vec<_> = others.filter(|other| other.push.is_some()).collect();
    if others.len() >= SUBSCRIBED {
        others[0].push = None;
    }
    if let Some(device) = find_mut(account, device) {
        device.push = Some(Box::new(Subscribed {
            to: to.clone(),
            later: None,
        }));
    }
}

fn find_mut(account: &mut Account, id: DeviceId) -> Option<&mut Device> {
    account.devices.iter_mut().find(|device| device.id == id)
}

impl Account {
    fn subscribed(&self) -> impl Iterator<Item = (DeviceId, &Subscribed)> {
        let devices = self.devices.iter();
        devices.filter_map(|device| Some((device.id, device.push.as_deref()?)))
    }

    fn subscribed_on(&self, id: DeviceId) -> Option<&Subscribed> {
        self.subscribed()
            .find(|(device, _)| *device == id)
            .map(|(_, push)| push)
    }

    /// Those of these notices that a push at `at` would be about.
    fn useful(&self, from_seq: u64, up_to_seq: u64, at: Timestamp) -> impl Iterator<Item = &Notice<UserId>> {
        let kept = self.notices.iter().map(|kept| &kept.notice);
        kept.filter(move |notice| {
            let kind = Kind::of(&notice.what);
            (from_seq..=up_to_seq).contains(&notice.seq)
                && notice.seq > self.notices_read
                && self.push.settings.is_on(kind)
                && at < notice.at + kind.useful()
        })
    }

    /// When what waits is to be pushed, from `now` on; absent: nothing waits that is of use by then.
    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.useful(self.push.up_to + 1, self.notice_seq, now);
        let due = waiting.filter_map(|notice| {
            let kind = Kind::of(&notice.what);
            let gap = if kind.is_urgent() {
                COLLAPSE_URGENT
            } else {
                COLLAPSE
            };
            let spaced = self.push.last.map_or(now, |last| now.max(last + gap));
            let at = self.push.settings.awake(spaced);
            (at < notice.at + kind.useful()).then_some(at)
        });
        due.min()
    }
}

pub(super) fn subscribe(
    state: &State,
    device: DeviceId,
    to: Subscription,
) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    if account.devices.iter().all(|known| known.id != device) {
        return Err(Refusal::NoDevice);
    }
    let known = account.subscribed_on(device);
    if known.is_some_and(|known| known.to == to) {
        return Ok(Decision::reply(Reply::Done));
    }
    Ok(Decision::reply(Reply::Done).event(Event::Push(Change::Subscribed { device, to })))
}

/// `endpoint`: only if it is still that one.
pub(super) fn unsubscribe(
    state: &State,
    device: DeviceId,
    endpoint: Option<&str>,
) -> Result<Decision<User>, Refusal> {
    let decision = Decision::reply(Reply::Done);
    let known = state.account()?.subscribed_on(device);
    let is_it = |known: &Subscribed| endpoint.is_none_or(|endpoint| known.to.endpoint == endpoint);
    Ok(match known.filter(|known| is_it(known)) {
        Some(_) => decision.event(Event::Push(Change::Unsubscribed(device))),
        None => decision,
    })
}

pub(super) fn settings(state: &State) -> Result<Decision<User>, Refusal> {
    let settings = state.account()?.push.settings.clone();
    Ok(Decision::reply(Reply::NoticeSettings(settings)))
}

pub(super) fn set(state: &State, settings: Settings, cx: &Context) -> Result<Decision<User>, Refusal> {
    let account = state.in_use()?;
    let decision = Decision::reply(Reply::NoticeSettings(settings.clone()));
    if account.push.settings == settings {
        return Ok(decision);
    }
    let change = Change::Set(settings);
    let mut after = account.clone();
    change.fold(&mut after);
    Ok(advance(decision.event(Event::Push(change)), state, &after, cx))
}

/// The last socket is gone, and nothing came from it for a while before: what it was told meanwhile waits again.
pub(super) fn untold(
    decision: Decision<User>,
    account: &Account,
    silent: Duration,
    cx: &Context,
) -> Decision<User> {
    // Most sockets say goodbye, and many people are never pushed to: nothing is copied for them.
    if silent.is_zero() || account.subscribed().next().is_none() {
        return decision;
    }
    let mut after = account.clone();
    // What was there at the last push was part of it.
    let since = (cx.now - silent).max(after.push.last.unwrap_or_default());
    let unseen = account.notices.iter().map(|kept| &kept.notice);
    let unseen = unseen.filter(|notice| notice.at > since).map(|notice| notice.seq);
    if let Some(first) = unseen.min() {
        after.push.up_to = after.push.up_to.min(first - 1);
    }
    go_on(decision, false, &account.push, &after, cx)
}

/// Pushes what waits if it is due, else says when. `after` is the account as the decision leaves it.
pub(super) fn advance(
    decision: Decision<User>,
    state: &State,
    after: &Account,
    cx: &Context,
) -> Decision<User> {
    go_on(decision, !state.live.sockets.is_empty(), &after.push, after, cx)
}

/// `noted`: what the account knows so far, without this going on.
fn go_on(
    decision: Decision<User>,
    is_told: bool,
    noted: &Pushed,
    after: &Account,
    cx: &Context,
) -> Decision<User> {
    let push = &after.push;
    let (mut up_to, mut last, mut next_at) = (push.up_to, push.last, None);
    let mut row = None;
    if is_told {
        up_to = after.notice_seq;
    } else if after.subscribed().next().is_some() {
        next_at = after.due(cx.now);
    }
    if next_at.is_some_and(|at| at <= cx.now) {
        row = Some(Pushes::Due {
            to: me(cx),
            from_seq: up_to + 1,
            up_to_seq: after.notice_seq,
            device: None,
            tag: None,
            tries: 0,
        });
        (up_to, last, next_at) = (after.notice_seq, Some(cx.now), None);
    }
    let is_idle = after.subscribed().next().is_none() && noted.next_at.is_none();
    if is_idle || (up_to, last, next_at) == (noted.up_to, noted.last, noted.next_at) {
        return decision;
    }
    let moved = Event::Push(Change::Moved { up_to, last, next_at });
    let decision = decision.event(moved);
    match row {
        Some(row) => decision.send(row.outgoing()),
        None => decision,
    }
}

pub(super) fn timers(state: &State) -> Option<Timer> {
    let account = state.account.as_deref()?;
    let later = account
        .subscribed()
        .filter_map(|(_, push)| Some(push.later.as_ref()?.at));
    let due = later.chain(account.push.next_at).min()?;
    let name = TIMER.to_owned();
    Some(Timer { name, due })
}

pub(super) fn on_timer(name: &str) -> Option<Command> {
    (name == TIMER).then_some(Command::PushDue)
}

/// The timer may be late, early by another machine's clock, or about what is settled.
pub(super) fn due(state: &State, cx: &Context) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let Some(account) = state.account.as_deref() else {
        return decision;
    };
    let again = account
        .subscribed()
        .filter_map(|(device, push)| Some((device, push.later.as_ref()?)));
    let again = again.filter(|(_, later)| later.at <= cx.now);
    let decision = again.fold(decision, |decision, (device, later)| {
        try_again(decision, state, account, (device, later), cx)
    });
    advance(decision, state, account, cx)
}
