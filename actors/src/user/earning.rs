//! Earning invites: an active person starts with some and earns more by taking part.
//!
//! The rule is [`earned`], a pure function of what an account has done so far: rooms in which they were on stage with
//! somebody else, and people who came in by their invites. It only ever grows and has an end, so nobody makes a
//! business of it. Listening earns nothing: joining a room commits nothing, and it shall stay so.
//!
//! What was done arrives by the outboxes of rooms and of invites, at least once. A room counts once as long as its id is among
//! the newest, which are remembered; a repeat comes long before it is not. An invite counts when it is settled, which it is
//! once.

use super::state::{Account, State};
use super::{Event, Reply, Tell, User, invites};
use crate::id::RoomId;
use mitalk_cluster::Decision;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Rooms on stage that earn one invite.
pub const ROOMS_PER_INVITE: u32 = 3;
/// People who came in by one's invites that earn one.
pub const ACCEPTED_PER_INVITE: u32 = 2;
/// Invites that a person can earn in all.
pub const EARNED_MOST: u32 = 20;
/// The newest rooms, which are remembered. A repeat comes right after the crash of the node that sent it, long before so many
/// others.
const ROOMS_REMEMBERED: usize = 32;

/// What somebody has done for others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TakenPart {
    /// Rooms in which they were on stage with somebody else.
    pub rooms: u32,
    /// People who came in by their invites.
    pub accepted: u32,
    /// The newest of the rooms, oldest first.
    lately: VecDeque<RoomId>,
}

/// How many invites that has earned so far, in all.
pub fn earned(part: &TakenPart) -> u32 {
    let by_rooms = part.rooms / ROOMS_PER_INVITE;
    let by_people = part.accepted / ACCEPTED_PER_INVITE;
    by_rooms.saturating_add(by_people).min(EARNED_MOST)
}

/// Rooms on stage until the next invite; absent when there is no more to earn.
pub fn rooms_to_next(part: &TakenPart) -> Option<u32> {
    (earned(part) < EARNED_MOST).then(|| ROOMS_PER_INVITE - part.rooms % ROOMS_PER_INVITE)
}

/// Something that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// On stage, not alone.
    Room(RoomId),
    /// An invite of theirs let somebody in.
    Accepted,
}

impl TakenPart {
    /// Counts a deed and gives what it earned.
    pub(super) fn add(&mut self, deed: Deed) -> u32 {
        let before = earned(self);
        match deed {
            Deed::Room(room) => {
                self.rooms = self.rooms.saturating_add(1);
                if self.lately.len() >= ROOMS_REMEMBERED {
                    self.lately.pop_front();
                }
                self.lately.push_back(room);
            }
            Deed::Accepted => self.accepted = self.accepted.saturating_add(1),
        }
        earned(self) - before
    }

    fn knows(&self, room: RoomId) -> bool {
        self.lately.contains(&room)
    }
}

/// A room says that they were on its stage with somebody else.
pub(super) fn take_part(state: &State, room: RoomId) -> Decision<User> {
    let decision = Decision::reply(Reply::Done);
    let in_use = |account: &&Account| account.active && !account.suspended;
    match state.account.as_deref().filter(in_use) {
        Some(account) if !account.part.knows(room) => decision
            .event(Event::Invite(invites::Change::TookPart(Deed::Room(room))))
            .effect(state.tell(Tell::Changed)),
        _ => decision,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::id::Home;
    use proptest::prelude::*;

    fn room(n: u128) -> RoomId {
        RoomId::new(Home::default(), n)
    }

    /// An account that can do nothing more.
    pub(in super::super) fn largest() -> TakenPart {
        TakenPart {
            rooms: u32::MAX,
            accepted: u32::MAX,
            lately: (0..ROOMS_REMEMBERED as u128)
                .map(|n| room(u128::MAX - n))
                .collect(),
        }
    }

    #[test]
    fn three_rooms_or_two_people_earn_one() {
        let mut part = TakenPart::default();
        assert_eq!((earned(&part), rooms_to_next(&part)), (0, Some(3)));
        let of_rooms: Vec<_> = (1..=4).map(|n| part.add(Deed::Room(room(n)))).collect();
        assert_eq!(of_rooms, [0, 0, 1, 0]);
        assert_eq!(rooms_to_next(&part), Some(2));
        assert_eq!((part.add(Deed::Accepted), part.add(Deed::Accepted)), (0, 1));
    }

    #[test]
    fn there_is_an_end_to_it_and_no_overflow() {
        let mut part = largest();
        assert_eq!((earned(&part), rooms_to_next(&part)), (EARNED_MOST, None));
        assert_eq!((part.add(Deed::Accepted), part.add(Deed::Room(room(1)))), (0, 0));
    }

    proptest! {
        #[test]
        fn it_only_grows_and_what_is_given_is_what_was_earned(deeds in prop::collection::vec(any::<(bool, u8)>(), 0..200)) {
            let mut part = TakenPart::default();
            let mut given = 0;
            for (in_a_room, n) in deeds {
                let before = earned(&part);
                given += part.add(if in_a_room { Deed::Room(room(u128::from(n))) } else { Deed::Accepted });
                prop_assert!(earned(&part) >= before);
                prop_assert!(earned(&part) <= EARNED_MOST);
                prop_assert_eq!(given, earned(&part));
                prop_assert!(part.lately.len() <= ROOMS_REMEMBERED);
            }
        }
    }
}
