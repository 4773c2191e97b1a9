//! The rules, one by one. The harness runs decisions as the cluster's shell does, and keeps a forwarder's replica beside
//! the home, which must never differ from it.

use super::*;
use crate::id::{Home as LogicalHome, RoomId};
use mitalk_cluster::{BootInstant, EntityId, STATE_BYTES, Timestamp, Trace};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(super) fn user(n: u128) -> UserId {
    UserId::new(LogicalHome::default(), n)
}

pub(super) fn room() -> RoomId {
    RoomId::new(LogicalHome::default(), 7)
}

pub(super) fn node(name: &str) -> NodeId {
    NodeId::new(name)
}

/// A home without cluster or store.
pub(super) struct Home {
    pub(super) state: State,
    pub(super) now: Timestamp,
    pub(super) effects: Vec<Effect>,
    pub(super) rows: usize,
    pub(super) commits: usize,
    /// What a forwarder that missed nothing has.
    pub(super) replica: Option<View>,
}

impl Home {
    pub(super) fn new() -> Self {
        Self {
            state: State::default(),
            now: Timestamp(1_000_000),
            effects: vec![],
            rows: 0,
            commits: 0,
            replica: None,
        }
    }

    /// A room opened by person 1, with the given limits, and a forwarder on node `a`.
    pub(super) fn opened(limits: Limits) -> Self {
        let mut home = Self::new();
        home.open(1, limits).unwrap();
        home.ask(Command::Register { node: node("a") }).unwrap();
        home
    }

    pub(super) fn open(&mut self, by: u128, limits: Limits) -> Result<Reply, Refusal> {
        let settings = Settings {
            title: "Rust at work".into(),
            ..Settings::default()
        };
        self.ask(Command::Open {
            room: room(),
            by: user(by),
            settings,
            limits,
        })
    }

    pub(super) fn ask(&mut self, command: Command) -> Result<Reply, Refusal> {
        let mut cx = Context {
            id: EntityId::of::<Room>(&room().to_string()),
            now: self.now,
            rng: StdRng::seed_from_u64(1),
            request: None,
            source: None,
            deadline: BootInstant::default(),
            trace: Trace::default(),
            next_sequence: 1,
        };
        let decision = Room::decide(&self.state, command, &mut cx)?;
        for event in &decision.events {
            Room::fold(&mut self.state, event);
        }
        self.commits += usize::from(decision.events.iter().any(Room::durable) || !decision.outbox.is_empty());
        self.rows += decision.outbox.len();
        for effect in &decision.effects {
            self.replicate(effect);
        }
        self.effects.extend(decision.effects);
        Ok(decision.reply)
    }

    fn replicate(&mut self, effect: &Effect) {
        let Effect::Tell { changes, .. } = effect else {
            return;
        };
        let Some(replica) = &mut self.replica else {
            self.replica = self.state.view();
            return;
        };
        for (version, change) in changes {
            if version.activation != replica.version.activation {
                *replica = self.state.view().expect("a room that tells changes was opened");
                return;
            }
            assert_eq!(*version, replica.version.next(), "changes are told without a gap");
            apply(&mut replica.scene, &mut replica.passing, change);
            replica.version = *version;
        }
    }

    /// As a node that takes the room over finds it: the committed part only.
    pub(super) fn take_over(&mut self) {
        let stored = mitalk_cluster::wire::encode(&self.state);
        self.state = Room::upgrade(Room::VERSION, &stored).expect("what was encoded can be decoded");
    }

    pub(super) fn scene(&self) -> &Scene {
        self.state.scene().expect("the room was opened")
    }

    fn changes(&mut self) -> Vec<Change> {
        let told = std::mem::take(&mut self.effects)
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Tell { changes, .. } => Some(changes),
                _ => None,
            });
        told.flatten().map(|(_, change)| change).collect()
    }

    /// Brings somebody on stage by the ordinary way.
    fn stage(&mut self, who: u128) {
        self.ask(Command::InviteToStage {
            by: user(1),
            user: user(who),
        })
        .unwrap();
        self.ask(Command::AnswerInvitation {
            user: user(who),
            accept: true,
        })
        .unwrap();
    }

    fn raise(&mut self, who: u128) -> Result<Reply, Refusal> {
        self.ask(Command::RaiseHand {
            user: user(who),
            followed: false,
        })
    }
}

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
        Command::Remove { by, user },
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
    home.ask(Command::Leave { user: user(1) }).unwrap();
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
    home.ask(Command::Leave { user: user(1) }).unwrap();
    assert_eq!(Room::timers(&home.state), []);
    home.ask(Command::Leave { user: user(2) }).unwrap();
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
    assert_eq!(home.ask(Command::Leave { user: user(1) }), done());
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
fn limits_hold() {
    let limits = Limits {
        stage: 2,
        hands: 1,
        invitations: 1,
        bans: 1,
        pings: 1,
        ..Limits::default()
    };
    let mut home = Home::opened(limits);
    home.raise(2).unwrap();
    assert_eq!(home.raise(3), Err(Refusal::HandsFull));
    home.ask(Command::InviteToStage {
        by: user(1),
        user: user(4),
    })
    .unwrap();
    let another = Command::InviteToStage {
        by: user(1),
        user: user(5),
    };
    assert_eq!(home.ask(another.clone()), Err(Refusal::InvitationsFull));
    home.ask(Command::AnswerInvitation {
        user: user(4),
        accept: true,
    })
    .unwrap();
    home.ask(another).unwrap();
    assert_eq!(
        home.ask(Command::AnswerInvitation {
            user: user(5),
            accept: true
        }),
        Err(Refusal::StageFull)
    );
    assert!(
        home.scene().invitation(user(5)).is_some(),
        "the invitation waits for a free place"
    );
    home.ask(Command::Ban {
        by: user(1),
        user: user(6),
    })
    .unwrap();
    assert_eq!(
        home.ask(Command::Ban {
            by: user(1),
            user: user(7)
        }),
        Err(Refusal::BansFull)
    );
    home.ask(Command::Ping {
        by: user(2),
        user: user(8),
    })
    .unwrap();
    assert_eq!(
        home.ask(Command::Ping {
            by: user(2),
            user: user(9)
        }),
        Err(Refusal::PingsFull)
    );
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
    assert_eq!(home.ask(invite), Err(Refusal::Banned));
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
        cut(&home.state, Command::Remove { by: a, user: c }),
        of(c, Cut::Out(Out::Removed))
    );
    assert_eq!(cut(&home.state, Command::Ban { by: b, user: c }), None);
    assert_eq!(cut(&home.state, Command::Unmute { user: a }), None);
}

#[test]
fn a_take_over_keeps_what_is_committed_and_drops_whom_nobody_reports() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    home.raise(3).unwrap();
    let before = (home.scene().clone(), home.state.version());
    home.take_over();
    home.ask(Command::Tick).unwrap();
    assert_eq!(*home.scene(), before.0);
    assert!(
        home.state.version() > before.1,
        "a former home's changes are older"
    );
    home.ask(Command::Register { node: node("a") }).unwrap();
    for _ in 0..UNSEEN_TICKS {
        let holders = vec![user(1)];
        home.ask(Command::Report {
            node: node("a"),
            audience: 1,
            holders,
        })
        .unwrap();
        home.ask(Command::Tick).unwrap();
    }
    assert_eq!(
        home.scene()
            .stage
            .iter()
            .map(|seat| seat.user)
            .collect::<Vec<_>>(),
        [user(1)]
    );
    assert!(home.scene().hands.is_empty());
}

#[test]
fn every_node_is_told_until_forwarders_had_time_to_register() {
    let mut home = Home::opened(Limits::default());
    assert_eq!(home.state.told(), To::Everybody);
    home.ask(Command::Tick).unwrap();
    home.ask(Command::Tick).unwrap();
    assert_eq!(home.state.told(), To::Nodes(vec![node("a")]));
}

#[test]
fn heartbeats_cost_no_commit_and_the_audience_is_told_once_a_second() {
    let mut home = Home::opened(Limits::default());
    home.ask(Command::Register { node: node("b") }).unwrap();
    home.changes();
    let commits = home.commits;
    for (n, ms) in [(1, 0), (2, 300), (3, 600), (4, 1_000)] {
        home.now = Timestamp(2_000_000 + ms);
        let holders = vec![user(1)];
        home.ask(Command::Report {
            node: node("a"),
            audience: n,
            holders,
        })
        .unwrap();
    }
    home.now = Timestamp(2_001_500);
    home.ask(Command::Report {
        node: node("b"),
        audience: 10,
        holders: vec![],
    })
    .unwrap();
    home.now = Timestamp(2_002_000);
    home.ask(Command::Part { node: node("b") }).unwrap();
    let told = home.changes();
    assert_eq!(told, [Change::Audience(1), Change::Audience(4)]);
    assert_eq!(home.commits, commits);
}

#[test]
fn a_silent_forwarder_is_forgotten() {
    let mut home = Home::opened(Limits::default());
    home.ask(Command::Report {
        node: node("a"),
        audience: 9,
        holders: vec![],
    })
    .unwrap();
    for _ in 0..UNSEEN_TICKS {
        home.now = home.now + std::time::Duration::from_secs(5);
        home.ask(Command::Tick).unwrap();
    }
    let report = Command::Report {
        node: node("a"),
        audience: 9,
        holders: vec![],
    };
    assert!(matches!(
        home.ask(report),
        Ok(Reply::Reported { known: false, .. })
    ));
    assert_eq!(home.state.view().unwrap().passing.audience, 0);
}

#[test]
fn a_ping_is_told_once() {
    let mut home = Home::opened(Limits::default());
    let rows = home.rows;
    home.ask(Command::Ping {
        by: user(1),
        user: user(9),
    })
    .unwrap();
    let after_one = home.rows;
    home.ask(Command::Ping {
        by: user(1),
        user: user(9),
    })
    .unwrap();
    assert!(after_one > rows);
    assert_eq!(home.rows, after_one);
}

#[test]
fn a_room_that_was_never_opened_is_not_found() {
    let mut home = Home::new();
    assert_eq!(home.raise(1), Err(Refusal::NotFound));
    assert_eq!(home.ask(Command::Tick), Err(Refusal::NotFound));
    assert_eq!(home.ask(Command::EndEmpty), Err(Refusal::NotFound));
}

#[test]
fn the_fullest_room_fits_its_row() {
    let limits = Limits {
        title: limits::MAX_CHARACTERS,
        topics: limits::MAX_TOPICS,
        topic: limits::MAX_CHARACTERS,
        stage: limits::MAX_STAGE,
        hands: limits::MAX_HANDS,
        invitations: limits::MAX_INVITATIONS,
        bans: limits::MAX_BANS,
        pings: limits::PINGS_REMEMBERED,
        ..Limits::default()
    };
    assert_eq!(limits.validate(), Ok(()));
    let mut home = Home::opened(limits.clone());
    let wide = "中".repeat(limits::MAX_CHARACTERS);
    let patch = Patch {
        title: Some(wide.clone()),
        topics: Some(vec![wide; limits.topics]),
        ..Patch::default()
    };
    home.ask(Command::Amend { by: user(1), patch }).unwrap();
    let huge = |n: usize| u128::MAX - n as u128;
    for n in 0..limits.stage - 1 {
        home.stage(huge(n));
    }
    for n in 0..limits.invitations {
        home.ask(Command::InviteToStage {
            by: user(1),
            user: user(huge(1_000 + n)),
        })
        .unwrap();
    }
    for n in 0..limits.hands {
        home.raise(huge(2_000 + n)).unwrap();
    }
    for n in 0..limits.bans {
        home.ask(Command::Ban {
            by: user(1),
            user: user(huge(3_000 + n)),
        })
        .unwrap();
    }
    for n in 0..limits.pings {
        home.ask(Command::Ping {
            by: user(1),
            user: user(huge(4_000 + n)),
        })
        .unwrap();
    }
    let bytes = mitalk_cluster::wire::encode(&home.state).len();
    println!("the fullest room has {bytes} of {STATE_BYTES} bytes");
    assert!(bytes < STATE_BYTES);
}

#[test]
fn a_limit_that_cannot_be_kept_is_named() {
    let wrong = Limits {
        hands: limits::MAX_HANDS + 1,
        ..Limits::default()
    };
    assert_eq!(wrong.validate().unwrap_err().field, "hands");
    let text = Limits {
        bans: 0,
        ..Limits::default()
    }
    .validate()
    .unwrap_err()
    .to_string();
    assert!(text.contains("limits.rooms.bans is 0"), "{text}");
}

#[test]
fn versions_cross_as_one_number() {
    let version = Version {
        activation: 3,
        sequence: 9,
    };
    assert_eq!(Version::from_u64(version.as_u64()), version);
    let greatest = Version {
        activation: 1 << 20,
        sequence: u32::MAX,
    };
    assert!(greatest.as_u64() < 1 << 53, "a JavaScript number holds it");
}
