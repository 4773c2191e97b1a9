//! Whose datagram it is: addresses that move, are used again, spoofed or replayed from.

use super::cheats::world;
use super::*;
use crate::session::paths::MAX_PATHS;

#[test]
fn a_replayed_check_from_a_spoofed_address_moves_no_audio() {
    let (mut world, victim, _) = world(24, Rights::Listen);
    let check = world.peers[victim]
        .said
        .iter()
        .rev()
        .find(|datagram| datagram[0] == 0)
        .unwrap()
        .clone();
    let thief = world.fresh_address();
    world.inject(thief, &check);
    let mut stolen = 0;
    for _ in 0..100 {
        world.run(MS(5));
        stolen += world
            .network
            .wire
            .sent
            .iter()
            .filter(|(to, d)| *to == thief && d[0] >> 6 == 2)
            .count();
    }
    assert_eq!(stolen, 0);
    assert_eq!(world.speakers_heard(victim), [7]);
    world.assert_clean();
}

#[test]
fn somebody_elses_address_cannot_be_taken_over() {
    let (mut world, thief, _) = world(25, Rights::Listen);
    let victim = 0;
    let from = world.address(victim);
    let world::Peer { client, wire, .. } = &mut world.peers[thief];
    client.check(world.now, wire);
    let (_, check) = wire.sent.pop().unwrap();
    world.inject(from, &check);
    world.run(MS(1000));
    assert_eq!(
        world.speakers_heard(thief),
        [7],
        "the victim's audio still comes in"
    );
    world.assert_clean();
}

#[test]
fn a_client_cannot_fill_memory_with_addresses() {
    let (mut world, cheat, _) = world(26, Rights::Listen);
    let world::Peer { client, wire, .. } = &mut world.peers[cheat];
    client.check(world.now, wire);
    let (_, check) = wire.sent.pop().unwrap();
    for _ in 0..1000 {
        let from = world.fresh_address();
        world.inject(from, &check);
    }
    assert!(world.shard.by_address.len() <= 3 + MAX_PATHS);
    assert!(world.shard.counts.dropped[Dropped::TooManyAddresses as usize] >= 900);
}

#[test]
fn an_address_can_be_used_again_by_a_new_session() {
    let (mut world, cheat, _) = world(27, Rights::Listen);
    let address = world.address(cheat);
    world.leave(cheat);
    world.run(MS(5));
    world.peers[cheat].address = world.fresh_address();
    let again = world.join(Rights::Listen, 3);
    world.peers[again].address = address;
    world.run(MS(1000));
    assert_eq!(world.speakers_heard(again), [7]);
}

/// Every change of network is a restart from a new address. Only the newest generation's addresses may stay.
#[test]
fn a_hundred_moves_leave_no_address_behind() {
    let (mut world, mover, _) = world(29, Rights::Listen);
    for _ in 0..100 {
        world.move_away(mover);
        world.restart(mover).unwrap();
        world.run(MS(100));
        assert!(
            world.shard.by_address.len() <= 2 + 2,
            "{:?}",
            world.shard.by_address
        );
    }
    assert_eq!(world.speakers_heard(mover), [7]);
    (0..3).for_each(|peer| world.leave(peer));
    assert!(world.shard.by_address.is_empty(), "{:?}", world.shard.by_address);
}

/// Sessions' places are used again: an address of a session that moved and left must not lead to the next one.
#[test]
fn an_address_left_behind_by_a_move_is_nobodys() {
    let (mut world, attacker, listener) = world(30, SPEAK(8));
    let before_the_move = world.address(attacker);
    let recorded = world.peers[attacker].said.clone();
    world.move_away(attacker);
    world.restart(attacker).unwrap();
    world.run(MS(500));
    world.leave(attacker);
    world.run(MS(5));
    // Takes the place of the one who left.
    let stranger = world.join(SPEAK(9), 3);
    world.run(MS(500));
    world.speak(stranger, Some(20));
    world.run(MS(500));
    let unknown = world.shard.counts.dropped[Dropped::Unknown as usize];
    recorded
        .iter()
        .for_each(|datagram| world.inject(before_the_move, datagram));
    assert_eq!(
        world.shard.counts.dropped[Dropped::Unknown as usize],
        unknown + recorded.len() as u64
    );
    world.run(MS(500));
    assert_eq!(world.speakers_heard(listener), [7, 9]);

    // And somebody behind the same NAT can have that port.
    let neighbour = world.join(Rights::Listen, 3);
    world.peers[neighbour].address = before_the_move;
    world.run(MS(500));
    assert_eq!(world.speakers_heard(neighbour), [7, 9]);
}

/// Who recorded somebody's checks can send them from anywhere; that keeps nobody in the room who is gone.
#[test]
fn replayed_checks_keep_no_ghost_alive() {
    let (mut world, ghost, _) = world(31, Rights::Listen);
    let recorded: Vec<Vec<u8>> = world.peers[ghost]
        .said
        .iter()
        .filter(|datagram| datagram[0] == 0 || datagram[0] == 1)
        .cloned()
        .collect();
    world.cut(ghost, true);
    let elsewhere = world.fresh_address();
    for _ in 0..world::GRACE.as_secs() + 1 {
        recorded
            .iter()
            .for_each(|datagram| world.inject(elsewhere, datagram));
        world.run(MS(1000));
    }
    let (session, why) = (world.key(ghost), Gone::GraceOver);
    assert_eq!(
        world.events(),
        [
            SessionEvent::Silent { session },
            SessionEvent::Gone { session, why }
        ]
    );
}
