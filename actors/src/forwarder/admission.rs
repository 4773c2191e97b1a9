//! Who may come into the room, decided from the replica alone.

use crate::id::UserId;
use crate::room::{Cut, Out, Scene, Visibility};

/// What is known of somebody at the door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) user: UserId,
    /// Is in the room already, or was a moment ago.
    pub(super) has_place: bool,
    /// Follows a moderator; absent if nobody has looked.
    pub(super) follows_moderator: Option<bool>,
    /// A right that was taken away and is not committed yet.
    pub(super) cut: Option<Cut>,
}

/// What the door says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Welcome,
    /// It depends on whether they follow a moderator: look, and ask again.
    LookWhomTheyFollow,
    Ended,
    Banned,
    /// Only for people who were asked in.
    Closed,
    /// Only for followers of a moderator.
    Social,
}

pub(super) fn admit(scene: &Scene, arrival: Arrival) -> Verdict {
    let user = arrival.user;
    if scene.ended {
        return Verdict::Ended;
    }
    if scene.banned.contains(&user) || arrival.cut == Some(Cut::Out(Out::Banned)) {
        return Verdict::Banned;
    }
    let expected = arrival.has_place || scene.holds(user) || scene.was_pinged(user) || scene.creator == user;
    match scene.settings.visibility {
        Visibility::Open => Verdict::Welcome,
        _ if expected => Verdict::Welcome,
        Visibility::Closed => Verdict::Closed,
        Visibility::Social => match arrival.follows_moderator {
            Some(true) => Verdict::Welcome,
            Some(false) => Verdict::Social,
            None => Verdict::LookWhomTheyFollow,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::replica::tests::{user, view};
    use super::*;
    use crate::room::Ping;

    fn stranger() -> Arrival {
        Arrival {
            user: user(9),
            has_place: false,
            follows_moderator: None,
            cut: None,
        }
    }

    fn scene(visibility: Visibility) -> Scene {
        let mut scene = view().scene;
        scene.settings.visibility = visibility;
        scene
    }

    #[test]
    fn visibility_decides_about_strangers() {
        assert_eq!(admit(&scene(Visibility::Open), stranger()), Verdict::Welcome);
        assert_eq!(admit(&scene(Visibility::Closed), stranger()), Verdict::Closed);
        assert_eq!(
            admit(&scene(Visibility::Social), stranger()),
            Verdict::LookWhomTheyFollow
        );
        for (follows, verdict) in [(true, Verdict::Welcome), (false, Verdict::Social)] {
            let arrival = Arrival {
                follows_moderator: Some(follows),
                ..stranger()
            };
            assert_eq!(admit(&scene(Visibility::Social), arrival), verdict);
        }
    }

    #[test]
    fn who_is_expected_may_come_in_anyway() {
        let mut closed = scene(Visibility::Closed);
        assert_eq!(
            admit(
                &closed,
                Arrival {
                    has_place: true,
                    ..stranger()
                }
            ),
            Verdict::Welcome
        );
        assert_eq!(
            admit(
                &closed,
                Arrival {
                    user: user(2),
                    ..stranger()
                }
            ),
            Verdict::Welcome,
            "on stage"
        );
        closed.pinged.push(Ping {
            user: user(9),
            by: user(1),
        });
        assert_eq!(admit(&closed, stranger()), Verdict::Welcome);
    }

    #[test]
    fn bans_hold_for_everybody_also_before_they_are_committed() {
        let mut open = scene(Visibility::Open);
        let cut = Arrival {
            cut: Some(Cut::Out(Out::Banned)),
            ..stranger()
        };
        assert_eq!(admit(&open, cut), Verdict::Banned);
        open.banned.insert(user(9));
        assert_eq!(
            admit(
                &open,
                Arrival {
                    has_place: true,
                    ..stranger()
                }
            ),
            Verdict::Banned
        );
        open.ended = true;
        assert_eq!(admit(&open, stranger()), Verdict::Ended);
    }
}
