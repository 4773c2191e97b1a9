//! Rules 10 and 11, row by row.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::call::Trace;
use crate::entity::Target;
use crate::id::EntityId;
use crate::time::Timestamp;

fn at(ms: u64) -> BootInstant {
    BootInstant::default() + Duration::from_millis(ms)
}

fn rows(sequences: impl IntoIterator<Item = u64>) -> Vec<OutboxRow> {
    let row = |sequence| OutboxRow {
        sequence,
        target: Target::Topic("t".to_owned()),
        payload: vec![],
        at: Timestamp::default(),
        trace: Trace::default(),
    };
    sequences.into_iter().map(row).collect()
}

fn read(after: u64) -> Step {
    Step::Read { after, limit: WINDOW }
}

fn next(relay: &mut Relay) -> u64 {
    match relay.next() {
        Some(Step::Send(row)) => row.sequence,
        other => panic!("no row: {other:?}"),
    }
}

/// Rule 10: in order, one at a time; what is unknown is repeated before the next.
#[test]
fn rows_go_one_after_the_other() {
    let mut relay = Relay::new(0, 0);
    relay.push(&rows(1..=2));
    assert_eq!(next(&mut relay), 1);
    assert_eq!(relay.next(), None);
    relay.sent(at(0), 1, false);
    assert_eq!(relay.next(), None, "after a while");
    relay.tick(relay.wake().unwrap());
    assert_eq!(next(&mut relay), 1);
    relay.sent(at(100), 1, true);
    assert_eq!(next(&mut relay), 2);
    relay.sent(at(100), 2, true);
    assert!(relay.is_empty() && relay.next().is_none());
    assert_eq!(relay.delivered(), 2);
}

/// The outcome of a row that is not on the wire says nothing.
#[test]
fn a_late_outcome_is_ignored() {
    let mut relay = Relay::new(0, 0);
    relay.push(&rows(1..=2));
    relay.sent(at(0), 1, true);
    assert_eq!(relay.delivered(), 0);
    next(&mut relay);
    relay.sent(at(0), 2, true);
    assert_eq!((relay.delivered(), relay.next()), (0, None));
}

/// A target that is away is asked ever more seldom, every 15 s at last.
#[test]
fn a_target_that_is_away_is_asked_seldom() {
    let mut relay = Relay::new(0, 0);
    relay.push(&rows([1]));
    let (mut now, mut tries) = (at(0), 0);
    while now < at(600_000) {
        next(&mut relay);
        relay.sent(now, 1, false);
        now = relay.wake().unwrap();
        relay.tick(now);
        tries += 1;
    }
    assert!((40..60).contains(&tries), "{tries} in ten minutes");
}

/// What does not fit into memory is read from the store when its turn comes.
#[test]
fn what_is_beyond_the_window_is_read() {
    let all = WINDOW as u64 + 10;
    let mut relay = Relay::new(0, 0);
    relay.push(&rows(1..=all));
    for sequence in 1..=WINDOW as u64 {
        assert_eq!(next(&mut relay), sequence);
        relay.sent(at(0), sequence, true);
    }
    let after = WINDOW as u64;
    assert_eq!(relay.next(), Some(read(after)));
    // A commit meanwhile.
    relay.push(&rows([all + 1]));
    relay.read(at(0), Some(rows(after + 1..=all + 1)));
    for sequence in after + 1..=all + 1 {
        assert_eq!(next(&mut relay), sequence);
        relay.sent(at(0), sequence, true);
    }
    assert!(relay.is_empty());
}

/// A gap is never skipped: consumers would drop what comes later.
#[test]
fn a_gap_is_waited_for() {
    let mut relay = Relay::new(4, 7);
    for answer in [None, Some(vec![]), Some(rows([6, 7]))] {
        assert_eq!(relay.next(), Some(read(4)));
        relay.read(at(0), answer);
        assert_eq!(relay.next(), None);
        relay.tick(relay.wake().unwrap());
    }
    relay.next();
    relay.read(at(0), Some(rows([5, 7])));
    assert_eq!(next(&mut relay), 5);
    relay.sent(at(0), 5, true);
    assert_eq!(relay.next(), Some(read(5)), "the rest again");
}

/// Rows from 1 on, `t` for a topic, `e` for an entity, `r` for a read table.
fn mixed(targets: &str) -> Vec<OutboxRow> {
    let mut all = rows(1..=targets.len() as u64);
    for (row, letter) in all.iter_mut().zip(targets.chars()) {
        row.target = match letter {
            't' => Target::Topic("t".to_owned()),
            'e' => Target::Entity(EntityId::new("toy", "e")),
            'a'..='d' => Target::Entity(EntityId::new("ticket", &letter.to_string())),
            _ => Target::Table("r".to_owned()),
        };
    }
    all
}

/// Rule 10 for each lane: the broker is away, and what is meant for entities and tables goes on.
#[test]
fn a_lane_that_waits_holds_only_itself() {
    let mut relay = Relay::new(0, 0);
    relay.push(&mixed("tetr"));
    assert_eq!((next(&mut relay), next(&mut relay)), (1, 2));
    assert_eq!(relay.next(), None, "one of each lane is on the wire");
    relay.sent(at(0), 1, false);
    relay.sent(at(0), 2, true);
    assert_eq!(next(&mut relay), 4);
    relay.sent(at(0), 4, true);
    assert_eq!(relay.next(), None);
    assert_eq!((relay.delivered(), relay.delivered_in(Lane::Inside)), (0, 4));

    relay.tick(relay.wake().unwrap());
    assert_eq!(next(&mut relay), 1);
    relay.sent(at(100), 1, true);
    assert_eq!(
        relay.delivered(),
        2,
        "rule 11: a row of the other lane is between"
    );
    assert_eq!(next(&mut relay), 3);
    relay.sent(at(100), 3, true);
    assert!(relay.is_empty() && relay.next().is_none());
}

/// A new activation repeats what `published` does not say, in order, unless the last commit knew better.
#[test]
fn a_lane_begins_where_it_is_known_to_be() {
    let all = mixed("teee");
    let mut relay = Relay::new(0, 4);
    assert_eq!(relay.next(), Some(read(0)));
    relay.read(at(0), Some(all.clone()));
    assert_eq!((next(&mut relay), next(&mut relay)), (1, 2));

    let mut relay = Relay::new(0, 4).ahead(Lane::Inside, 3);
    assert_eq!(relay.next(), Some(read(0)), "who is behind reads");
    relay.read(at(0), Some(all));
    assert_eq!((next(&mut relay), next(&mut relay)), (1, 4), "both take from it");
    assert_eq!((relay.delivered(), relay.delivered_in(Lane::Inside)), (0, 3));
}

/// Drives a relay over stored rows: each step a row is delivered, fails, or the time passes.
struct Road {
    relay: Relay,
    stored: Vec<OutboxRow>,
    wire: Vec<u64>,
    arrived: [Vec<u64>; 2],
    now: BootInstant,
    beside: bool,
}

impl Road {
    fn over(stored: Vec<OutboxRow>) -> Self {
        Self {
            relay: Relay::new(0, 0),
            stored,
            wire: vec![],
            arrived: [vec![], vec![]],
            now: at(0),
            beside: false,
        }
    }

    /// The same where rows for tickets leave side by side.
    fn beside(mut self) -> Self {
        self.relay = self.relay.side_by_side(&["ticket"]);
        self.beside = true;
        self
    }

    fn target(&self, sequence: u64) -> &Target {
        &self.stored[usize::try_from(sequence - 1).unwrap()].target
    }

    fn lane(&self, sequence: u64) -> Lane {
        self.target(sequence).lane()
    }

    /// Executes what the relay wants; reads are answered at once.
    fn go(&mut self) {
        while let Some(step) = self.relay.next() {
            match step {
                Step::Send(row) => self.wire.push(row.sequence),
                Step::Read { after, .. } => {
                    let after = usize::try_from(after).unwrap();
                    let end = usize::try_from(self.relay.owed).unwrap().min(after + WINDOW);
                    let page = self.stored[after..end].to_vec();
                    self.relay.read(self.now, Some(page));
                }
            }
        }
        let held: usize = self.relay.queues.iter().map(|q| q.rows.len()).sum();
        assert!(held <= 2 * WINDOW, "{held} rows in memory");
        let lanes: Vec<_> = self.wire.iter().map(|n| self.lane(*n)).collect();
        let of = |lane| lanes.iter().filter(|l| **l == lane).count();
        assert!(of(Lane::Topics) <= 1, "rule 10");
        assert!(of(Lane::Inside) <= if self.beside { 4 } else { 1 });
        let targets: HashSet<_> = self.wire.iter().map(|n| self.target(*n)).collect();
        assert_eq!(targets.len(), self.wire.len(), "one of a target");
    }

    /// What is on the wire is decided, if its lane works.
    fn decide(&mut self, works: impl Fn(Lane) -> bool) {
        for sequence in std::mem::take(&mut self.wire) {
            let lane = self.lane(sequence);
            // A row of unknown outcome may have arrived.
            self.arrived[lane as usize].push(sequence);
            self.relay.sent(self.now, sequence, works(lane));
        }
        // Rule 11: nothing that is not delivered counts as such.
        let missing = self.stored.iter().find(|row| {
            let in_lane = self.relay.delivered_in(row.target.lane());
            row.sequence > in_lane
        });
        let delivered = self.relay.delivered();
        for (lane, owed) in Lane::ALL.into_iter().zip(self.relay.owed()) {
            let in_lane = self.relay.delivered_in(lane);
            let committed = self.stored.iter().filter(|row| row.sequence <= self.relay.owed);
            let rows = committed.filter(|row| row.target.lane() == lane && row.sequence > in_lane);
            assert_eq!(owed.rows, rows.count() as u64);
        }
        assert!(missing.is_none_or(|row| delivered < row.sequence));
    }

    fn pass(&mut self) {
        if let Some(wake) = self.relay.wake() {
            self.now = wake;
            self.relay.tick(wake);
        }
    }
}

/// However far a lane is behind, the other goes on to the end, with a bounded number of rows in memory.
#[test]
fn a_lane_far_ahead_reads_beyond_the_others_backlog() {
    let count = 8 * WINDOW;
    for pattern in ["te", "ttttttttte", "eeeeeeet"] {
        for slow in Lane::ALL {
            let targets: String = pattern.chars().cycle().take(count).collect();
            let mut road = Road::over(mixed(&targets));
            let all = road.stored.clone();
            road.relay.push(&all);
            for _ in 0..count {
                road.go();
                road.decide(|lane| lane != slow);
            }
            let fast = Lane::ALL.into_iter().find(|lane| *lane != slow).unwrap();
            assert_eq!(road.relay.delivered_in(fast), count as u64);
            let first = all.iter().find(|row| row.target.lane() == slow);
            assert_eq!(road.relay.delivered(), first.map_or(0, |row| row.sequence - 1));
            for _ in 0..2 * count {
                road.pass();
                road.go();
                road.decide(|_| true);
            }
            assert!(road.relay.is_empty(), "{pattern}, {slow:?} is back");
        }
    }
}

proptest! {
    /// Whatever fails in whichever lane: a receiver sees each row, and none before an earlier one of its lane.
    #[test]
    fn each_lane_arrives_whole_and_in_order(
        targets in "[ter]{1,600}",
        at_once in 1_usize..40,
        works in prop::collection::vec(any::<(bool, bool)>(), 1..50),
    ) {
        let mut road = Road::over(mixed(&targets));
        let mut commits = road.stored.clone().into_iter().peekable();
        let mut turn = 0;
        while commits.peek().is_some() || !road.relay.is_empty() {
            let commit: Vec<_> = commits.by_ref().take(at_once).collect();
            road.relay.push(&commit);
            road.go();
            let (topics, inside) = works.get(turn).copied().unwrap_or((true, true));
            road.decide(|lane| if lane == Lane::Topics { topics } else { inside });
            road.pass();
            turn += 1;
        }
        for lane in Lane::ALL {
            let mut arrived = std::mem::take(&mut road.arrived[lane as usize]);
            prop_assert!(arrived.is_sorted(), "{arrived:?}");
            arrived.dedup();
            let meant = road.stored.iter().filter(|row| row.target.lane() == lane);
            prop_assert_eq!(arrived, meant.map(|row| row.sequence).collect::<Vec<_>>());
        }
    }
}

fn wire(relay: &mut Relay) -> Vec<u64> {
    let send = || match relay.next() {
        Some(Step::Send(row)) => Some(row.sequence),
        None => None,
        other => panic!("no row: {other:?}"),
    };
    std::iter::from_fn(send).collect()
}

fn beside(targets: &str) -> Relay {
    let mut relay = Relay::new(0, 0).side_by_side(&["ticket"]);
    relay.push(&mixed(targets));
    relay
}

/// A run is of neighbours for different targets; whoever else is in the outbox keeps its place before and behind it.
#[test]
fn rows_that_need_no_order_leave_side_by_side() {
    let mut relay = beside("eabbcre");
    for run in [vec![1], vec![2, 3], vec![4, 5], vec![6], vec![7]] {
        assert_eq!(wire(&mut relay), run);
        for (sequence, last) in run.iter().rev().zip(1..) {
            assert!(relay.next().is_none(), "all of it first");
            let further = (last == run.len()).then_some(Lane::Inside);
            assert_eq!(relay.sent(at(0), *sequence, true), further);
            assert_eq!(relay.sent(at(0), *sequence, true), None, "said before");
            assert_eq!(relay.delivered() == *run.last().unwrap(), last == run.len());
        }
    }
    assert!(relay.is_empty());
    assert_eq!(relay.last_taken(Lane::Inside), 7);
}

/// What is behind a row that was not taken is not delivered yet, and is not sent again either.
#[test]
fn what_was_not_taken_of_a_run_is_repeated() {
    let mut relay = beside("abcd");
    assert_eq!(wire(&mut relay), [1, 2, 3, 4]);
    for (sequence, taken) in [(4, true), (2, false), (3, true)] {
        assert_eq!(relay.sent(at(0), sequence, taken), None);
        assert_eq!(relay.stuck(1), None, "rows are on the wire");
    }
    assert_eq!(relay.sent(at(0), 1, true), Some(Lane::Inside));
    assert_eq!((relay.delivered(), relay.stuck(1)), (1, Some(Lane::Inside)));
    assert_eq!(wire(&mut relay), [0; 0], "after a while");
    for taken in [false, true] {
        relay.tick(relay.wake().unwrap());
        assert_eq!(wire(&mut relay), [2]);
        let progress = relay.sent(at(0), 2, taken);
        assert_eq!(
            progress,
            taken.then_some(Lane::Inside),
            "others behind it are none"
        );
    }
    assert!(relay.is_empty());
}

/// A crowd of one entity does not take all places of the node.
#[test]
fn a_run_is_bounded() {
    let mut relay = Relay::new(0, 0).side_by_side(&["ticket"]);
    let mut crowd = rows(1..=2 * RUN as u64);
    for row in &mut crowd {
        row.target = Target::Entity(EntityId::new("ticket", &row.sequence.to_string()));
    }
    relay.push(&crowd);
    assert_eq!(wire(&mut relay).len(), RUN);
}

proptest! {
    /// Whatever fails: each target sees all its rows, and none before an earlier one of its own; and nothing passes, or is
    /// passed by, what needs order.
    #[test]
    fn rows_side_by_side_arrive_whole_and_each_target_in_order(
        targets in "[terabcd]{1,300}",
        at_once in 1_usize..40,
        works in prop::collection::vec(any::<bool>(), 1..400),
    ) {
        let mut road = Road::over(mixed(&targets)).beside();
        let mut commits = road.stored.clone().into_iter().peekable();
        let mut works = works.into_iter();
        let mut taken = BTreeMap::<String, Vec<u64>>::new();
        while commits.peek().is_some() || !road.relay.is_empty() {
            let commit: Vec<_> = commits.by_ref().take(at_once).collect();
            road.relay.push(&commit);
            road.go();
            let before = road.relay.delivered_in(Lane::Inside);
            for sequence in std::mem::take(&mut road.wire) {
                let target = road.target(sequence).clone();
                if target.lane() == Lane::Inside {
                    let needs_order = |target: &Target| target.name() != "ticket";
                    let skipped = road.stored.iter().find(|row| {
                        row.target.lane() == Lane::Inside
                            && (before + 1..sequence).contains(&row.sequence)
                            && (needs_order(&target) || needs_order(&row.target))
                    });
                    prop_assert!(skipped.is_none(), "{sequence} before {skipped:?}");
                }
                taken.entry(format!("{target:?}")).or_default().push(sequence);
                road.relay.sent(road.now, sequence, works.next().unwrap_or(true));
            }
            road.pass();
        }
        for (target, sequences) in taken {
            // Whoever drops what is not newer than what it has seen.
            let mut seen = vec![];
            for sequence in sequences {
                if seen.last().is_none_or(|last| *last < sequence) {
                    seen.push(sequence);
                }
            }
            let meant = road.stored.iter().filter(|row| format!("{:?}", row.target) == target);
            prop_assert_eq!(seen, meant.map(|row| row.sequence).collect::<Vec<_>>());
        }
    }
}
