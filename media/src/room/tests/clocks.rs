//! Speakers whose packets are not where the room's clocks expect them.

use super::*;

#[test]
fn a_speaker_whose_clock_is_a_little_behind_is_heard_from_the_first_packet() {
    let mut world = World::new(&[1, 1, 1]);
    world.people[1].clock = world.people[0].clock.wrapping_sub(10 * opus::FRAME);
    for _ in 0..10 {
        world.turn(&[(0, -40)]);
        world.hear().unwrap();
    }
    world.room.exit(member(0), &mut world.wire);
    world.hear().unwrap();
    world.turn(&[(1, -20)]);
    assert!(world.hear().unwrap().contains(&(1, 2)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Bad Wi-Fi: once a second all packets wait for a while and then come at once. The slot falls quiet meanwhile, the
    /// burst goes behind that silence, and however often it happens every packet is heard.
    #[test]
    fn ten_minutes_of_stalls_lose_nothing(stalls_ms in prop::collection::vec(90..=500u64, 600)) {
        let mut world = World::new(&[3, 3]);
        let (start, mut next) = (world.now, 0);
        for (second, stall_ms) in (0..).zip(stalls_ms) {
            for ms in (0..1000).step_by(10) {
                let passed = second * 1000 + ms;
                world.now = start + Duration::from_millis(passed);
                while !(100..100 + stall_ms).contains(&ms) && next * 20 <= passed {
                    world.people[0].clock = next as u32 * opus::FRAME;
                    prop_assert_eq!(world.say(0, -20), Verdict::Forwarded(1), "packet {}", next);
                    next += 1;
                }
                world.room.tick(world.now, &mut world.wire);
            }
            world.hear()?;
        }
        prop_assert_eq!(next, 600 * 50);
    }
}
