//! The rules of the stage, one by one; [`presence`] and [`bounds`] have the rest.

mod bounds;
pub(super) mod home;
mod presence;

use super::*;
use home::{Home, gone, node, user};

fn done() -> Result<Reply, Refusal> {
    Ok(Reply::Done { hand: None })
}

#[test]
fn the_creator_moderates_muted_with_the_first_number() {
    let home = Home::opened(Limits::default());
    let seat = Seat {
        user: user(1),
        role: Role::Moderator,
        number: 1,
        muted: true,
    };
    assert_eq!(home.scene().stage, [seat]);
}

#[test]
fn opening_again_gives_the_room_as_it_is_and_nobody_else_opens_it() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    let Ok(Reply::View(view)) = home.open(1, Limits::default()) else {
        panic!("the creator gets the room")
    };
    assert_eq!(view.scene.stage.len(), 2);
    assert_eq!(home.open(2, Limits::default()), Err(Refusal::NotFound));
}

#[test]
fn a_link_is_renewed_by_moderators_once_for_all_who_saw_the_old_one() {
    let mut home = Home::opened(Limits::default());
    let renew = |by, old| Command::RenewLink { by: user(by), old };
    assert_eq!(home.ask(renew(2, 0)), Err(Refusal::ModeratorsOnly));
    assert_eq!(home.ask(renew(1, 0)), done());
    assert_eq!(
        home.ask(renew(1, 0)),
        done(),
        "another moderator, at the same moment"
    );
    assert_eq!(home.scene().link, 1);
    assert_eq!(home.changes().last(), Some(&Change::LinkRenewed(1)));
    home.take_over();
    assert_eq!(home.scene().link, 1, "it is committed");
}

#[test]
fn a_hand_becomes_an_invitation_and_then_a_muted_seat() {
    let mut home = Home::opened(Limits::default());
    assert_eq!(home.raise(2), Ok(Reply::Done { hand: Some(1) }));
    assert_eq!(home.raise(3), Ok(Reply::Done { hand: Some(2) }));
    home.ask(Command::AnswerHand {
        by: user(1),
        user: user(2),
        accept: true,
    })
    .unwrap();
    assert_eq!(home.scene().hand(user(3)), Some(1));
    assert_eq!(home.scene().invitation(user(2)).map(|i| i.by), Some(user(1)));
    home.ask(Command::AnswerInvitation {
        user: user(2),
        accept: true,
    })
    .unwrap();
    let seat = home.scene().seat(user(2)).unwrap();
    assert_eq!((seat.role, seat.number, seat.muted), (Role::Speaker, 2, true));
    assert!(home.scene().invitations.is_empty());
}

#[test]
fn who_comes_on_stage_to_somebody_else_is_credited_and_the_creator_with_the_first() {
    let mut home = Home::opened(Limits::default());
    assert_eq!(home.credited, [], "alone on stage is no company");
    home.stage(2);
    home.stage(3);
    assert_eq!(home.credited, [user(2), user(1), user(3)]);
    let invite = Command::InviteToStage {
        by: user(1),
        user: user(4),
    };
    home.ask(invite).unwrap();
    for who in 1..=3 {
        home.ask(gone(who, 1)).unwrap();
    }
    home.ask(Command::AnswerInvitation {
        user: user(4),
        accept: true,
    })
    .unwrap();
    assert_eq!(home.credited.len(), 3, "everybody else was gone");
}

#[test]
fn a_declined_hand_goes_down_and_accepting_one_that_is_down_is_refused() {
    let mut home = Home::opened(Limits::default());
    home.raise(2).unwrap();
    home.ask(Command::AnswerHand {
        by: user(1),
        user: user(2),
        accept: false,
    })
    .unwrap();
    assert_eq!(
        home.changes().last(),
        Some(&Change::HandDown(user(2), HandDown::Declined))
    );
    let accept = Command::AnswerHand {
        by: user(1),
        user: user(2),
        accept: true,
    };
    assert_eq!(home.ask(accept), Err(Refusal::HandNotUp));
}

#[test]
fn who_may_raise_a_hand_is_a_setting() {
    let mut home = Home::opened(Limits::default());
    let set = |hand_raising| Command::Amend {
        by: user(1),
        patch: Patch {
            hand_raising: Some(hand_raising),
            ..Patch::default()
        },
    };
    home.ask(set(HandRaising::Off)).unwrap();
    assert_eq!(home.raise(2), Err(Refusal::HandsOff));
    home.ask(set(HandRaising::Followed)).unwrap();
    assert_eq!(home.raise(2), Err(Refusal::HandsFollowedOnly));
    assert!(
        home.ask(Command::RaiseHand {
            user: user(2),
            followed: true
        })
        .is_ok()
    );
}

#[test]
fn a_hand_from_the_stage_is_refused() {
    let mut home = Home::opened(Limits::default());
    assert_eq!(home.raise(1), Err(Refusal::AlreadyOnStage));
}

#[test]
fn only_moderators_moderate() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    let (by, user) = (user(2), user(3));
    for command in [
        Command::AnswerHand {
            by,
            user,
            accept: true,
        },
        Command::InviteToStage { by, user },
        Command::CancelInvitation { by, user },
        Command::Mute { by, user },
        Command::MoveBack { by, user },
        Command::MakeModerator { by, user },
        Command::Remove {
            by,
            user,
            request: None,
        },
        Command::Ban { by, user },
        Command::Amend {
            by,
            patch: Patch::default(),
        },
        Command::End { by: Some(by) },
    ] {
        assert_eq!(
            home.ask(command.clone()),
            Err(Refusal::ModeratorsOnly),
            "{command:?}"
        );
    }
}

#[test]
fn the_longest_standing_speaker_inherits_and_the_present_go_first() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    home.stage(3);
    home.ask(Command::Away {
        user: user(2),
        away: true,
    })
    .unwrap();
    home.ask(gone(1, 1)).unwrap();
    assert_eq!(home.scene().moderators().collect::<Vec<_>>(), [user(3)]);
    home.ask(Command::MoveBack {
        by: user(3),
        user: user(3),
    })
    .unwrap();
    assert_eq!(home.scene().moderators().collect::<Vec<_>>(), [user(2)]);
}

#[test]
fn an_empty_stage_ends_the_room_after_its_time_and_not_if_somebody_came() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    home.ask(gone(1, 1)).unwrap();
    assert_eq!(Room::timers(&home.state), []);
    home.ask(gone(2, 1)).unwrap();
    let timers = Room::timers(&home.state);
    assert_eq!(timers.len(), 1);
    assert_eq!(timers[0].due, home.now + Limits::default().empty_stage);
    home.ask(Room::on_timer(&timers[0].name).unwrap()).unwrap();
    assert!(!home.scene().ended, "not yet due is not obsolete");
    home.now = timers[0].due;
    home.ask(Command::EndEmpty).unwrap();
    assert!(home.scene().ended);
    assert!(!Room::pinned(&home.state));
}

#[test]
fn after_the_end_every_wish_is_refused_and_forwarders_learn_it() {
    let mut home = Home::opened(Limits::default());
    home.ask(Command::End { by: Some(user(1)) }).unwrap();
    assert_eq!(home.raise(2), Err(Refusal::Ended));
    assert_eq!(home.ask(Command::End { by: Some(user(1)) }), Err(Refusal::Ended));
    assert_eq!(
        home.ask(Command::Mute {
            by: user(1),
            user: user(1)
        }),
        Err(Refusal::Ended)
    );
    assert_eq!(home.ask(gone(1, 1)), done());
    let Ok(Reply::View(view)) = home.ask(Command::Register { node: node("b") }) else {
        panic!()
    };
    assert!(view.scene.ended);
    let report = Command::Report {
        node: node("a"),
        audience: 1,
        holders: vec![],
    };
    assert!(matches!(
        home.ask(report),
        Ok(Reply::Reported { known: false, .. })
    ));
}

#[test]
fn removing_takes_everything_and_banning_keeps_out() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    home.raise(3).unwrap();
    home.ask(Command::InviteToStage {
        by: user(1),
        user: user(4),
    })
    .unwrap();
    for who in [2, 3, 4] {
        home.ask(Command::Remove {
            by: user(1),
            user: user(who),
            request: None,
        })
        .unwrap();
        assert!(!home.scene().holds(user(who)));
        assert_eq!(home.changes().last(), Some(&Change::Out(user(who), Out::Removed)));
    }
    assert!(home.raise(2).is_ok(), "who was removed may come back");
    home.ask(Command::Ban {
        by: user(1),
        user: user(2),
    })
    .unwrap();
    assert_eq!(home.raise(2), Err(Refusal::Banned));
    let invite = Command::InviteToStage {
        by: user(1),
        user: user(2),
    };
    let rows = home.rows;
    assert!(home.ask(invite).is_ok(), "nobody learns of the ban");
    assert!(home.scene().invitation(user(2)).is_none());
    let ping = Command::Ping {
        by: user(1),
        user: user(2),
    };
    assert!(home.ask(ping).is_ok());
    assert!(!home.scene().was_pinged(user(2)));
    assert_eq!(home.rows, rows, "and nobody is told anything");
    assert_eq!(
        home.ask(Command::Ban {
            by: user(1),
            user: user(1)
        }),
        Err(Refusal::NotYourself)
    );
}

#[test]
fn what_takes_rights_away_acts_before_the_commit_and_only_if_allowed() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    home.ask(Command::Unmute { user: user(2) }).unwrap();
    let cut = |state: &State, command| Room::urgent(state, &command).map(|urgent| urgent.effects);
    let at = home.state.version();
    let of = |user, cut| {
        Some(vec![Effect::Cut {
            to: To::Everybody,
            at,
            user,
            cut,
        }])
    };
    let (a, b, c) = (user(1), user(2), user(3));
    assert_eq!(
        cut(&home.state, Command::Mute { by: a, user: b }),
        of(b, Cut::Mute)
    );
    assert_eq!(
        cut(&home.state, Command::Mute { by: b, user: b }),
        of(b, Cut::Mute)
    );
    assert_eq!(cut(&home.state, Command::Mute { by: b, user: a }), None);
    assert_eq!(
        cut(&home.state, Command::Mute { by: a, user: a }),
        None,
        "muted already"
    );
    assert_eq!(
        cut(&home.state, Command::MoveBack { by: a, user: b }),
        of(b, Cut::MoveBack)
    );
    assert_eq!(
        cut(
            &home.state,
            Command::Remove {
                by: a,
                user: c,
                request: None
            }
        ),
        of(c, Cut::Out(Out::Removed))
    );
    assert_eq!(cut(&home.state, Command::Ban { by: b, user: c }), None);
    assert_eq!(cut(&home.state, Command::Unmute { user: a }), None);
}

#[test]
fn a_room_that_was_never_opened_is_not_found() {
    let mut home = Home::new();
    assert_eq!(home.raise(1), Err(Refusal::NotFound));
    assert_eq!(home.ask(Command::Tick), Err(Refusal::NotFound));
    assert_eq!(home.ask(Command::EndEmpty), Err(Refusal::NotFound));
}

#[test]
fn a_repeated_removal_leaves_who_came_back_alone() {
    let mut home = Home::opened(Limits::default());
    let remove = |n| Command::Remove {
        by: user(1),
        user: user(2),
        request: Some(mitalk_cluster::RequestId([n; 16])),
    };
    home.ask(remove(1)).unwrap();
    home.raise(2).unwrap();
    let rows = home.rows;
    assert!(Room::urgent(&home.state, &remove(1)).is_none());
    home.ask(remove(1)).unwrap();
    assert_eq!(home.scene().hand(user(2)), Some(1), "they came back");
    assert_eq!(home.rows, rows, "not recorded twice");
    assert!(
        Room::urgent(&home.state, &remove(2)).is_some(),
        "another wish of the moderator"
    );
    home.ask(remove(2)).unwrap();
    assert_eq!(home.scene().hand(user(2)), None);
}
