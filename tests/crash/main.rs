//! The process dies by SIGKILL at every registered fail point, and nothing acknowledged is lost or done twice.
//!
//! For each point of [`mitalk::failpoints::ALL`]: the real binary runs on a fresh database, a script of sign-ups, invites,
//! acceptances, admissions, follows and rooms goes through the API, and the process kills itself at the point: at its
//! first passing, which for some is in the start over an empty database, and again at one chosen by the seed, counted
//! from the first answer that could be lost. What is passed by nobody who runs is passed by one who starts over that
//! database. Each time it is started again and the script goes on, repeating the request that got no answer. In the
//! end, after one more kill, everything must be there once ([`check`]). A point at which nobody died with something to
//! lose fails the test.
//!
//! `MITALK_CRASH_SEED` repeats a run, `MITALK_CRASH_POINT` limits it to points whose name contains that text,
//! `MITALK_BIN` names another binary; it must be built with the feature `failpoints`.

mod check;
mod script;
mod server;
mod texts;
mod world;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use world::World;

/// The kill that counts comes after so many passings at most.
const LATER_PASSINGS: u32 = 24;
/// Rounds of the script after which a point counts as never reached. Each point is passed in every round or at a start.
const ROUNDS: usize = 3;
/// Points at a time: a run mostly waits for its server's disk and clocks.
const AT_ONCE: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn every_fail_point_loses_nothing() {
    let seed: u64 = std::env::var("MITALK_CRASH_SEED")
        .map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    let wanted = std::env::var("MITALK_CRASH_POINT").unwrap_or_default();
    println!("seed {seed}; repeat with MITALK_CRASH_SEED={seed}");
    let points = mitalk::failpoints::ALL
        .iter()
        .flat_map(|act| act.points().map(|point| (*act, point)));
    let points: Vec<_> = points.filter(|(_, point)| point.contains(&wanted)).collect();
    let runs = points.iter().enumerate().map(|(n, (act, point))| async move {
        let begun = Instant::now();
        let outcome = die_at(point, StdRng::seed_from_u64(seed ^ n as u64)).await;
        let verdict = match &outcome {
            Ok(kills) => format!("{kills} kills survived"),
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
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert!(!held.is_empty(), "no point is called like {wanted}");
    assert!(held.iter().all(|held| *held), "see above; seed {seed}");
}

/// One run; how often the process was killed.
async fn die_at(point: &str, mut rng: StdRng) -> Result<usize> {
    let mut world = World::new(point, rng.random_range(0..LATER_PASSINGS)).await?;
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
    Ok(kills)
}
