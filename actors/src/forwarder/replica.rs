//! A forwarder's copy of the room, and the recent changes that heal gaps of watching sockets.
//!
//! The home tells changes with consecutive versions; what is older is refused, a gap asks for the whole view again.

use crate::id::UserId;
use crate::room::{Change, Cut, Role, Version, View, apply};
use mitalk_media::{Rights, StageNumber};
use std::collections::VecDeque;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) view: View,
    /// Consecutive, oldest first, the last one being the view's version.
    recent: VecDeque<Told>,
    kept: usize,
}

/// A change as it was told, with what its meaning depends on.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) version: Version,
    pub(super) change: Change,
    /// Hands that were up after it.
    pub(super) hands: u32,
    /// Who became a moderator by it, and may see more from then on.
    pub(super) promoted: Option<UserId>,
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Fit {
    /// It is in the copy now.
    New(Told),
    /// It was in it already, or comes from a former home.
    Old,
    /// Something before it is missing.
    Gap,
}

impl Replica {
    /// A copy that keeps the last `kept` changes.
    pub(super) fn new(view: View, kept: usize) -> Self {
        Self {
            view,
            recent: VecDeque::new(),
            kept,
        }
    }

    /// Takes a change if it is the next one.
    pub(super) fn offer(&mut self, version: Version, change: Change) -> Fit {
        if version <= self.view.version {
            return Fit::Old;
        }
        if version != self.view.version.next() {
            return Fit::Gap;
        }
        let promoted = match &change {
            Change::Seated(seat) if seat.role == Role::Moderator && !self.view.scene.moderates(seat.user) => {
                Some(seat.user)
            }
            _ => None,
        };
        apply(&mut self.view.scene, &mut self.view.passing, version, &change);
        self.view.version = version;
        let hands = u32::try_from(self.view.scene.hands.len()).unwrap_or(u32::MAX);
        let told = Told {
            version,
            change,
            hands,
            promoted,
        };
        if self.recent.len() >= self.kept {
            self.recent.pop_front();
        }
        self.recent.push_back(told.clone());
        Fit::New(told)
    }

    /// What came after `after`, if all of it is still known.
    pub(super) fn since(&self, after: Version) -> Option<impl Iterator<Item = &Told>> {
        if after > self.view.version || after.activation != self.view.version.activation {
            return None;
        }
        let missing = (self.view.version.sequence - after.sequence) as usize;
        (missing <= self.recent.len()).then(|| self.recent.iter().skip(self.recent.len() - missing))
    }

    /// What somebody may do, by the room and by what was cut at once.
    pub(super) fn rights(&self, user: UserId, cut: Option<Cut>) -> Rights {
        let Some(seat) = self.view.scene.seat(user) else {
            return Rights::Listen;
        };
        let number = StageNumber(seat.number);
        match cut {
            Some(Cut::MoveBack | Cut::Out(_)) => Rights::Listen,
            Some(Cut::Mute) => Rights::Muted(number),
            None if seat.muted => Rights::Muted(number),
            None => Rights::Speak(number),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::id::{Home, RoomId};
    use crate::room::{Out, Passing, Scene, Seat, Settings};
    use mitalk_cluster::Timestamp;

    pub(crate) fn user(n: u128) -> UserId {
        UserId::new(Home::default(), n)
    }

    pub(crate) fn seat(n: u128, role: Role, muted: bool) -> Seat {
        Seat {
            user: user(n),
            role,
            number: n as u32,
            muted,
        }
    }

    pub(crate) fn view() -> View {
        let scene = Scene {
            room: RoomId::new(Home::default(), 1),
            creator: user(1),
            started: Timestamp(1),
            ended: false,
            settings: Settings {
                title: "t".into(),
                ..Settings::default()
            },
            stage: vec![seat(1, Role::Moderator, false), seat(2, Role::Speaker, false)],
            hands: vec![],
            invitations: vec![],
            banned: Default::default(),
            pinged: vec![],
            link: 0,
        };
        let version = Version {
            activation: 2,
            sequence: 10,
        };
        View {
            version,
            scene,
            passing: Passing::default(),
        }
    }

    fn at(activation: u32, sequence: u32) -> Version {
        Version { activation, sequence }
    }

    #[test]
    fn takes_only_the_next_change_of_this_home() {
        let mut replica = Replica::new(view(), 4);
        let change = || Change::Audience(5);
        assert!(
            matches!(replica.offer(at(1, 99), change()), Fit::Old),
            "a former home"
        );
        assert!(matches!(replica.offer(at(2, 10), change()), Fit::Old));
        assert!(matches!(replica.offer(at(2, 12), change()), Fit::Gap));
        assert!(
            matches!(replica.offer(at(3, 1), change()), Fit::Gap),
            "a new home"
        );
        assert!(matches!(replica.offer(at(2, 11), change()), Fit::New(_)));
        assert_eq!(replica.view.passing.audience, 5);
    }

    #[test]
    fn heals_what_it_remembers() {
        let mut replica = Replica::new(view(), 3);
        for n in 11..=15 {
            replica.offer(at(2, n), Change::Audience(n));
        }
        let healed = |after| {
            replica
                .since(after)
                .map(|told| told.map(|t| t.version.sequence).collect::<Vec<_>>())
        };
        assert_eq!(healed(at(2, 12)), Some(vec![13, 14, 15]));
        assert_eq!(healed(at(2, 15)), Some(vec![]));
        assert_eq!(healed(at(2, 11)), None, "too long ago");
        assert_eq!(healed(at(2, 16)), None, "never told");
        assert_eq!(healed(at(1, 13)), None, "another home");
    }

    #[test]
    fn rights_are_the_lesser_of_the_room_and_the_cut() {
        let replica = Replica::new(view(), 3);
        let number = StageNumber(2);
        assert_eq!(replica.rights(user(2), None), Rights::Speak(number));
        assert_eq!(replica.rights(user(2), Some(Cut::Mute)), Rights::Muted(number));
        assert_eq!(replica.rights(user(2), Some(Cut::MoveBack)), Rights::Listen);
        assert_eq!(
            replica.rights(user(2), Some(Cut::Out(Out::Banned))),
            Rights::Listen
        );
        assert_eq!(replica.rights(user(3), Some(Cut::Mute)), Rights::Listen);
    }

    #[test]
    fn says_who_became_a_moderator() {
        let mut replica = Replica::new(view(), 3);
        let change = Change::Seated(seat(2, Role::Moderator, false));
        let Fit::New(told) = replica.offer(at(2, 11), change.clone()) else {
            panic!()
        };
        assert_eq!(told.promoted, Some(user(2)));
        let Fit::New(told) = replica.offer(at(2, 12), change) else {
            panic!()
        };
        assert_eq!(told.promoted, None);
    }
}
