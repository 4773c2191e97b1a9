//! Who is in the room on this node.
//!
//! Everyone who can hear is in it: a person gets here with their media session and leaves with it, or with the end of the
//! grace during which their place is kept without one.

use super::token::Generation;
use crate::id::{DeviceId, SessionId, UserId};
use crate::person::Brief;
use crate::room::Version;
use mitalk_media::SessionKey;
use std::collections::{BTreeMap, HashMap};
use tokio::time::Instant;

/// A person and their session.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) brief: Brief,
    pub(super) device: DeviceId,
    pub(super) session: SessionId,
    pub(super) key: SessionKey,
    pub(super) generation: Generation,
    /// Whose token brought them back, until their client is connected: an answer may be lost on its way, and then the
    /// same token comes again.
    pub(super) before: Option<Generation>,
    pub(super) link: Link,
    /// Came without a token to an open microphone: not heard until the home has it muted.
    pub(super) hushed: bool,
    /// The replica's version when they came in: later removals concern them.
    pub(super) since: Version,
    pub(super) came: Instant,
    /// When their account is told again that they are here; absent: now.
    pub(super) claim_due: Option<Instant>,
}

/// How their network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// The session is there: connecting, or heard of lately.
    There,
    /// Not heard of for some seconds; the engine still keeps the session.
    Silent,
    /// The session is gone, and the place is kept until then.
    Lost(Instant),
}

impl Person {
    pub(super) fn is_away(&self) -> bool {
        self.link != Link::There
    }

    /// Whether this generation's token is for their place.
    pub(super) fn is_of(&self, generation: Generation) -> bool {
        self.generation == generation || self.before == Some(generation)
    }

    /// The media session, if there still is one.
    pub(super) fn live_key(&self) -> Option<SessionKey> {
        (!matches!(self.link, Link::Lost(_))).then_some(self.key)
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// By id, so that lists of the audience are stable.
    people: BTreeMap<UserId, Person>,
    by_key: HashMap<SessionKey, UserId>,
}

impl Roster {
    /// Adds a person, or replaces their earlier session, which is returned.
    pub(super) fn enter(&mut self, person: Person) -> Option<Person> {
        let user = person.brief.id;
        if let Some(key) = person.live_key() {
            self.by_key.insert(key, user);
        }
        let earlier = self.people.insert(user, person)?;
        self.by_key.remove(&earlier.key);
        Some(earlier)
    }

    pub(super) fn leave(&mut self, user: UserId) -> Option<Person> {
        let person = self.people.remove(&user)?;
        self.by_key.remove(&person.key);
        Some(person)
    }

    /// Changes how somebody's network is. Gives who it is.
    pub(super) fn set_link(&mut self, key: SessionKey, link: Link) -> Option<UserId> {
        let user = *self.by_key.get(&key)?;
        if matches!(link, Link::Lost(_)) {
            self.by_key.remove(&key);
        }
        self.people.get_mut(&user)?.link = link;
        Some(user)
    }

    pub(super) fn of_key(&self, key: SessionKey) -> Option<UserId> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn get(&self, user: UserId) -> Option<&Person> {
        self.people.get(&user)
    }

    pub(super) fn get_mut(&mut self, user: UserId) -> Option<&mut Person> {
        self.people.get_mut(&user)
    }

    pub(super) fn has(&self, user: UserId) -> bool {
        self.people.contains_key(&user)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = UserId> {
        self.people.keys().copied()
    }

    pub(super) fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    pub(super) fn len(&self) -> usize {
        self.people.len()
    }

    /// People whose time to come back is over.
    pub(super) fn overdue(&self, now: Instant) -> Vec<UserId> {
        let over = |person: &&Person| matches!(person.link, Link::Lost(until) if until <= now);
        self.people
            .values()
            .filter(over)
            .map(|person| person.brief.id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::replica::tests::user;
    use super::*;
    use crate::id::Home;
    use std::time::Duration;

    fn person(n: u128, key: u64) -> Person {
        Person {
            brief: Brief::unknown(user(n)),
            device: DeviceId::new(Home::default(), 1),
            session: SessionId::new(Home::default(), u128::from(key)),
            key: SessionKey(key),
            generation: Generation(key),
            before: None,
            link: Link::There,
            hushed: false,
            since: Version::default(),
            came: Instant::now(),
            claim_due: None,
        }
    }

    #[test]
    fn a_new_session_replaces_the_old_one() {
        let mut roster = Roster::default();
        assert!(roster.enter(person(1, 10)).is_none());
        let earlier = roster.enter(person(1, 11)).unwrap();
        assert_eq!(earlier.live_key(), Some(SessionKey(10)));
        assert_eq!(roster.of_key(SessionKey(10)), None, "a stale session is nobody's");
        assert_eq!((roster.len(), roster.of_key(SessionKey(11))), (1, Some(user(1))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_place_is_kept_until_its_time_and_comes_back() {
        let mut roster = Roster::default();
        roster.enter(person(1, 10));
        let now = Instant::now();
        let until = now + Duration::from_secs(30);
        assert_eq!(roster.set_link(SessionKey(10), Link::Lost(until)), Some(user(1)));
        assert!(roster.has(user(1)) && roster.get(user(1)).unwrap().is_away());
        assert_eq!(roster.overdue(now), []);
        assert_eq!(roster.overdue(until), [user(1)]);
        assert_eq!(
            roster.enter(person(1, 12)).and_then(|earlier| earlier.live_key()),
            None
        );
        assert_eq!(roster.overdue(until), []);
    }
}
