//! Garbage from everywhere, made by somebody without keys: nothing panics, nobody else notices. What somebody with keys can
//! do is in [`super::insiders`].

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const DATAGRAMS: usize = 30_000;
const OFFERS: usize = 3_000;

/// A fresh one each run; `MEDIA_FUZZ_SEED` repeats a run.
#[allow(clippy::disallowed_methods, reason = "a seed wants a clock; it is printed")]
pub(super) fn seed() -> u64 {
    let given = std::env::var("MEDIA_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos() as u64)
    });
    println!("MEDIA_FUZZ_SEED={seed}");
    seed
}

/// A few bytes changed, inserted, repeated or cut.
pub(super) fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 | 1 if at < bytes.len() => bytes[at] = rng.random(),
            2 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            3 => bytes.insert(at, rng.random()),
            4 => bytes.truncate(at),
            _ => bytes.extend_from_within(..at.min(64)),
        }
    }
}

#[test]
fn malformed_datagrams_panic_nothing_and_hurt_nobody_else() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(seed);
    let people: Vec<usize> = (0..3).map(|n| world.join(SPEAK(100 + n), 3)).collect();
    // Somebody in the middle of their handshake, whose address everything comes from as well.
    world.run(MS(500));
    people.iter().for_each(|person| world.speak(*person, Some(20)));
    world.run(MS(300));
    let corpus: Vec<Vec<u8>> = world.peers.iter().flat_map(|peer| peer.said.clone()).collect();
    let victim = world.join(SPEAK(200), 3);
    world.run(MS(5));
    for n in 0..DATAGRAMS {
        let mut datagram = if rng.random_bool(0.1) {
            (0..rng.random_range(0..200)).map(|_| rng.random()).collect()
        } else {
            corpus[rng.random_range(0..corpus.len())].clone()
        };
        mutate(&mut rng, &mut datagram);
        let from = if rng.random_bool(0.5) {
            world.address(victim)
        } else {
            world.address(people[0])
        };
        world.inject(from, &datagram);
        if n % 100 == 0 {
            world.run(MS(5));
        }
    }
    assert_eq!(world.shard.counts.panics, 0);
    world.run(MS(500));
    assert_eq!(world.speakers_heard(people[1]), [100, 102], "seed {seed}");
    assert_eq!(world.speakers_heard(people[2]), [100, 101], "seed {seed}");
}

#[test]
fn malformed_offers_are_refused_without_a_panic() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(seed);
    let person = world.join(Rights::Listen, 3);
    let good = world.peers[person].client.offer();
    let lines: Vec<&str> = good.lines().collect();
    let mut answered = 0;
    for n in 0..OFFERS {
        let mut text = good.clone().into_bytes();
        if rng.random_bool(0.5) {
            // Whole lines moved: well-formed nonsense reaches further than broken bytes.
            let mut lines = lines.clone();
            for _ in 0..rng.random_range(1..4) {
                let (from, to) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
                if rng.random_bool(0.5) {
                    lines.swap(from, to)
                } else {
                    lines[from] = lines[to]
                }
            }
            text = (lines.join("\r\n") + "\r\n").into_bytes();
        } else {
            mutate(&mut rng, &mut text);
        }
        let text = String::from_utf8_lossy(&text);
        let (Ok(offer), Ok(again)) = (crate::offer::check(&text), crate::offer::check_restart(&text)) else {
            continue;
        };
        let key = SessionKey(1_000_000 + n as u64);
        let rights = Arc::new(crate::rights::Cell::new(Rights::Listen));
        let purpose = Purpose {
            key,
            room: RoomKey(2),
            rights,
            grace: world::GRACE,
        };
        answered += usize::from(
            world
                .shard
                .join(purpose, offer, world.now, &mut world.network.wire)
                .is_ok(),
        );
        let _ = world
            .shard
            .restart(world.key(person), again, world.now, &mut world.network.wire);
        world.shard.leave(key, world.now, &mut world.network.wire);
    }
    println!("{answered} of {OFFERS} malformed offers were still good enough");
    assert_eq!(world.shard.counts.panics, 0, "seed {seed}");
    assert_eq!(world.shard.len(), 1);
}
