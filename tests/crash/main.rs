//! The process dies by SIGKILL at every registered fail point, and nothing acknowledged is lost or done twice.
//!
//! For each point of [`mitalk::failpoints::ALL`]: the real binary runs on a fresh store, the embedded one or real clusters,
//! a script of sign-ups, invites, acceptances, admissions, follows and rooms goes through the API, and the process kills
//! itself at the point: at its first passing, which for some is in the start over an empty store, and again at one chosen
//! by the seed, counted from the first answer that could be lost. What is passed by nobody who runs is passed by one who
//! starts over that store. Each time it is started again and the script goes on, repeating the request that got no answer.
//! In the end, after one more kill, everything must be there once ([`check`]). A point at which nobody died with something
//! to lose fails the test. Printed beside each point: what was sent again to the outside, recognisable by its key.
//!
//! `MITALK_CRASH_SEED` repeats a run, `MITALK_CRASH_POINT` limits it to points whose name contains that text,
//! `MITALK_BIN` names another binary; it must be built with the feature `failpoints`.

mod check;
mod parts;
mod script;
mod server;
mod texts;
mod world;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use mitalk::failpoints::Act;
use mitalk_tests::stores::Clusters;
use parts::Parts;
use world::{Repeats, World};

/// The kill that counts comes after so many passings at most.
const LATER_PASSINGS: u32 = 24;
/// Rounds of the script after which a point counts as never reached. Each point is passed in every round or at a start.
const ROUNDS: usize = 3;
/// Points at a time: a run mostly waits for its server's disk and clocks.
const AT_ONCE: usize = 12;
/// The same with real parts, which do the work of all runs.
const AT_ONCE_ON_CLUSTERS: usize = 3;

/// Over the embedded store.
#[tokio::test(flavor = "multi_thread")]
async fn every_fail_point_loses_nothing() {
    walk(AT_ONCE, |_| true, async || Ok(Parts::File)).await;
}

/// Over a real CQL cluster and a real Kafka, which `make test-stores` starts; without them it says so and passes.
#[tokio::test(flavor = "multi_thread")]
async fn every_fail_point_loses_nothing_on_real_parts() {
    let clusters = std::env::var_os("MITALK_TEST_FAULTS").and_then(|_| Clusters::found());
    let Some(clusters) = clusters else {
        println!("left out, no real parts: see `make test-stores`");
        return;
    };
    let is_theirs = |act: &Act| act.name() != mitalk::failpoints::GROUP.name();
    walk(AT_ONCE_ON_CLUSTERS, is_theirs, async || {
        Parts::of(&clusters).await
    })
    .await;
}

/// Dies at every point of these acts, several at a time.
#[allow(clippy::print_stdout, reason = "the figures and the seed are for people")]
async fn walk(at_once: usize, acts: impl Fn(&Act) -> bool, parts: impl AsyncFn() -> Result<Parts>) {
    let seed: u64 = std::env::var("MITALK_CRASH_SEED")
        .map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    let wanted = std::env::var("MITALK_CRASH_POINT").unwrap_or_default();
    println!("seed {seed}; repeat with MITALK_CRASH_SEED={seed}");
    let acts = mitalk::failpoints::ALL.iter().filter(|act| acts(act));
    let points = acts.flat_map(|act| act.points().map(|point| (*act, point)));
    let points: Vec<_> = points.filter(|(_, point)| point.contains(&wanted)).collect();
    let parts = &parts;
    let runs = points.iter().enumerate().map(|(n, (act, point))| async move {
        let begun = Instant::now();
        let outcome = die_at(parts, point, StdRng::seed_from_u64(seed ^ n as u64)).await;
        let verdict = match &outcome {
            Ok(died) => format!(
                "{} kills survived, again: {} events, {} texts",
                died.kills, died.repeats.events, died.repeats.texts
            ),
            Err(error) => format!("FAILED: {error:#}"),
        };
        println!(
            "{point:<28} {verdict}, {:.1} s. {}",
            begun.elapsed().as_secs_f64(),
            act.about()
        );
        outcome.is_ok()
    });
    let held: Vec<bool> = futures::stream::iter(runs)
        .buffer_unordered(at_once)
        .collect()
        .await;
    assert!(!held.is_empty(), "no point is called like {wanted}");
    assert!(held.iter().all(|held| *held), "see above; seed {seed}");
}

/// What a run was like.
struct Died {
    kills: usize,
    repeats: Repeats,
}

/// One run.
async fn die_at(parts: &impl AsyncFn() -> Result<Parts>, point: &str, mut rng: StdRng) -> Result<Died> {
    let parts = parts().await?;
    let mut world = World::new(parts, point, rng.random_range(0..LATER_PASSINGS)).await?;
    for round in 0..ROUNDS {
        script::round(&mut world, round)
            .await
            .with_context(|| world.story())?;
        if world.kills_that_count() == 0 {
            world.kill_and_restart_armed().await?;
        }
        check::settled(&mut world).await.with_context(|| world.story())?;
        if world.kills_that_count() > 0 {
            break;
        }
    }
    if world.kills_that_count() == 0 {
        bail!(
            "never reached with something to lose; is the binary built with the feature failpoints?\n{}",
            world.story()
        );
    }
    let kills = world.kills();
    world.restart_for_good().await?;
    check::settled(&mut world).await.with_context(|| world.story())?;
    check::everything_once(&mut world)
        .await
        .with_context(|| world.story())?;
    let repeats = world.repeats().await?;
    world.remove().await?;
    Ok(Died { kills, repeats })
}
