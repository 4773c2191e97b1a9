//! What one person sees of the room: hands are the moderators' business, invitations their receiver's.
//!
//! Everybody has the same sequence; where a change is none of somebody's business they get `Nothing`.

use super::replica::Told;
use crate::id::UserId;
use crate::person::Brief;
use crate::room::{Change, HandDown, RaisedHand, Role, Seat, View};
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
        | Change::Uninvited(_)
        | Change::Pinged(_)
        | Change::Out(..)
        | Change::Audience(_)
        | Change::Ended => None,
    }
}

/// A change as `me` sees it. `view` is at least as new as the change.
pub(super) fn change(told: &Told, view: &View, names: &Names, me: UserId) -> rooms::Change {
    let sees = |owner: UserId| owner == me || view.scene.moderates(me);
    let hand_count = told.hands;
    match &told.change {
        Change::Settings(settings) => rooms::Change::Settings {
            title: settings.title.clone(),
            topics: settings.topics.clone(),
            visibility: settings.visibility,
            hand_raising: settings.hand_raising,
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
        },
        Change::HandDown(user, how) => rooms::Change::HandDown {
            person: sees(*user).then(|| names.of(*user)),
            hand_count,
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

/// The whole room as `me` sees it, from inside or not.
pub(crate) fn snapshot(view: &View, names: &Names, me: UserId, inside: bool) -> rooms::Snapshot {
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
        hand_raising: scene.settings.hand_raising,
        stage: stage.map(|seat| member(seat, view, names)).collect(),
        hands: hands.map(|raised| hand(raised, names)).collect(),
        hand_count: u32::try_from(scene.hands.len()).unwrap_or(u32::MAX),
        my_hand: scene.hand(me),
        invited_to_stage: scene.invitation(me).is_some(),
        my_role: inside.then(|| scene.role(me)),
        audience_count: view.passing.audience,
        started: scene.started,
        ended: scene.ended,
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
    use crate::room::Invitation;
    use mitalk_cluster::Timestamp;

    fn told(change: Change) -> Told {
        Told {
            version: view().version,
            change,
            hands: 3,
            promoted: None,
        }
    }

    #[test]
    fn hands_are_seen_by_moderators_and_their_owner() {
        let raised = RaisedHand {
            user: user(5),
            at: Timestamp(9),
        };
        let up = told(Change::HandUp(raised));
        let down = told(Change::HandDown(user(5), HandDown::Declined));
        for (me, sees, declined) in [
            (1, true, false),
            (2, false, false),
            (5, true, true),
            (6, false, false),
        ] {
            let rooms::Change::HandUp { hand, hand_count: 3 } =
                change(&up, &view(), &Names::default(), user(me))
            else {
                panic!()
            };
            assert_eq!(hand.is_some(), sees, "{me}");
            let rooms::Change::HandDown {
                person,
                declined: told_declined,
                ..
            } = change(&down, &view(), &Names::default(), user(me))
            else {
                panic!()
            };
            assert_eq!((person.is_some(), told_declined), (sees, declined), "{me}");
        }
    }

    #[test]
    fn an_invitation_is_its_receivers_alone() {
        let invited = told(Change::Invited(Invitation {
            user: user(5),
            by: user(1),
        }));
        let seen = |me| change(&invited, &view(), &Names::default(), user(me));
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
        view.scene.hands = [5, 6]
            .map(|n| RaisedHand {
                user: user(n),
                at: Timestamp(n as u64),
            })
            .to_vec();
        let seen = |me, inside| snapshot(&view, &Names::default(), user(me), inside);
        assert_eq!(seen(1, true).hands.len(), 2);
        assert_eq!((seen(6, true).hands.len(), seen(6, true).my_hand), (1, Some(2)));
        assert_eq!((seen(9, true).hands.len(), seen(9, true).hand_count), (0, 2));
        assert_eq!(
            (seen(9, true).my_role, seen(9, false).my_role),
            (Some(Role::Listener), None)
        );
    }
}
