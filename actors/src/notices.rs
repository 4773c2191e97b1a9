//! The consumer of the event log that tells people: text messages, in-app notices, and the walk over followers.
//!
//! Two consumer groups, [`MESSAGES`] for text messages and [`IN_APP`] for the rest: a provider that does not answer holds up
//! text messages only. One background job per group and topic. Events of one source come in order; the highest sequence dealt
//! with is recorded with the offset, so a repeat is dropped, also one that comes in the same batch. What is sent outside carries the event's id as its key:
//! a crash between sending and recording repeats it recognisably. An event that nobody can read goes to the dead letters.

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
use std::collections::HashMap;
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
/// Tries of a text message, about a quarter of an hour: a number that the provider never takes must not hold up the others
/// for good.
const TRIES: u32 = 40;
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
        loop {
            match self.source.poll(group, topic, BATCH).await {
                Ok(batch) if batch.is_empty() => {
                    // Either is a reason to look again.
                    let _ = tokio::time::timeout(LOOK, self.source.changed()).await;
                }
                Ok(batch) => {
                    for delivered in each_once(batch) {
                        let span = tracing::info_span!("event", group, trace_id = delivered.event.trace.id());
                        self.deal(group, topic, delivered).instrument(span).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(topic, %error, "event log not read");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Deals with one event until that is recorded.
    async fn deal(&self, group: &str, topic: &str, delivered: Delivered) {
        let event = &delivered.event;
        let (mut delay, mut tries) = (FIRST_RETRY, 0);
        let mut dealt = event.sequence <= delivered.recorded;
        loop {
            let failed = match self.step(group, topic, &delivered, &mut dealt).await {
                Ok(()) => return self.mitalk.metrics.event(group, "dealt_with"),
                Err(failed) => failed,
            };
            tries += 1;
            let failed = match failed {
                Failed::Later(why, _) if group == MESSAGES && tries >= TRIES && !dealt => Failed::Never(why),
                other => other,
            };
            let (why, wait) = match failed {
                Failed::Later(why, wait) => (why, wait.unwrap_or(delay).max(delay)),
                Failed::Never(why) => {
                    tracing::error!(topic, event = event.id(), %why, "event goes to the dead letters");
                    dealt = self.source.dead_letter(topic, event, &why).await.is_ok();
                    self.mitalk.metrics.event(group, "dead");
                    (why, if dealt { Duration::ZERO } else { delay })
                }
            };
            if !dealt {
                self.mitalk.metrics.event(group, "again");
                tracing::warn!(topic, event = event.id(), %why, "event is tried again");
            }
            tokio::time::sleep(wait).await;
            delay = (delay * 2).min(LAST_RETRY);
        }
    }

    async fn step(
        &self,
        group: &str,
        topic: &str,
        delivered: &Delivered,
        dealt: &mut bool,
    ) -> Result<(), Failed> {
        let event = &delivered.event;
        if !*dealt {
            self.tell(group, topic, event).await?;
            *dealt = true;
        }
        let mark = Mark {
            offset: delivered.offset,
            source: event.source.clone(),
            sequence: event.sequence,
        };
        Ok(self.source.commit(group, topic, &mark).await?)
    }

    async fn tell(&self, group: &str, topic: &str, event: &Event) -> Result<(), Failed> {
        let poison = |error: mitalk_cluster::DecodeError| Failed::Never(error.to_string());
        if topic == events::INVITES {
            return match events::Invites::read(&event.payload).map_err(poison)? {
                events::Invites::Created {
                    invite,
                    to_number: true,
                    ..
                } => self.invited(invite, event).await,
                _ => Ok(()),
            };
        }
        let notice = events::Notices::read(&event.payload).map_err(poison)?;
        match (notice, group == MESSAGES) {
            (events::Notices::Admitted { user }, true) => self.admitted(user, event).await,
            (events::Notices::StageInvitation { to, room, by }, false) => {
                let what = |title| NoticeKind::StageInvitation { room, title, by };
                self.about_room(to, room, what, event).await
            }
            (events::Notices::Pinged { to, room, by }, false) => {
                self.about_room(to, room, |title| NoticeKind::Pinged { room, title, by }, event)
                    .await
            }
            (events::Notices::RoomStarted { by, room }, false) => {
                let start = fanout::Command::Start {
                    room,
                    by,
                    origin: Origin::of(&event.id()),
                };
                self.ask_fanout(room, start).await
            }
            // The other group's.
            _ => Ok(()),
        }
    }

    /// A text message to an invited number, if it still waits for this invite.
    async fn invited(&self, invite: InviteId, event: &Event) -> Result<(), Failed> {
        let read = invite::Command::Read;
        let asked = self
            .mitalk
            .cluster
            .ask::<Invite>(&invite.to_string(), read, call(event))
            .await;
        let terms = match asked {
            Ok(invite::Reply(terms)) => terms,
            Err(error) => return skipped(error),
        };
        let (Status::Pending, Invitee::Number { phone, sealed }) = (terms.status, &terms.invitee) else {
            return Ok(());
        };
        let asked = self
            .mitalk
            .cluster
            .ask::<Phone>(phone.as_str(), phone::Command::Read, call(event))
            .await;
        match asked {
            Ok(phone::Reply::Read { invites, .. }) if invites.contains(&terms.id) => {}
            Ok(_) => return Ok(()),
            Err(error) => return skipped(error),
        }
        let by = self.mitalk.show_inviter(Some(terms.inviter)).await?;
        self.send(phone, sealed, Message::Invited { by }, event).await
    }

    async fn admitted(&self, user: UserId, event: &Event) -> Result<(), Failed> {
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
            Ok(_) => Ok(()),
            Err(error) => skipped(error),
        }
    }

    async fn send(
        &self,
        key: &PhoneKey,
        sealed: &SealedNumber,
        message: Message,
        event: &Event,
    ) -> Result<(), Failed> {
        let to = self.mitalk.secrets.open_number(key, sealed);
        let to = to.map_err(|error| Failed::Never(error.to_string()))?;
        Ok(self
            .sms
            .send(SmsMessage {
                to,
                message,
                key: EventKey(event.id()),
            })
            .await?)
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

fn call(event: &Event) -> Call {
    Call::within(DEADLINE).trace(event.trace.clone())
}

/// The name of the topic for what nobody can read.
pub fn dead_letters(topic: &str) -> String {
    format!("{topic}{DEAD_LETTERS}")
}
