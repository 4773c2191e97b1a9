//! The consumer of the event log that tells people: text messages, in-app notices, the walk over followers, and pushes.
//!
//! Two consumer groups, [`INVITER`] for text messages and [`NOTIFIER`] for the rest: a provider that does not answer holds up
//! text messages only, and pushes have a topic of their own. One background job per group and topic (`consume`): events of one source in order, those of different
//! sources side by side. What is sent outside carries the event's id as its key: a crash between sending and recording repeats
//! it recognisably. An event that nobody can read goes to the dead letters, which operators retry or drop.
//!
//! While the provider takes no texts nothing is given up. Whether it is the provider or one number, other texts tell: after 8
//! tries, a text goes to the dead letters if another one, to whomever, went out between two of its failures (`witness`).

mod consume;
mod done;
mod followers;
mod lanes;
mod push;
mod witness;

pub(crate) use followers::Pages;
pub(crate) use witness::Witness;

use crate::error::{Trouble, refusal};
use crate::events::{self, Message as _};
use crate::fanout::{self, Fanout};
use crate::id::{InviteId, RoomId, UserId};
use crate::invite::{self, Invite, Invitee, Status};
use crate::language::Language;
use crate::mitalk::Mitalk;
use crate::number::{PhoneKey, SealedNumber};
use crate::person::NoticeKind;
use crate::phone::{self, Phone};
use crate::ports::{DeadLetters, EventKey, EventSource, Message, Push, Sms, SmsError, SmsMessage};
use crate::room::{self, Room, Scene};
use crate::user::{self, Origin, User};
use mitalk_cluster::store::Event;
use mitalk_cluster::{AskError, Call};
use std::sync::Arc;
use std::time::Duration;

/// The consumer group that sends text messages to invited numbers and to people who are admitted.
pub const INVITER: &str = "inviter";
/// The consumer group that writes in-app notices and begins walks over followers.
pub const NOTIFIER: &str = "notifier";
/// Which group consumes which topics.
pub const CONSUMED: [(&str, &str); 4] = [
    (INVITER, events::INVITES),
    (INVITER, events::NOTICES),
    (NOTIFIER, events::NOTICES),
    (NOTIFIER, events::PUSHES),
];
const DEADLINE: Duration = Duration::from_secs(10);
/// A provider that has not answered after so long is asked again, with the same key.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// Pages of walks that wait for the job; a page that finds no room is told again by its timer.
pub(crate) const PAGES: usize = 1_024;

/// What the consumer works with.
pub(crate) struct Consumer {
    pub(crate) mitalk: Mitalk,
    pub(crate) source: Arc<dyn EventSource>,
    pub(crate) letters: Arc<dyn DeadLetters>,
    pub(crate) sms: Arc<Witness>,
    pub(crate) push: Arc<dyn Push>,
}

/// What somebody is told.
struct Text {
    message: Message,
    language: Option<Language>,
}

/// Why an event was not dealt with.
enum Failed {
    /// It may go better later.
    Later(String, Option<Duration>),
    /// The provider took no text; it may be the provider, or this number.
    NotTaken(String, Option<Duration>),
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
            SmsError::Busy { retry_after } => Self::Later(error.to_string(), Some(retry_after)),
            SmsError::Unavailable { ref retry_after, .. } => {
                Self::NotTaken(error.to_string(), Some(*retry_after))
            }
            SmsError::Refused { .. } => Self::Never(error.to_string()),
        }
    }
}

impl Consumer {
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
        if topic == events::PUSHES {
            let pushes = events::Pushes::read(&event.payload).map_err(poison)?;
            return self.push(pushes, event).await;
        }
        let notice = events::Notices::read(&event.payload).map_err(poison)?;
        match (notice, group == INVITER) {
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
        if !self.is_waited_for(terms.id, phone, event).await? {
            return Ok(());
        }
        let by = self.mitalk.show_inviter(Some(terms.inviter)).await?;
        let text = Text {
            message: Message::Invited { by },
            language: None,
        };
        self.send(phone, sealed, text, event).await
    }

    /// Whether a number waits for this invite. It may not have heard of it: what other entities get goes out in a lane of its
    /// own, and what the event log gets does not wait for that. So it hears of it now, which a repeat does not change.
    async fn is_waited_for(&self, invite: InviteId, phone: &PhoneKey, event: &Event) -> Result<bool, Failed> {
        let mut waits = false;
        for command in [phone::Command::Bind { invite }, phone::Command::Read] {
            let asked = self
                .mitalk
                .cluster
                .ask::<Phone>(phone.as_str(), command, call(event))
                .await;
            match asked {
                Ok(phone::Reply::Read { invites, .. }) => waits = invites.contains(&invite),
                Ok(_) => {}
                Err(error) => skipped(error)?,
            }
        }
        Ok(waits)
    }

    async fn admitted(&self, user: UserId, event: &Event) -> Result<(), Failed> {
        let asked = self
            .mitalk
            .cluster
            .ask::<User>(&user.to_string(), user::Command::Read, call(event))
            .await;
        match asked {
            Ok(user::Reply::Account(account)) => {
                let mut spoken = account.about.languages.iter();
                let text = Text {
                    message: Message::Admitted,
                    language: spoken.find_map(|tag| Language::of_tag(tag)),
                };
                self.send(&account.phone, &account.sealed, text, event).await
            }
            Ok(_) => Ok(()),
            Err(error) => skipped(error),
        }
    }

    async fn send(
        &self,
        key: &PhoneKey,
        sealed: &SealedNumber,
        text: Text,
        event: &Event,
    ) -> Result<(), Failed> {
        let to = self.mitalk.secrets.open_number(key, sealed);
        let to = to.map_err(|error| Failed::Never(error.to_string()))?;
        let key = EventKey(event.id());
        let send = self.sms.send(SmsMessage {
            to,
            message: text.message,
            language: text.language,
            key,
        });
        match tokio::time::timeout(SEND_LIMIT, send).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Failed::NotTaken("the provider does not answer".into(), None)),
        }
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
}

/// What the domain refuses is nothing to be told any more: an account or an invite that is gone.
fn skipped<R: std::error::Error>(error: AskError<R>) -> Result<(), Failed> {
    refusal(error)?;
    Ok(())
}

fn call(event: &Event) -> Call {
    Call::within(DEADLINE).trace(event.trace.clone())
}
