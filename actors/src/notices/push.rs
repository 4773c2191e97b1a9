//! Pushes: what is due becomes a message to each device of a person, or comes back to their account.
//!
//! An event is dealt with when each of its devices has the message, is known to be gone, or is the account's again, to be
//! tried later: a push service that is slow or away keeps nothing here for longer than [`SEND_LIMIT`]. Names and titles are
//! looked up now; a room that is over by now is no news.

use super::{Consumer, Failed, call, skipped};
use crate::events::Pushes;
use crate::id::{DeviceId, RoomId, UserId};
use crate::person::{Brief, Notice};
use crate::ports::{EventKey, PushError, PushMessage, Said};
use crate::secrets::sha256;
use crate::user::push::{Kind, Later, Subscription, key_id};
use crate::user::{self, User};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{StreamExt, stream};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::Event;
use std::collections::hash_map::{Entry, HashMap};
use std::time::Duration;

/// A push service that has not answered by then is tried again later.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// Devices of one person that are pushed to at once.
const AT_ONCE: usize = 10;
/// Bytes of a collapse key's hash; 24 characters, of 32 that there may be.
const TOPIC_BYTES: usize = 18;

/// A due push, as it is told of.
struct Due {
    to: UserId,
    from_seq: u64,
    up_to_seq: u64,
    tag: String,
    tries: u32,
}

impl Consumer {
    pub(super) async fn push(&self, pushes: Pushes, event: &Event) -> Result<(), Failed> {
        let Pushes::Due {
            to,
            from_seq,
            up_to_seq,
            device,
            tag,
            tries,
        } = pushes;
        let what = user::Command::Push {
            from_seq,
            up_to_seq,
            device,
        };
        let account = to.to_string();
        let asked = self.mitalk.cluster.ask::<User>(&account, what, call(event)).await;
        let (devices, notices) = match asked {
            Ok(user::Reply::Push { to, notices }) => (to, notices),
            Ok(_) => return Ok(()),
            Err(error) => return skipped(error),
        };
        if devices.is_empty() {
            return Ok(());
        }
        let notices = self.still_news(notices).await?;
        let shown = self.mitalk.show_notices(notices).await?;
        if shown.is_empty() {
            return Ok(());
        }
        let due = Due {
            to,
            from_seq,
            up_to_seq,
            tag: tag.unwrap_or_else(|| event.id()),
            tries,
        };
        let sent = devices
            .into_iter()
            .map(|(device, subscription)| self.push_to(&due, device, subscription, &shown, event));
        let sent: Vec<_> = stream::iter(sent).buffer_unordered(AT_ONCE).collect().await;
        sent.into_iter().collect()
    }

    /// Without those about rooms that are over, and with the titles of the others.
    async fn still_news(&self, notices: Vec<Notice<UserId>>) -> Result<Vec<Notice<UserId>>, Failed> {
        let mut titles = HashMap::<RoomId, Option<String>>::new();
        let mut news = vec![];
        for mut notice in notices {
            let Some((room, title)) = notice.what.room_mut() else {
                news.push(notice);
                continue;
            };
            let known = match titles.entry(room) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(self.live_title(room).await?),
            };
            if let Some(known) = known {
                title.clone_from(known);
                news.push(notice);
            }
        }
        Ok(news)
    }

    /// A room's title, if it is live. What this node lists is not asked of its home: many followers are told of one room.
    async fn live_title(&self, room: RoomId) -> Result<Option<String>, Failed> {
        if let Some(title) = self.mitalk.rooms().title(room) {
            return Ok(Some(title));
        }
        let scene = self.live_room(room).await?;
        Ok(scene.map(|scene| scene.settings.title))
    }

    async fn push_to(
        &self,
        due: &Due,
        device: DeviceId,
        to: Subscription,
        news: &[Notice<Brief>],
        event: &Event,
    ) -> Result<(), Failed> {
        // Made for an earlier key: the app subscribes anew when it is next there.
        if self.push.server_key().map(key_id) != Some(to.made_for) {
            self.mitalk.metrics.push("stale_key");
            return Ok(());
        }
        let endpoint = to.endpoint.clone();
        let message = message(due, to, news, self.mitalk.clock.wall());
        let error = match tokio::time::timeout(SEND_LIMIT, self.push.push(message)).await {
            Ok(Ok(())) => {
                self.mitalk.metrics.push("sent");
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => PushError::Unavailable {
                reason: "no answer in time".to_owned(),
                retry_after: Duration::ZERO,
            },
        };
        self.mitalk.metrics.push(outcome(&error));
        let command = match error {
            PushError::Gone => user::Command::Unsubscribe {
                device,
                endpoint: Some(endpoint),
            },
            PushError::Busy { retry_after } => due.later(device, retry_after),
            PushError::Unavailable {
                ref reason,
                retry_after,
            } => {
                tracing::warn!(event = event.id(), reason, "push is tried again later");
                due.later(device, retry_after)
            }
            PushError::Refused { ref reason } => {
                tracing::error!(event = event.id(), reason, "push is refused");
                return Ok(());
            }
        };
        let account = due.to.to_string();
        let asked = self
            .mitalk
            .cluster
            .ask::<User>(&account, command, call(event))
            .await;
        asked.map(|_| ()).or_else(skipped)
    }
}

impl Due {
    fn later(&self, device: DeviceId, wait: Duration) -> user::Command {
        let missed = Later {
            from_seq: self.from_seq,
            up_to_seq: self.up_to_seq,
            // The account's own clock says.
            at: Timestamp(0),
            tries: self.tries,
            tag: Some(self.tag.clone()),
        };
        user::Command::PushLater { device, missed, wait }
    }
}

/// One message for all of these: the newest for which somebody waits speaks for them, else the newest. It is kept for as long
/// as any of them is of use, and gives way to newer ones only if it is of one kind: nothing else comes again. There is one at
/// least.
fn message(due: &Due, to: Subscription, news: &[Notice<Brief>], now: Timestamp) -> PushMessage {
    let kind_of = |notice: &Notice<Brief>| Kind::of(&notice.what);
    let lead = news
        .iter()
        .max_by_key(|notice| (kind_of(notice).is_urgent(), notice.seq))
        .expect("nothing is pushed of nothing");
    let kind = kind_of(lead);
    let (room, title) = lead
        .what
        .clone()
        .room_mut()
        .map(|(room, title)| (room, title.clone()))
        .unzip();
    let useful = news
        .iter()
        .map(|notice| kind_of(notice).useful().saturating_sub(now.since(notice.at)));
    let of_one_kind = news.iter().all(|notice| kind_of(notice) == kind);
    PushMessage {
        to,
        said: Said {
            kind,
            count: news.len(),
            who: lead.what.person().and_then(name),
            room,
            title,
            at: lead.at,
        },
        ttl: useful.max().unwrap_or_default(),
        is_urgent: kind.is_urgent(),
        topic: topic(due.to, if of_one_kind { kind.name() } else { &due.tag }),
        key: EventKey(due.tag.clone()),
    }
}

fn name(person: &Brief) -> Option<String> {
    let name = Some(person.name.clone()).filter(|name| !name.is_empty());
    name.or_else(|| person.handle.clone())
}

/// Newer news of a kind take the place of older ones that wait at the push service, which learns nothing by it.
fn topic(to: UserId, what: &str) -> String {
    let hash = sha256(format!("{to}/{what}").as_bytes());
    URL_SAFE_NO_PAD.encode(&hash[..TOPIC_BYTES])
}

fn outcome(error: &PushError) -> &'static str {
    match error {
        PushError::Gone => "gone",
        PushError::Busy { .. } => "busy",
        PushError::Unavailable { .. } => "unavailable",
        PushError::Refused { .. } => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use crate::person::NoticeKind;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn of(news: &[Notice<Brief>]) -> PushMessage {
        let due = Due {
            to: UserId::new(Home::default(), 1),
            from_seq: 1,
            up_to_seq: 9,
            tag: "user/a/9".to_owned(),
            tries: 0,
        };
        let to = Subscription {
            endpoint: "https://push.example/1".to_owned(),
            p256dh: vec![],
            auth: vec![],
            language: "en".to_owned(),
            made_for: key_id("key"),
        };
        message(&due, to, news, NOW)
    }

    fn notice(seq: u64, minutes_ago: u64, what: NoticeKind<Brief>) -> Notice<Brief> {
        let at = Timestamp(NOW.0 - minutes_ago * 60_000);
        Notice { seq, at, what }
    }

    fn pinged() -> NoticeKind<Brief> {
        NoticeKind::Pinged {
            room: RoomId::new(Home::default(), 7),
            title: "Engines".to_owned(),
            by: Brief::unknown(UserId::new(Home::default(), 2)),
        }
    }

    #[test]
    fn what_is_summed_up_is_kept_for_the_longest_of_its_times() {
        let both = of(&[notice(1, 30, NoticeKind::Admitted), notice(2, 1, pinged())]);
        assert_eq!(both.said.kind, Kind::of(&pinged()), "somebody waits");
        let admitted = Kind::of(&NoticeKind::<Brief>::Admitted).useful();
        assert_eq!(both.ttl, admitted - Duration::from_secs(30 * 60));
        let alone = of(&[notice(2, 1, pinged())]);
        assert!(alone.ttl < both.ttl);
    }

    #[test]
    fn only_what_is_of_one_kind_gives_way_to_the_next_of_it() {
        let one = of(&[notice(1, 3, pinged()), notice(2, 1, pinged())]);
        let next = of(&[notice(3, 0, pinged())]);
        assert_eq!(one.topic, next.topic);
        let mixed = of(&[notice(1, 3, NoticeKind::Admitted), notice(2, 1, pinged())]);
        assert_ne!(mixed.topic, next.topic);
    }
}
