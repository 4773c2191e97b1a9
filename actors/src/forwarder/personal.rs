//! What one person sees of the room: hands are the moderators' business, one's place in the queue one's own, invitations
//! their receiver's, the key of a closed room's link everybody's inside.
//!
//! Everybody has the same sequence; where a change is none of somebody's business they get `Nothing`.

use super::link::Links;
use super::replica::Told;
use crate::id::UserId;
use crate::person::Brief;
use crate::room::{Change, HandDown, RaisedHand, Role, Seat, Settings, View, Visibility};
use crate::rooms;
use std::collections::HashMap;

/// The names of people, as far as they are known here.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<UserId, Brief>);

impl Names {
    /// Who somebody is; only the id if that is not known.
    pub(crate) fn of(&self, user: UserId) -> Brief {
        self.0.get(&user).cloned().unwrap_or_else(|| Brief::unknown(user))
    }

    pub(crate) fn knows(&self, user: UserId) -> bool {
        self.0.contains_key(&user)
    }

    pub(crate) fn learn(&mut self, brief: Brief) {
        self.0.insert(brief.id, brief);
    }

    /// Forgets everybody else.
    pub(crate) fn retain(&mut self, wanted: impl Fn(UserId) -> bool) {
        self.0.retain(|user, _| wanted(*user));
    }
}

/// The people whose names a change needs.
pub(super) fn named_in(change: &Change) -> Option<UserId> {
    match change {
        Change::Seated(seat) => Some(seat.user),
        Change::HandUp(hand) => Some(hand.user),
        Change::Invited(invitation) => Some(invitation.by),
        Change::Unseated(user) | Change::HandDown(user, _) | Change::Away(user, _) => Some(*user),
        Change::Settings(_)
        | Change::LinkRenewed(_)
        | Change::Uninvited(_)
        | Change::Pinged(_)
        | Change::Out(..)
        | Change::Audience(_)
        | Change::Ended => None,
    }
}

/// The room as it is shown from one version on; made once for everybody who looks.
pub(crate) struct Shown<'a> {
    view: &'a View,
    names: &'a Names,
    /// Everybody's place in the queue of hands, from 1.
    places: HashMap<UserId, u32>,
    /// For people inside.
    link_key: Option<String>,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(view: &'a View, names: &'a Names, links: &Links) -> Self {
        let hands = view.scene.hands.iter().map(|hand| hand.user);
        Self {
            view,
            names,
            places: hands.zip(1..).collect(),
            link_key: links.key(&view.scene),
        }
    }

    /// A change as `me` sees it. The room is at least as new as the change: one's place in the queue may be ahead of
    /// `hand_count`, and the changes that follow say the same.
    pub(super) fn change(&self, told: &Told, me: UserId) -> rooms::Change {
        let Self { view, names, .. } = self;
        let sees = |owner: UserId| owner == me || view.scene.moderates(me);
        let (hand_count, my_hand) = (told.hands, self.place(me));
        match &told.change {
            Change::Settings(settings) => self.settings(settings),
            Change::LinkRenewed(_) => match &self.link_key {
                Some(_) => self.settings(&view.scene.settings),
                None => rooms::Change::Nothing,
            },
            Change::Seated(seat) => rooms::Change::Stage {
                member: member(seat, view, names),
            },
            Change::Away(user, _) => match view.scene.seat(*user) {
                Some(seat) => rooms::Change::Stage {
                    member: member(seat, view, names),
                },
                None => rooms::Change::Nothing,
            },
            Change::Unseated(user) => rooms::Change::Unstaged {
                person: names.of(*user),
            },
            Change::HandUp(raised) => rooms::Change::HandUp {
                hand: sees(raised.user).then(|| hand(raised, names)),
                hand_count,
                my_hand,
            },
            Change::HandDown(user, how) => rooms::Change::HandDown {
                person: sees(*user).then(|| names.of(*user)),
                hand_count,
                my_hand,
                declined: *user == me && *how == HandDown::Declined,
            },
            Change::Invited(invitation) if invitation.user == me => rooms::Change::StageInvitation {
                invited: true,
                by: Some(names.of(invitation.by)),
            },
            Change::Uninvited(user) if *user == me => rooms::Change::StageInvitation {
                invited: false,
                by: None,
            },
            Change::Audience(audience_count) => rooms::Change::Audience {
                audience_count: *audience_count,
            },
            Change::Ended => rooms::Change::Ended,
            Change::Invited(_) | Change::Uninvited(_) | Change::Pinged(_) | Change::Out(..) => {
                rooms::Change::Nothing
            }
        }
    }

    /// The key goes with the visibility that it belongs to.
    fn settings(&self, settings: &Settings) -> rooms::Change {
        let closed = settings.visibility == Visibility::Closed;
        rooms::Change::Settings {
            title: settings.title.clone(),
            topics: settings.topics.clone(),
            visibility: settings.visibility,
            hand_raising: settings.hand_raising,
            link_key: self.link_key.clone().filter(|_| closed),
        }
    }

    /// The whole room as `me` sees it, from inside or not.
    pub(crate) fn snapshot(&self, me: UserId, inside: bool) -> rooms::Snapshot {
        let Self { view, names, .. } = self;
        let scene = &view.scene;
        let members = |role| scene.stage.iter().filter(move |seat| seat.role == role);
        let stage = members(Role::Moderator).chain(members(Role::Speaker));
        let moderates = inside && scene.moderates(me);
        let hands = scene
            .hands
            .iter()
            .filter(|hand| moderates || (inside && hand.user == me));
        rooms::Snapshot {
            room: scene.room,
            seq: view.version.as_u64(),
            title: scene.settings.title.clone(),
            topics: scene.settings.topics.clone(),
            language: scene.settings.language.clone(),
            visibility: scene.settings.visibility,
            link_key: self.link_key.clone().filter(|_| inside),
            hand_raising: scene.settings.hand_raising,
            stage: stage.map(|seat| member(seat, view, names)).collect(),
            hands: hands.map(|raised| hand(raised, names)).collect(),
            hand_count: u32::try_from(scene.hands.len()).unwrap_or(u32::MAX),
            my_hand: self.place(me),
            invited_to_stage: scene.invitation(me).is_some(),
            my_role: inside.then(|| scene.role(me)),
            audience_count: view.passing.audience,
            started: scene.started,
            ended: scene.ended,
        }
    }

    fn place(&self, user: UserId) -> Option<u32> {
        self.places.get(&user).copied()
    }
}

fn member(seat: &Seat, view: &View, names: &Names) -> rooms::StageMember {
    rooms::StageMember {
        person: names.of(seat.user),
        role: seat.role,
        number: seat.number,
        muted: seat.muted,
        away: view.passing.away.contains(&seat.user),
    }
}

fn hand(raised: &RaisedHand, names: &Names) -> rooms::Hand {
    rooms::Hand {
        person: names.of(raised.user),
        raised: raised.at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::replica::tests::{user, view};
    use super::*;
    use crate::Secrets;
    use crate::room::Invitation;
    use crate::secrets::{KEY_BYTES, Master};
    use mitalk_cluster::Timestamp;

    fn told(change: Change) -> Told {
        Told {
            version: view().version,
            change,
            hands: 3,
            promoted: None,
        }
    }

    fn links() -> Links {
        let master = Master {
            kid: "a".into(),
            key: [1; KEY_BYTES],
        };
        Links::new(&Secrets::new([1; KEY_BYTES], &[master]).unwrap())
    }

    fn seen_in(view: &View, told: &Told, me: u128) -> rooms::Change {
        Shown::new(view, &Names::default(), &links()).change(told, user(me))
    }

    fn snapshot(view: &View, me: u128, inside: bool) -> rooms::Snapshot {
        Shown::new(view, &Names::default(), &links()).snapshot(user(me), inside)
    }

    fn raised(n: u128) -> RaisedHand {
        RaisedHand {
            user: user(n),
            at: Timestamp(n as u64),
        }
    }

    #[test]
    fn hands_are_seen_by_moderators_and_their_owner() {
        let up = told(Change::HandUp(raised(5)));
        let down = told(Change::HandDown(user(5), HandDown::Declined));
        for (me, sees, declined) in [
            (1, true, false),
            (2, false, false),
            (5, true, true),
            (6, false, false),
        ] {
            let rooms::Change::HandUp {
                hand, hand_count: 3, ..
            } = seen_in(&view(), &up, me)
            else {
                panic!()
            };
            assert_eq!(hand.is_some(), sees, "{me}");
            let rooms::Change::HandDown {
                person,
                declined: told_declined,
                ..
            } = seen_in(&view(), &down, me)
            else {
                panic!()
            };
            assert_eq!((person.is_some(), told_declined), (sees, declined), "{me}");
        }
    }

    #[test]
    fn who_waits_learns_their_own_place_with_every_hand() {
        let mut after = view();
        after.scene.hands = [6, 7].map(raised).to_vec();
        let accepted = told(Change::HandDown(user(5), HandDown::Accepted));
        let up = told(Change::HandUp(raised(7)));
        for (me, place) in [(5, None), (6, Some(1)), (7, Some(2)), (1, None), (9, None)] {
            let down = seen_in(&after, &accepted, me);
            assert!(
                matches!(down, rooms::Change::HandDown { my_hand, .. } if my_hand == place),
                "{me}: {down:?}"
            );
            let up = seen_in(&after, &up, me);
            assert!(
                matches!(up, rooms::Change::HandUp { my_hand, .. } if my_hand == place),
                "{me}: {up:?}"
            );
        }
    }

    #[test]
    fn an_invitation_is_its_receivers_alone() {
        let invited = told(Change::Invited(Invitation {
            user: user(5),
            by: user(1),
        }));
        let seen = |me| seen_in(&view(), &invited, me);
        assert!(matches!(
            seen(5),
            rooms::Change::StageInvitation {
                invited: true,
                by: Some(_)
            }
        ));
        assert_eq!(seen(1), rooms::Change::Nothing);
    }

    #[test]
    fn a_snapshot_shows_all_hands_to_moderators_only() {
        let mut view = view();
        view.scene.hands = [5, 6].map(raised).to_vec();
        let seen = |me, inside| snapshot(&view, me, inside);
        assert_eq!(seen(1, true).hands.len(), 2);
        assert_eq!((seen(6, true).hands.len(), seen(6, true).my_hand), (1, Some(2)));
        assert_eq!((seen(9, true).hands.len(), seen(9, true).hand_count), (0, 2));
        assert_eq!(
            (seen(9, true).my_role, seen(9, false).my_role),
            (Some(Role::Listener), None)
        );
    }

    #[test]
    fn the_key_of_a_closed_room_is_for_people_inside() {
        let mut closed = view();
        closed.scene.settings.visibility = Visibility::Closed;
        let key = links().key(&closed.scene);
        assert!(key.is_some());
        assert_eq!(snapshot(&closed, 9, true).link_key, key);
        assert_eq!(snapshot(&closed, 9, false).link_key, None);
        let renewed = told(Change::LinkRenewed(1));
        let told_key = |view: &View, change: &Told| match seen_in(view, change, 9) {
            rooms::Change::Settings { link_key, .. } => link_key,
            other => panic!("{other:?}"),
        };
        assert_eq!(told_key(&closed, &renewed), key);
        let amended = told(Change::Settings(closed.scene.settings.clone()));
        assert_eq!(told_key(&closed, &amended), key);

        let open = view();
        assert_eq!(seen_in(&open, &renewed, 9), rooms::Change::Nothing);
        assert_eq!(snapshot(&open, 9, true).link_key, None);
    }
}
