//! The consumer of the event log that tells people: text messages, in-app notices, and the walk over followers.
//!
//! Two consumer groups, [`MESSAGES`] for text messages and [`IN_APP`] for the rest: a provider that does not answer holds up
//! text messages only. One background job per group and topic. Events of one source come in order; the highest sequence dealt
//! with is recorded with the offset, so a repeat is dropped, also one that comes in the same batch. What is sent outside carries the event's id as its key:
//! a crash between sending and recording repeats it recognisably. An event that nobody can read goes to the dead letters.
//!
//! Texts go out in order, and while the provider takes none nothing is given up. Whether it is the provider or one number, the
//! texts behind tell: if one of those goes out, the one before it goes to the dead letters (after 8 tries).

use crate::error::{Trouble, refusal};
use crate::events::{self, DEAD_LETTERS, Message as _};
use crate::fanout::{self, Fanout, Walk};
use crate::id::{InviteId, RoomId, UserId};
use crate::invite::{self, Invite, Invitee, Status};
use crate::mitalk::Mitalk;
use crate::number::{PhoneKey, SealedNumber};
use crate::person::NoticeKind;
use crate::phone::{self, Phone};
use crate::ports::{Batch, Delivered, EventKey, EventSource, Mark, Message, Sms, SmsError, SmsMessage};
use crate::room::{self, Room, Scene, Visibility};
use crate::user::{self, Origin, User};
use futures::{StreamExt, stream};
use mitalk_cluster::store::Event;
use mitalk_cluster::{AskError, Call, Effects, EntityId, Stamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tracing::Instrument as _;

/// The consumer group that sends text messages.
pub const MESSAGES: &str = "messages";
/// The consumer group that writes in-app notices and begins walks over followers.
pub const IN_APP: &str = "in-app";
/// Which group consumes which topics.
pub const CONSUMED: [(&str, &str); 3] = [
    (MESSAGES, events::INVITES),
    (MESSAGES, events::NOTICES),
    (IN_APP, events::NOTICES),
];
const BATCH: usize = 64;
/// A look is taken so often even if nobody says that something was appended.
const LOOK: Duration = Duration::from_secs(1);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_secs(10);
/// Tries of a text message, about half a minute, after which those behind it are tried: if one goes out, this one never will.
const SUSPECT: u32 = 8;
/// So many of those behind are tried: several numbers in a row may be of a kind that the provider never takes.
const WITNESSES: usize = 8;
/// Followers told at once.
const AT_ONCE: usize = 16;
/// Pages of walks that wait for the job; a page that finds no room is told again by its timer.
pub(crate) const PAGES: usize = 1_024;

/// What the consumer works with.
pub(crate) struct Consumer {
    pub(crate) mitalk: Mitalk,
    pub(crate) source: Arc<dyn EventSource>,
    pub(crate) sms: Arc<dyn Sms>,
}

/// What an event led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The provider took a text.
    Text,
    /// Nothing that a provider has to do with.
    Nothing,
}

/// What a consumer knows beside what it recorded.
struct Progress {
    /// Places of events that were dealt with and are not recorded yet; at most a batch of them.
    dealt: BTreeSet<u64>,
    /// Tries of the oldest event.
    tries: u32,
    delay: Duration,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            dealt: BTreeSet::new(),
            tries: 0,
            delay: FIRST_RETRY,
        }
    }
}

impl Progress {
    fn is_dealt_with(&self, delivered: &Delivered) -> bool {
        delivered.event.sequence <= delivered.recorded || self.dealt.contains(&delivered.offset)
    }

    /// The oldest event is done: the next one is tried afresh.
    fn recorded(&mut self, offset: u64) {
        self.dealt.remove(&offset);
        (self.tries, self.delay) = (0, FIRST_RETRY);
    }

    /// Counts a try of the oldest event; gives how long to wait before the next.
    fn try_again(&mut self) -> Duration {
        let delay = self.delay;
        self.tries = self.tries.saturating_add(1);
        self.delay = (delay * 2).min(LAST_RETRY);
        delay
    }
}

/// Why an event was not dealt with.
enum Failed {
    /// It may go better later.
    Later(String, Option<Duration>),
    /// It never will.
    Never(String),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        match trouble.retry_after() {
            Some(wait) => Self::Later(trouble.to_string(), Some(wait)),
            None => Self::Never(trouble.to_string()),
        }
    }
}

impl From<mitalk_cluster::StoreError> for Failed {
    fn from(error: mitalk_cluster::StoreError) -> Self {
        Trouble::from(error).into()
    }
}

impl From<SmsError> for Failed {
    fn from(error: SmsError) -> Self {
        match error {
            SmsError::Unavailable { ref retry_after, .. } => {
                Self::Later(error.to_string(), Some(*retry_after))
            }
            SmsError::Refused { .. } => Self::Never(error.to_string()),
        }
    }
}

impl Consumer {
    /// Consumes a topic for a group, for ever.
    pub(crate) async fn run(self: Arc<Self>, group: &'static str, topic: &'static str) {
        let mut progress = Progress::default();
        loop {
            match self.source.poll(group, topic, BATCH).await {
                Ok(batch) if batch.is_empty() => {
                    // Either is a reason to look again.
                    let _ = tokio::time::timeout(LOOK, self.source.changed()).await;
                }
                Ok(batch) => {
                    let batch: Vec<_> = each_once(batch).collect();
                    self.work_off(group, topic, &batch, &mut progress).await;
                }
                Err(error) => {
                    tracing::warn!(topic, %error, "event log not read");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Deals with events in order, until one fails and is to be tried again after a while.
    async fn work_off(&self, group: &str, topic: &str, batch: &[Delivered], progress: &mut Progress) {
        for (at, delivered) in batch.iter().enumerate() {
            let span = span_of(group, &delivered.event);
            let step = self.step(group, topic, delivered, progress);
            match step.instrument(span.clone()).await {
                Ok(()) => self.mitalk.metrics.event(group, "dealt_with"),
                Err(failed) => {
                    let wait = self.failed(group, topic, &batch[at..], failed, progress);
                    let wait = wait.instrument(span).await;
                    return tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn step(
        &self,
        group: &str,
        topic: &str,
        delivered: &Delivered,
        progress: &mut Progress,
    ) -> Result<(), Failed> {
        let event = &delivered.event;
        if !progress.is_dealt_with(delivered) {
            self.tell(group, topic, event).await?;
            progress.dealt.insert(delivered.offset);
        }
        let mark = Mark {
            offset: delivered.offset,
            source: event.source.clone(),
            sequence: event.sequence,
        };
        self.source.commit(group, topic, &mark).await?;
        progress.recorded(delivered.offset);
        Ok(())
    }

    /// What becomes of the first of these, which failed; gives how long to wait.
    async fn failed(
        &self,
        group: &str,
        topic: &str,
        batch: &[Delivered],
        failed: Failed,
        progress: &mut Progress,
    ) -> Duration {
        let Some((first, behind)) = batch.split_first() else {
            return Duration::ZERO;
        };
        let (event, delay) = (&first.event, progress.try_again());
        let suspect = group == MESSAGES && progress.tries >= SUSPECT && !progress.is_dealt_with(first);
        let failed = match failed {
            Failed::Later(why, _)
                if suspect && self.another_goes_out(group, topic, behind, progress).await =>
            {
                Failed::Never(why)
            }
            other => other,
        };
        let (why, wait) = match failed {
            Failed::Later(why, wait) => (why, wait.unwrap_or(delay).max(delay)),
            Failed::Never(why) => {
                tracing::error!(topic, event = event.id(), %why, "event goes to the dead letters");
                if self.source.dead_letter(topic, event, &why).await.is_ok() {
                    self.mitalk.metrics.event(group, "dead");
                    progress.dealt.insert(first.offset);
                    return Duration::ZERO;
                }
                (why, delay)
            }
        };
        self.mitalk.metrics.event(group, "again");
        tracing::warn!(topic, event = event.id(), %why, "event is tried again");
        wait
    }

    /// Whether one of the next texts goes out. It stays in its place: only that it was sent is remembered.
    async fn another_goes_out(
        &self,
        group: &str,
        topic: &str,
        behind: &[Delivered],
        progress: &mut Progress,
    ) -> bool {
        let mut tried = 0;
        for delivered in behind {
            if progress.is_dealt_with(delivered) {
                continue;
            }
            match self.tell(group, topic, &delivered.event).await {
                Ok(told) => {
                    progress.dealt.insert(delivered.offset);
                    if told == Told::Text {
                        return true;
                    }
                }
                Err(_) if tried + 1 >= WITNESSES => return false,
                Err(_) => tried += 1,
            }
        }
        false
    }

    async fn tell(&self, group: &str, topic: &str, event: &Event) -> Result<Told, Failed> {
        let poison = |error: mitalk_cluster::DecodeError| Failed::Never(error.to_string());
        if topic == events::INVITES {
            return match events::Invites::read(&event.payload).map_err(poison)? {
                events::Invites::Created {
                    invite,
                    to_number: true,
                    ..
                } => self.invited(invite, event).await,
                _ => Ok(Told::Nothing),
            };
        }
        let notice = events::Notices::read(&event.payload).map_err(poison)?;
        match (notice, group == MESSAGES) {
            (events::Notices::Admitted { user }, true) => self.admitted(user, event).await,
            (events::Notices::StageInvitation { to, room, by }, false) => {
                let what = |title| NoticeKind::StageInvitation { room, title, by };
                self.about_room(to, room, what, event).await?;
                Ok(Told::Nothing)
            }
            (events::Notices::Pinged { to, room, by }, false) => {
                self.about_room(to, room, |title| NoticeKind::Pinged { room, title, by }, event)
                    .await?;
                Ok(Told::Nothing)
            }
            (events::Notices::RoomStarted { by, room }, false) => {
                let start = fanout::Command::Start {
                    room,
                    by,
                    origin: Origin::of(&event.id()),
                };
                self.ask_fanout(room, start).await?;
                Ok(Told::Nothing)
            }
            // The other group's.
            _ => Ok(Told::Nothing),
        }
    }

    /// A text message to an invited number, if it still waits for this invite.
    async fn invited(&self, invite: InviteId, event: &Event) -> Result<Told, Failed> {
        let read = invite::Command::Read;
        let asked = self
            .mitalk
            .cluster
            .ask::<Invite>(&invite.to_string(), read, call(event))
            .await;
        let terms = match asked {
            Ok(invite::Reply(terms)) => terms,
            Err(error) => return skipped(error).map(|()| Told::Nothing),
        };
        let (Status::Pending, Invitee::Number { phone, sealed }) = (terms.status, &terms.invitee) else {
            return Ok(Told::Nothing);
        };
        let asked = self
            .mitalk
            .cluster
            .ask::<Phone>(phone.as_str(), phone::Command::Read, call(event))
            .await;
        match asked {
            Ok(phone::Reply::Read { invites, .. }) if invites.contains(&terms.id) => {}
            Ok(_) => return Ok(Told::Nothing),
            Err(error) => return skipped(error).map(|()| Told::Nothing),
        }
        let by = self.mitalk.show_inviter(Some(terms.inviter)).await?;
        self.send(phone, sealed, Message::Invited { by }, event).await
    }

    async fn admitted(&self, user: UserId, event: &Event) -> Result<Told, Failed> {
        let asked = self
            .mitalk
            .cluster
            .ask::<User>(&user.to_string(), user::Command::Read, call(event))
            .await;
        match asked {
            Ok(user::Reply::Account(account)) => {
                self.send(&account.phone, &account.sealed, Message::Admitted, event)
                    .await
            }
            Ok(_) => Ok(Told::Nothing),
            Err(error) => skipped(error).map(|()| Told::Nothing),
        }
    }

    async fn send(
        &self,
        key: &PhoneKey,
        sealed: &SealedNumber,
        message: Message,
        event: &Event,
    ) -> Result<Told, Failed> {
        let to = self.mitalk.secrets.open_number(key, sealed);
        let to = to.map_err(|error| Failed::Never(error.to_string()))?;
        let key = EventKey(event.id());
        self.sms.send(SmsMessage { to, message, key }).await?;
        Ok(Told::Text)
    }

    /// A notice that names a room, unless the room is over.
    async fn about_room(
        &self,
        to: UserId,
        room: RoomId,
        what: impl FnOnce(String) -> NoticeKind<UserId>,
        event: &Event,
    ) -> Result<(), Failed> {
        let Some(scene) = self.live_room(room).await? else {
            return Ok(());
        };
        self.notify(to, what(scene.settings.title), Origin::of(&event.id()))
            .await
    }

    /// A room by its home: the event of a young room may be here before its row is in the read table. Absent: it is over.
    async fn live_room(&self, room: RoomId) -> Result<Option<Scene>, Failed> {
        let look = room::Command::Look;
        let asked = self
            .mitalk
            .cluster
            .ask::<Room>(&room.to_string(), look, Call::within(DEADLINE))
            .await;
        match asked {
            Ok(room::Reply::View(view)) => Ok(Some(view.scene).filter(|scene| !scene.ended)),
            Ok(_) => Ok(None),
            Err(error) => skipped(error).map(|()| None),
        }
    }

    async fn notify(&self, to: UserId, what: NoticeKind<UserId>, origin: Origin) -> Result<(), Failed> {
        let notify = user::Command::Notify { what, origin };
        let asked = self
            .mitalk
            .cluster
            .ask::<User>(&to.to_string(), notify, Call::within(DEADLINE))
            .await;
        asked.map(|_| ()).or_else(skipped)
    }

    async fn ask_fanout(&self, room: RoomId, command: fanout::Command) -> Result<(), Failed> {
        let asked = self
            .mitalk
            .cluster
            .ask::<Fanout>(&room.to_string(), command, Call::within(DEADLINE))
            .await;
        asked.map(|_| ()).or_else(skipped)
    }

    /// Background job: tells pages of followers.
    pub(crate) async fn run_pages(self: Arc<Self>, pages: Arc<Mutex<mpsc::Receiver<Walk>>>) {
        let mut pages = pages.lock().await;
        while let Some(walk) = pages.recv().await {
            if let Err(Failed::Later(why, _) | Failed::Never(why)) = self.tell_page(&walk).await {
                tracing::warn!(%why, "page of followers is told again later");
            }
        }
    }

    async fn tell_page(&self, walk: &Walk) -> Result<(), Failed> {
        let limit = self.mitalk.limits.notices.fanout_per_second.max(1) as usize;
        let followers = self.mitalk.reads.followers(walk.by, walk.after, limit).await?;
        // A room that is over already, or closed meanwhile, is no news.
        let scene = self.live_room(walk.room).await?;
        let scene = scene.filter(|scene| scene.settings.visibility != Visibility::Closed);
        let last = followers.last().copied().filter(|_| scene.is_some());
        if let Some(scene) = scene {
            let what = NoticeKind::RoomStarted {
                room: walk.room,
                title: scene.settings.title,
                by: walk.by,
            };
            let told = followers
                .into_iter()
                .map(|follower| self.notify(follower, what.clone(), walk.origin));
            let told: Vec<_> = stream::iter(told).buffer_unordered(AT_ONCE).collect().await;
            // One that failed: the whole page again, those who know are not told twice.
            for failed in told.into_iter().filter_map(Result::err) {
                match failed {
                    Failed::Later(..) => return Err(failed),
                    Failed::Never(why) => tracing::error!(%why, "a follower is not told"),
                }
            }
        }
        self.ask_fanout(
            walk.room,
            fanout::Command::Told {
                after: walk.after,
                last,
            },
        )
        .await
    }
}

/// A batch says what was recorded when it was read; what it deals with itself comes on top as it is worked off.
fn each_once(batch: Batch) -> impl Iterator<Item = Delivered> {
    let mut newest = HashMap::<EntityId, u64>::new();
    batch.into_iter().map(move |mut delivered| {
        let newest = newest.entry(delivered.event.source.clone()).or_default();
        delivered.recorded = delivered.recorded.max(*newest);
        *newest = delivered.event.sequence.max(*newest);
        delivered
    })
}

/// Puts pages into the job's queue.
pub(crate) struct Pages(pub(crate) mpsc::Sender<Walk>);

impl Effects<Fanout> for Pages {
    fn run(&self, _id: &EntityId, _stamp: Stamp, effects: Vec<Walk>) {
        for walk in effects {
            // A full queue: the walk's timer brings the page again.
            let _ = self.0.try_send(walk);
        }
    }
}

/// What the domain refuses is nothing to be told any more: an account or an invite that is gone.
fn skipped<R: std::error::Error>(error: AskError<R>) -> Result<(), Failed> {
    refusal(error)?;
    Ok(())
}

fn span_of(group: &str, event: &Event) -> tracing::Span {
    tracing::info_span!("event", group, trace_id = event.trace.id())
}

fn call(event: &Event) -> Call {
    Call::within(DEADLINE).trace(event.trace.clone())
}

/// The name of the topic for what nobody can read.
pub fn dead_letters(topic: &str) -> String {
    format!("{topic}{DEAD_LETTERS}")
}
