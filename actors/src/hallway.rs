//! The live rooms of the region, in this node's memory: what the hallway ranks and pages.
//!
//! Homes tell every node what their rooms look like; now and then all of it is read again from the table `live_room`, which
//! heals what was lost. Newer cards replace older ones, and a room that ended never comes back.
//! Rooms with somebody on stage whom one follows come first, then the newest. Closed rooms are shown to those inside or
//! asked in, social ones to followers of a moderator besides.
//! It lacks names (ids only) and any state that matters: a lost hallway is filled again.

mod news;

pub(crate) use news::{News, SERVICE, Service};

use crate::id::{RoomId, UserId};
use crate::room::{Card, Visibility};
use mitalk_cluster::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

/// Rooms kept; more are not listed until others end.
const ROOMS: usize = 20_000;
/// Ended rooms remembered, so that a late card does not bring them back.
const ENDED: usize = 4_096;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Hallway(RwLock<Lists>);

#[derive(Debug, Default)]
struct Lists {
    rooms: HashMap<RoomId, Card>,
    /// The newest first.
    newest: BTreeMap<Rank, ()>,
    ended: HashSet<RoomId>,
    ended_in_order: VecDeque<RoomId>,
}

/// Orders rooms: the newest first, and always the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(Reverse<Timestamp>, RoomId);

/// Where a page ended: in the part of followed rooms or of the others, after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    /// False sorts first.
    not_followed: bool,
    rank: Rank,
}

/// Who looks.
pub(crate) struct Viewer<'a> {
    pub(crate) user: UserId,
    /// The room they are in.
    pub(crate) inside: Option<RoomId>,
    /// People on some stage whom they follow.
    pub(crate) follows: &'a HashSet<UserId>,
}

/// A room on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) card: Card,
    /// The viewer follows somebody on stage.
    pub(crate) followed: bool,
}

impl Hallway {
    /// Takes a room's card. True if the hallway shows something else now; the size of an audience does not count.
    pub(crate) fn put(&self, card: Card) -> bool {
        let mut lists = self.0.write().unwrap_or_else(PoisonError::into_inner);
        lists.put(card)
    }

    /// The room ended. True if it was listed.
    pub(crate) fn remove(&self, room: RoomId) -> bool {
        let mut lists = self.0.write().unwrap_or_else(PoisonError::into_inner);
        lists.remove(room)
    }

    /// All rooms, the newest first; for operators.
    pub(crate) fn all(&self) -> Vec<Card> {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lists
            .newest
            .keys()
            .filter_map(|rank| lists.rooms.get(&rank.1))
            .cloned()
            .collect()
    }

    /// The title of a room that lives, whoever may see it.
    pub(crate) fn title(&self, room: RoomId) -> Option<String> {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lists.rooms.get(&room).map(|card| card.settings.title.clone())
    }

    /// People on the stages of listed rooms, from the newest room on, at most `most`.
    pub(crate) fn on_stage(&self, most: usize) -> Vec<UserId> {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let cards = lists.newest.keys().filter_map(|rank| lists.rooms.get(&rank.1));
        let people: HashSet<_> = cards.flat_map(Card::stage).take(most).collect();
        people.into_iter().collect()
    }

    /// Whether some room is shown to those inside only: then it matters where the viewer is.
    pub(crate) fn has_hidden(&self) -> bool {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lists
            .rooms
            .values()
            .any(|card| card.settings.visibility != Visibility::Open)
    }

    /// A page of at most `limit` rooms after `after`, and whether there are more.
    pub(crate) fn page(
        &self,
        viewer: &Viewer<'_>,
        after: Option<Cursor>,
        limit: usize,
    ) -> (Vec<Shown>, Option<Cursor>) {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (mut followed, mut others) = (vec![], vec![]);
        for (rank, card) in lists
            .newest
            .keys()
            .filter_map(|rank| Some((*rank, lists.rooms.get(&rank.1)?)))
        {
            let follows = card.stage().any(|user| viewer.follows.contains(&user));
            let cursor = Cursor {
                not_followed: !follows,
                rank,
            };
            let part = if follows { &mut followed } else { &mut others };
            if after.is_none_or(|after| cursor > after) && part.len() <= limit && viewer.may_see(card) {
                part.push((cursor, card));
            }
            if followed.len() > limit {
                break;
            }
        }
        followed.append(&mut others);
        let more = followed.len() > limit;
        followed.truncate(limit);
        let last = followed.last().map(|(cursor, _)| *cursor).filter(|_| more);
        let shown = followed
            .into_iter()
            .map(|(cursor, card)| Shown {
                card: card.clone(),
                followed: !cursor.not_followed,
            })
            .collect();
        (shown, last)
    }
}

impl Viewer<'_> {
    fn may_see(&self, card: &Card) -> bool {
        let expected = || {
            self.inside == Some(card.room)
                || card.pinged.contains(&self.user)
                || card.stage().any(|user| user == self.user)
        };
        match card.settings.visibility {
            Visibility::Open => true,
            Visibility::Social => card.moderators.iter().any(|by| self.follows.contains(by)) || expected(),
            Visibility::Closed => expected(),
        }
    }
}

impl Lists {
    fn put(&mut self, card: Card) -> bool {
        let full = self.rooms.len() >= ROOMS && !self.rooms.contains_key(&card.room);
        if full || self.ended.contains(&card.room) {
            return false;
        }
        let rank = Rank(Reverse(card.started), card.room);
        let Some(old) = self.rooms.get_mut(&card.room) else {
            self.newest.insert(rank, ());
            self.rooms.insert(card.room, card);
            return true;
        };
        if card.version <= old.version {
            return false;
        }
        let looks = |card: &Card| {
            (
                card.settings.clone(),
                card.moderators.clone(),
                card.speakers.clone(),
            )
        };
        let changed = looks(old) != looks(&card);
        *old = card;
        changed
    }

    fn remove(&mut self, room: RoomId) -> bool {
        if self.ended.insert(room) {
            self.ended_in_order.push_back(room);
        }
        if self.ended_in_order.len() > ENDED
            && let Some(oldest) = self.ended_in_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        let Some(card) = self.rooms.remove(&room) else {
            return false;
        };
        self.newest.remove(&Rank(Reverse(card.started), room));
        true
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Rank(Reverse(started), room) = self.rank;
        write!(f, "{}.{}.{room}", u8::from(self.not_followed), started.0)
    }
}

/// A text that is no cursor of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(NotACursor);
        let not_followed = match part()? {
            "0" => false,
            "1" => true,
            _ => return Err(NotACursor),
        };
        let started = part()?.parse().map_err(|_| NotACursor)?;
        let room = part()?.parse().map_err(|_| NotACursor)?;
        Ok(Self {
            not_followed,
            rank: Rank(Reverse(Timestamp(started)), room),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use crate::room::{Settings, Version};
    use proptest::prelude::*;

    fn user(n: u128) -> UserId {
        UserId::new(Home::default(), n)
    }

    fn room(n: u128) -> RoomId {
        RoomId::new(Home::default(), n)
    }

    /// Room `n`, opened at `n`, moderated by person `n`.
    fn card(n: u128, visibility: Visibility) -> Card {
        Card {
            room: room(n),
            version: Version {
                activation: 1,
                sequence: 1,
            },
            settings: Settings {
                title: format!("room {n}"),
                visibility,
                ..Settings::default()
            },
            moderators: vec![user(n)],
            speakers: vec![user(n + 100)],
            pinged: vec![],
            audience: 0,
            started: Timestamp(n as u64),
        }
    }

    fn seen(hallway: &Hallway, viewer: &Viewer<'_>) -> Vec<RoomId> {
        hallway
            .page(viewer, None, 100)
            .0
            .into_iter()
            .map(|shown| shown.card.room)
            .collect()
    }

    #[test]
    fn followed_first_then_newest() {
        let hallway = Hallway::default();
        for n in 1..=4 {
            assert!(hallway.put(card(n, Visibility::Open)));
        }
        let follows = HashSet::from([user(102)]);
        let viewer = Viewer {
            user: user(50),
            inside: None,
            follows: &follows,
        };
        assert_eq!(seen(&hallway, &viewer), [2, 4, 3, 1].map(room));
    }

    #[test]
    fn hidden_rooms_are_shown_to_those_who_may_know() {
        let hallway = Hallway::default();
        hallway.put(card(1, Visibility::Social));
        hallway.put(Card {
            pinged: vec![user(60)],
            ..card(2, Visibility::Closed)
        });
        let (nobody, moderator) = (HashSet::new(), HashSet::from([user(1), user(2)]));
        let sees = |user, inside, follows| {
            seen(
                &hallway,
                &Viewer {
                    user,
                    inside,
                    follows,
                },
            )
        };
        assert_eq!(sees(user(50), None, &nobody), []);
        assert_eq!(sees(user(50), None, &moderator), [room(1)]);
        assert_eq!(sees(user(60), None, &nobody), [room(2)]);
        assert_eq!(sees(user(50), Some(room(2)), &nobody), [room(2)]);
        assert_eq!(sees(user(102), None, &nobody), [room(2)], "on its stage");
        assert!(hallway.has_hidden());
    }

    #[test]
    fn older_cards_and_ended_rooms_do_not_come_back() {
        let hallway = Hallway::default();
        let newer = Card {
            version: Version {
                activation: 1,
                sequence: 2,
            },
            audience: 7,
            ..card(1, Visibility::Open)
        };
        assert!(hallway.put(newer.clone()));
        assert!(!hallway.put(card(1, Visibility::Open)));
        assert_eq!(hallway.all(), std::slice::from_ref(&newer));
        let bigger = Card {
            version: Version {
                activation: 1,
                sequence: 3,
            },
            audience: 8,
            ..newer
        };
        assert!(!hallway.put(bigger), "a size is no news");
        assert!(hallway.remove(room(1)));
        assert!(!hallway.put(card(1, Visibility::Open)));
        assert!(hallway.all().is_empty());
    }

    proptest! {
        #[test]
        fn pages_give_every_room_once(
            rooms in prop::collection::btree_set(1..60_u128, 0..40),
            followed in prop::collection::hash_set(1..60_u128, 0..10),
            limit in 1..7_usize,
        ) {
            let hallway = Hallway::default();
            for n in &rooms {
                hallway.put(card(*n, Visibility::Open));
            }
            let follows = followed.into_iter().map(user).collect();
            let viewer = Viewer { user: user(999), inside: None, follows: &follows };
            let (mut all, mut after) = (vec![], None);
            loop {
                let (page, next) = hallway.page(&viewer, after, limit);
                prop_assert!(page.len() <= limit);
                all.extend(page.into_iter().map(|shown| shown.card.room));
                let Some(next) = next else { break };
                prop_assert_eq!(next.to_string().parse::<Cursor>(), Ok(next));
                after = Some(next);
            }
            prop_assert_eq!(&all, &seen(&hallway, &viewer));
            prop_assert_eq!(all.len(), rooms.len());
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in "\\PC{0,40}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
            }
        }
    }
}
