//! What holds after any commands by anybody, in any order, with take-overs in between.

use super::tests::home::{Home, node, user};
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// People in the tests: few, so that they meet.
const PEOPLE: u128 = 8;

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Ask(Box<Command>),
    TakeOver,
    /// Time goes on, in milliseconds.
    Wait(u64),
}

fn person() -> impl Strategy<Value = UserId> {
    (1..=PEOPLE).prop_map(user)
}

fn wish() -> impl Strategy<Value = Command> {
    let two = || (person(), person());
    prop_oneof![
        8 => (person(), any::<bool>()).prop_map(|(user, followed)| Command::RaiseHand { user, followed }),
        2 => person().prop_map(|user| Command::LowerHand { user }),
        5 => (two(), any::<bool>()).prop_map(|((by, user), accept)| Command::AnswerHand { by, user, accept }),
        5 => two().prop_map(|(by, user)| Command::InviteToStage { by, user }),
        1 => two().prop_map(|(by, user)| Command::CancelInvitation { by, user }),
        8 => (person(), any::<bool>())
            .prop_map(|(user, accept)| Command::AnswerInvitation { user, accept }),
        2 => two().prop_map(|(by, user)| Command::Mute { by, user }),
        2 => person().prop_map(|user| Command::Unmute { user }),
        2 => two().prop_map(|(by, user)| Command::MoveBack { by, user }),
        2 => two().prop_map(|(by, user)| Command::MakeModerator { by, user }),
        1 => (two(), any::<u8>()).prop_map(|((by, user), n)| Command::Remove { by, user, request: Some(mitalk_cluster::RequestId([n; 16])) }),
        1 => two().prop_map(|(by, user)| Command::Ban { by, user }),
        1 => two().prop_map(|(by, user)| Command::Ping { by, user }),
        1 => (person(), 0..3_u32).prop_map(|(by, old)| Command::RenewLink { by, old }),
        2 => (person(), 0..4_u64).prop_map(|(user, session)| Command::Leave { user, presence: Presence { node: node("a"), session } }),
        2 => (person(), any::<bool>()).prop_map(|(user, away)| Command::Away { user, away }),
        1 => (person(), 0..3_u8).prop_map(|(by, kind)| Command::Amend { by, patch: patch(kind) }),
    ]
}

fn patch(kind: u8) -> Patch {
    let hand_raising = [HandRaising::Everyone, HandRaising::Followed, HandRaising::Off][usize::from(kind)];
    Patch {
        hand_raising: Some(hand_raising),
        ..Patch::default()
    }
}

fn machinery() -> impl Strategy<Value = Command> {
    let some_node = || (0..2_u8).prop_map(|n| node(if n == 0 { "a" } else { "b" }));
    let holders = prop::collection::vec((person(), 0..4_u64), 0..4);
    prop_oneof![
        some_node().prop_map(|node| Command::Register { node }),
        (some_node(), 0..9_u32, holders).prop_map(|(node, audience, holders)| Command::Report {
            node,
            audience,
            holders
        }),
        some_node().prop_map(|node| Command::Part { node }),
        Just(Command::Tick),
        Just(Command::EndEmpty),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => wish().prop_map(|command| Step::Ask(Box::new(command))),
        5 => machinery().prop_map(|command| Step::Ask(Box::new(command))),
        1 => Just(Step::TakeOver),
        2 => (0..70_000_u64).prop_map(Step::Wait),
    ]
}

fn small() -> Limits {
    Limits {
        stage: 3,
        hands: 3,
        invitations: 2,
        bans: 2,
        pings: 2,
        ..Limits::default()
    }
}

/// Runs a history and checks after each step.
fn run(steps: Vec<Step>, mut check: impl FnMut(&Scene, &Command, &Result<Reply, Refusal>, &Home)) {
    let mut home = Home::opened(small());
    for step in steps {
        match step {
            Step::Ask(command) => {
                let command = *command;
                let before = home.scene().clone();
                let reply = home.ask(command.clone());
                check(&before, &command, &reply, &home);
            }
            Step::TakeOver => home.take_over(),
            Step::Wait(ms) => home.now = home.now + std::time::Duration::from_millis(ms),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn nobody_has_two_roles_and_somebody_always_moderates(steps in prop::collection::vec(step(), 1..80)) {
        run(steps, |_, command, _, home| {
            let scene = home.scene();
            let mut seen = BTreeSet::new();
            for holder in scene.holders() {
                assert!(seen.insert(holder), "{holder} holds two things after {command:?}");
                assert!(!scene.banned.contains(&holder), "{holder} is banned and holds something");
            }
            assert!(
                scene.stage.is_empty() || scene.moderators().next().is_some(),
                "nobody moderates after {command:?}"
            );
            let emptiness_runs = home.state.empty_stage_due().is_some();
            assert_eq!(emptiness_runs, scene.stage.is_empty() && !scene.ended);
        });
    }

    #[test]
    fn limits_hold_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        run(steps, |before, command, _, home| {
            let (scene, limits) = (home.scene(), small());
            let asked_in = before.pinged.iter().map(|ping| ping.user);
            for asked in asked_in.filter(|asked| !scene.ended && !scene.banned.contains(asked)) {
                assert!(scene.was_pinged(asked), "{command:?} takes back that {asked} was asked in");
            }
            assert!(scene.stage.len() <= limits.stage);
            assert!(scene.hands.len() <= limits.hands);
            assert!(scene.invitations.len() <= limits.invitations);
            assert!(scene.banned.len() <= limits.bans);
            for person in 1..=PEOPLE {
                let asked = scene.pinged.iter().filter(|ping| ping.by == user(person)).count();
                assert!(asked <= limits.pings);
            }
        });
    }

    #[test]
    fn no_hand_is_lost_or_doubled(steps in prop::collection::vec(step(), 1..80)) {
        let mut unseen = Unseen::default();
        run(steps, |before, command, reply, home| {
            let after = home.scene();
            unseen.count(before, command, reply, home);
            if let (Command::RaiseHand { user, .. }, Ok(Reply::Done { hand })) = (command, reply) {
                assert_eq!(after.hand(*user), *hand);
                assert!(hand.is_some() || after.invitation(*user).is_some());
            }
            // The order of those who stay never changes, and whoever is gone was let go by this very command.
            let stayed = |hand: &&RaisedHand| after.hand(hand.user).is_some();
            let kept: Vec<_> = before.hands.iter().filter(stayed).collect();
            assert!(after.hands.iter().zip(&kept).all(|(a, b)| a == *b));
            for gone in before.hands.iter().filter(|hand| !stayed(hand)) {
                let let_go = lets_go(command, gone.user) || after.ended || unseen.is_lost(command, gone.user);
                assert!(let_go, "{command:?} lost the hand of {}", gone.user);
            }
        });
    }

    #[test]
    fn stage_numbers_are_never_used_twice(steps in prop::collection::vec(step(), 1..120)) {
        let mut owners: BTreeMap<u32, UserId> = BTreeMap::new();
        let mut left: BTreeSet<u32> = BTreeSet::new();
        run(steps, |before, _, _, home| {
            let now: BTreeSet<u32> = home.scene().stage.iter().map(|seat| seat.number).collect();
            left.extend(before.stage.iter().map(|seat| seat.number).filter(|number| !now.contains(number)));
            for seat in &home.scene().stage {
                assert_eq!(*owners.entry(seat.number).or_insert(seat.user), seat.user);
                assert!(!left.contains(&seat.number), "number {} came back", seat.number);
            }
        });
    }

    #[test]
    fn a_repeat_changes_nothing(steps in prop::collection::vec(step(), 1..60), again in wish()) {
        let mut home = Home::opened(small());
        for step in steps {
            match step {
                Step::Ask(command) => drop(home.ask(*command)),
                Step::TakeOver => home.take_over(),
                Step::Wait(ms) => home.now = home.now + std::time::Duration::from_millis(ms),
            }
        }
        let first = home.ask(again.clone());
        let (scene, rows) = (home.scene().clone(), home.rows);
        let second = home.ask(again.clone());
        prop_assert_eq!(home.scene(), &scene, "{:?} twice", again);
        if first.is_ok() {
            prop_assert_eq!(home.rows, rows, "{:?} tells twice", again);
        }
        // A second answer may differ only where the first one made the asker or the asked somebody else.
        if first.is_ok() && second.is_err() {
            prop_assert!(matches!(
                second,
                Err(Refusal::ModeratorsOnly | Refusal::NotOnStage | Refusal::AlreadyOnStage)
            ), "{:?}: {:?} then {:?}", again, first, second);
        }
    }

    #[test]
    fn a_replica_never_differs_from_the_home(steps in prop::collection::vec(step(), 1..80)) {
        run(steps, |_, _, _, home| {
            if let Some(replica) = &home.replica
                && replica.version == home.state.version()
            {
                assert_eq!(Some(replica), home.state.view().as_ref());
            }
        });
    }

    #[test]
    fn what_is_cut_at_once_is_what_the_decision_takes(
        steps in prop::collection::vec(step(), 1..60),
        command in wish(),
    ) {
        let mut home = Home::opened(small());
        for step in steps {
            if let Step::Ask(command) = step {
                drop(home.ask(*command));
            }
        }
        let urgent = Room::urgent(&home.state, &command);
        let reply = home.ask(command.clone());
        if let Some(urgent) = urgent {
            prop_assert!(reply.is_ok(), "{:?} acts at once and is refused: {:?}", command, reply);
            for effect in urgent.effects {
                let Effect::Cut { user, cut, .. } = effect else { panic!("only rights are cut") };
                let seat = home.scene().seat(user);
                let taken = match cut {
                    Cut::Mute => seat.is_none_or(|seat| seat.muted),
                    Cut::MoveBack | Cut::Out(_) => seat.is_none(),
                };
                prop_assert!(taken);
            }
        }
    }
}

/// Whether this command may take the hand of `user` down.
fn lets_go(command: &Command, user: UserId) -> bool {
    match *command {
        Command::LowerHand { user: of } | Command::Leave { user: of, .. } => of == user,
        Command::AnswerHand { user: of, .. } | Command::InviteToStage { user: of, .. } => of == user,
        Command::Remove { user: of, .. } | Command::Ban { user: of, .. } => of == user,
        _ => false,
    }
}

/// Ticks since somebody who holds something was heard of, counted beside the room.
#[derive(Default)]
struct Unseen {
    activation: u32,
    ticks: BTreeMap<UserId, u32>,
}

impl Unseen {
    fn count(&mut self, before: &Scene, command: &Command, reply: &Result<Reply, Refusal>, home: &Home) {
        let activation = home.state.version().activation;
        if activation != self.activation {
            self.activation = activation;
            self.ticks.clear();
        }
        match (command, reply) {
            (Command::Report { holders, .. }, Ok(Reply::Reported { known: true, .. })) => {
                self.ticks
                    .retain(|user, _| !holders.iter().any(|(holder, _)| holder == user));
            }
            (Command::Away { user, .. }, Ok(_)) => self.ticks.retain(|other, _| other != user),
            (Command::Tick, Ok(_)) => {
                let ticks = std::mem::take(&mut self.ticks);
                let counted = |user| (user, ticks.get(&user).map_or(1, |ticks| ticks + 1));
                self.ticks = before.holders().map(counted).collect();
            }
            _ => {}
        }
    }

    /// Whether a tick may let go of them.
    fn is_lost(&self, command: &Command, user: UserId) -> bool {
        matches!(command, Command::Tick) && self.ticks.get(&user).is_some_and(|ticks| *ticks >= UNSEEN_TICKS)
    }
}
