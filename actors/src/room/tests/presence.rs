//! Forwarders, take-overs, and what is told.

use super::home::{Home, gone, node, user};
use crate::room::*;
use mitalk_cluster::{Target, Timestamp};

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
        let holders = vec![(user(1), 1)];
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
        let holders = vec![(user(1), 1)];
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

#[test]
fn a_view_tells_who_was_removed() {
    let mut home = Home::opened(Limits::default());
    let before = home.state.version();
    let (by, user) = (user(1), user(5));
    let request = None;
    home.ask(Command::Remove { by, user, request }).unwrap();
    let removed = home.state.view().unwrap().passing.removed;
    assert!(
        matches!(removed[..], [(who, at)] if who == user && at > before),
        "a forwarder that missed the change must put them out"
    );
}

#[test]
fn the_row_of_a_room_goes_out_before_the_event_that_it_was_started() {
    let mut home = Home::new();
    home.open(1, Limits::default()).unwrap();
    let place = |found: fn(&Target) -> bool| home.targets.iter().position(found).unwrap();
    let row = place(|target| matches!(target, Target::Table(_)));
    assert!(row < place(|target| matches!(target, Target::Topic(_))));
}

#[test]
fn a_microphone_is_no_news_for_the_hallway() {
    let mut home = Home::opened(Limits::default());
    let (rows, user) = (home.rows, user(1));
    for _ in 0..3 {
        home.ask(Command::Unmute { user }).unwrap();
        home.ask(Command::Mute { by: user, user }).unwrap();
    }
    assert_eq!(home.rows, rows);
}

#[test]
fn who_is_back_keeps_their_place_whatever_is_told_late_of_the_session_before() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    let report = |on: &str, session| Command::Report {
        node: node(on),
        audience: 0,
        holders: vec![(user(2), session)],
    };
    let on_stage = |home: &Home| home.scene().seat(user(2)).is_some();
    home.ask(report("a", 7)).unwrap();
    home.ask(gone(2, 6)).unwrap();
    assert!(on_stage(&home), "session 7 is newer");
    home.ask(Command::Register { node: node("b") }).unwrap();
    home.ask(report("b", 1)).unwrap();
    home.ask(gone(2, 7)).unwrap();
    assert!(on_stage(&home), "they are on another node since");
    home.ask(report("a", 8)).unwrap();
    home.ask(gone(2, 9)).unwrap();
    assert!(!on_stage(&home), "came and went between two reports");
}

#[test]
fn a_node_that_starts_again_counts_its_sessions_anew() {
    let mut home = Home::opened(Limits::default());
    home.stage(2);
    let holders = vec![(user(2), 900)];
    let (node, audience) = (node("a"), 0);
    let report = Command::Report {
        node: node.clone(),
        audience,
        holders,
    };
    home.ask(report).unwrap();
    home.ask(Command::Register { node }).unwrap();
    home.ask(gone(2, 3)).unwrap();
    assert!(home.scene().seat(user(2)).is_none());
}
