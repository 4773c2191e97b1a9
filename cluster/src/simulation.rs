//! The protocol under seeded faults, in virtual time: the very machines that production runs, over stores that fail,
//! delay, repeat and leave outcomes unknown.
//!
//! One seed is one world: two or three nodes whose clocks run at different rates, one store, one broker with a
//! consumer that drops repeats, and clients that repeat a command until it is acknowledged. A node is paused before
//! any input is handed to a machine, before any output is executed, and between asking the hold and executing; nodes,
//! shards and single entities crash. In some worlds a pause is invisible to the node's own clock, as a hypervisor's may
//! be: there nothing but epochs and write ids keeps data safe. After a minute the faults end, and what is owed must get
//! delivered.
//!
//! `MITALK_SIM_SEEDS` says how many seeds run, `MITALK_SIM_SEED` replays one and prints its trace. A failing seed is
//! replayed and printed with the end of its trace. Each [`Shortcut`] that the protocol warns of is put in on purpose by
//! the drivers here, not by the machines, and must be caught.

mod broker;
mod check;
mod client;
mod network;
mod node;
mod shortcut;
mod store;
mod toy;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use self::check::Violation;
use self::shortcut::Shortcut;
use self::world::{Profile, Report, World};

/// Seeds of a plain run.
const SEEDS: u64 = 2_000;
/// Seeds within which a shortcut must be caught.
const SHORTCUT_SEEDS: u64 = 100_000;
/// Lines of a failing seed's trace that are printed.
const TRACE_LINES: usize = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Replays a seed with its trace.
fn explain(seed: u64, shortcut: Option<Shortcut>, violation: &Violation) -> String {
    let (_, trace) = World::new(seed, shortcut, true).run();
    let from = trace
        .len()
        .saturating_sub(if number("MITALK_SIM_SEED").is_some() {
            usize::MAX
        } else {
            TRACE_LINES
        });
    let trace = trace[from..].join("\n");
    format!("{trace}\n\nseed {seed}: {violation:?}\nreplay with MITALK_SIM_SEED={seed}")
}

/// What the seeds that hold did, and the first found that does not.
type Found = (Report, Option<(u64, Violation)>);

/// Runs seeds `0..seeds`, those of a profile if one is given, on two threads until one fails; the sum of what the
/// others did.
fn search(seeds: u64, profile: Option<Profile>, shortcut: Option<Shortcut>) -> Found {
    let next = Arc::new(AtomicU64::new(0));
    let found: Arc<Mutex<Found>> = Arc::default();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || found.lock().unwrap().1.is_some() {
                return;
            }
            if profile.is_some_and(|p| p != Profile::of(seed)) {
                continue;
            }
            let (result, _) = World::new(seed, shortcut, false).run();
            let mut found = found.lock().unwrap();
            match result {
                Ok(report) => found.0.add(&report),
                Err(violation) if found.1.as_ref().is_none_or(|(s, _)| *s > seed) => {
                    found.1 = Some((seed, violation));
                }
                Err(_) => {}
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    Arc::into_inner(found).unwrap().into_inner().unwrap()
}

#[test]
fn the_protocol_holds() {
    if let Some(seed) = number("MITALK_SIM_SEED") {
        let (result, trace) = World::new(seed, None, true).run();
        println!("{}", trace.join("\n"));
        match result {
            Ok(report) => return println!("seed {seed} holds: {report:?}"),
            Err(violation) => panic!("seed {seed}: {violation:?}"),
        }
    }
    let seeds = number("MITALK_SIM_SEEDS").unwrap_or(SEEDS);
    let (report, failure) = search(seeds, None, None);
    if let Some((seed, violation)) = failure {
        panic!("{}", explain(seed, None, &violation));
    }
    println!("{seeds} seeds hold: {report:?}");
    report.assert_interesting(seeds);
}

/// The same seed is the same world: without that nothing could be replayed.
#[test]
fn a_seed_is_replayed_exactly() {
    for seed in 0..5 {
        let (first, trace) = World::new(seed, None, true).run();
        let (second, again) = World::new(seed, None, true).run();
        assert_eq!(first, second);
        assert!(trace == again, "seed {seed} took two ways");
    }
}

/// Some seed must fail, and with one of the violations that this shortcut is known for.
fn caught(shortcut: Shortcut, profile: Profile, expected: fn(&Violation) -> bool) {
    let seeds = number("MITALK_SIM_SEEDS")
        .unwrap_or(SHORTCUT_SEEDS)
        .max(SHORTCUT_SEEDS);
    let (_, failure) = search(seeds, Some(profile), Some(shortcut));
    let Some((seed, violation)) = failure else {
        panic!("{shortcut:?} was not caught in {seeds} seeds")
    };
    assert!(
        expected(&violation),
        "{}",
        explain(seed, Some(shortcut), &violation)
    );
    println!("{shortcut:?} caught by seed {seed}: {violation:?}");
}

#[test]
fn dirty_buckets_are_caught() {
    // The zombie's commit is seen when it lands, or by what nobody delivers afterwards.
    let behind = |v: &Violation| {
        matches!(
            v,
            Violation::CommitOfPassedOwner(_) | Violation::Undelivered(_) | Violation::TimerLost(_)
        )
    };
    caught(Shortcut::DirtyBuckets, Profile::Mixed, behind);
}

#[test]
fn an_epoch_as_the_only_fence_is_caught() {
    let lost = |v: &Violation| {
        matches!(
            v,
            Violation::CommitBehindActivation(_) | Violation::Undelivered(_) | Violation::TimerLost(_)
        )
    };
    caught(Shortcut::EpochFence, Profile::Mixed, lost);
}

#[test]
fn no_fence_without_a_row_is_caught() {
    let behind = |v: &Violation| {
        matches!(
            v,
            Violation::CommitOfPassedOwner(_)
                | Violation::CommitBehindActivation(_)
                | Violation::Undelivered(_)
        )
    };
    caught(Shortcut::NoFenceWithoutRow, Profile::Mixed, behind);
}

#[test]
fn removed_rows_are_caught() {
    let twice = |v: &Violation| {
        matches!(
            v,
            Violation::AppliedTwice(_) | Violation::Undelivered(_) | Violation::Skipped(_)
        )
    };
    caught(Shortcut::RemovedRows, Profile::Mixed, twice);
}

#[test]
fn two_rows_on_the_wire_are_caught() {
    caught(Shortcut::TwoOnTheWire, Profile::Mixed, |v| {
        matches!(v, Violation::Skipped(_))
    });
}

/// Needs a zombie that scans between the insert of the new owner's row and its commit, with a wall clock ahead.
#[test]
#[ignore = "not caught within 100,000 seeds so far: its worlds are too rarely right"]
fn deleting_rows_of_a_higher_epoch_is_caught() {
    caught(Shortcut::DeletesUnknownTimers, Profile::Timers, |v| {
        matches!(v, Violation::TimerLost(_))
    });
}

#[test]
fn going_on_after_a_late_renewal_is_caught() {
    caught(Shortcut::GoesOnAfterLateRenewal, Profile::Leases, |v| {
        matches!(v, Violation::TwoHolders(_))
    });
}

#[test]
fn counting_the_hold_from_a_resend_is_caught() {
    caught(Shortcut::HoldFromResend, Profile::Leases, |v| {
        matches!(v, Violation::TwoHolders(_))
    });
}

#[test]
fn counting_a_ttl_from_the_question_is_caught() {
    caught(Shortcut::TtlFromQuestion, Profile::Leases, |v| {
        matches!(v, Violation::TwoHolders(_))
    });
}
