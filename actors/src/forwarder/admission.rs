//! Who may come into the room, decided from the replica alone.

use super::protocol::Refusal;
use crate::id::UserId;
use crate::room::{Cut, Out, Scene, Visibility};

/// What is known of somebody at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) user: UserId,
    /// Is in the room already, or was a moment ago.
    pub(crate) has_place: bool,
    /// Shows the key of the room's link.
    pub(crate) has_link: bool,
    /// Follows a moderator; absent if nobody has looked.
    pub(crate) follows_moderator: Option<bool>,
    /// A right that was taken away and is not committed yet.
    pub(crate) cut: Option<Cut>,
}

/// What the door says to who is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Welcome,
    /// It depends on whether they follow a moderator: look, and ask again.
    LookWhomTheyFollow,
}

/// A wrong link is no link: the refusals are the same, so that nobody learns how near a guess was.
pub(crate) fn admit(scene: &Scene, arrival: Arrival) -> Result<Verdict, Refusal> {
    let user = arrival.user;
    if scene.ended {
        return Err(Refusal::Ended);
    }
    if scene.banned.contains(&user) || arrival.cut == Some(Cut::Out(Out::Banned)) {
        return Err(Refusal::Banned);
    }
    let expected = arrival.has_place || scene.holds(user) || scene.was_pinged(user) || scene.creator == user;
    match scene.settings.visibility {
        Visibility::Open => Ok(Verdict::Welcome),
        _ if expected => Ok(Verdict::Welcome),
        Visibility::Closed if arrival.has_link => Ok(Verdict::Welcome),
        Visibility::Closed => Err(Refusal::Closed),
        Visibility::Social => match arrival.follows_moderator {
            Some(true) => Ok(Verdict::Welcome),
            Some(false) => Err(Refusal::Social),
            None => Ok(Verdict::LookWhomTheyFollow),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::replica::tests::{user, view};
    use super::*;
    use crate::room::Ping;

    const WELCOME: Result<Verdict, Refusal> = Ok(Verdict::Welcome);

    fn stranger() -> Arrival {
        Arrival {
            user: user(9),
            has_place: false,
            has_link: false,
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
        assert_eq!(admit(&scene(Visibility::Open), stranger()), WELCOME);
        assert_eq!(
            admit(&scene(Visibility::Closed), stranger()),
            Err(Refusal::Closed)
        );
        assert_eq!(
            admit(&scene(Visibility::Social), stranger()),
            Ok(Verdict::LookWhomTheyFollow)
        );
        for (follows, verdict) in [(true, WELCOME), (false, Err(Refusal::Social))] {
            let arrival = Arrival {
                follows_moderator: Some(follows),
                ..stranger()
            };
            assert_eq!(admit(&scene(Visibility::Social), arrival), verdict);
        }
    }

    #[test]
    fn the_link_opens_closed_rooms_only() {
        let with_link = Arrival {
            has_link: true,
            ..stranger()
        };
        assert_eq!(admit(&scene(Visibility::Closed), with_link), WELCOME);
        let stranger_to_moderators = Arrival {
            follows_moderator: Some(false),
            ..with_link
        };
        assert_eq!(
            admit(&scene(Visibility::Social), stranger_to_moderators),
            Err(Refusal::Social)
        );
    }

    #[test]
    fn who_is_expected_may_come_in_anyway() {
        let mut closed = scene(Visibility::Closed);
        let has_place = Arrival {
            has_place: true,
            ..stranger()
        };
        assert_eq!(admit(&closed, has_place), WELCOME);
        let on_stage = Arrival {
            user: user(2),
            ..stranger()
        };
        assert_eq!(admit(&closed, on_stage), WELCOME);
        closed.pinged.push(Ping {
            user: user(9),
            by: user(1),
        });
        assert_eq!(admit(&closed, stranger()), WELCOME);
    }

    #[test]
    fn bans_hold_for_everybody_also_before_they_are_committed() {
        let mut open = scene(Visibility::Open);
        let cut = Arrival {
            cut: Some(Cut::Out(Out::Banned)),
            ..stranger()
        };
        assert_eq!(admit(&open, cut), Err(Refusal::Banned));
        open.banned.insert(user(9));
        let insider = Arrival {
            has_place: true,
            has_link: true,
            ..stranger()
        };
        assert_eq!(admit(&open, insider), Err(Refusal::Banned));
        open.ended = true;
        assert_eq!(admit(&open, stranger()), Err(Refusal::Ended));
    }
}
