//! What must hold for every packet that leaves, whatever people do: decrypted and looked at by each listener.

mod clocks;

use super::*;
use crate::Rights;
use crate::egress::{ExtensionIds, Slot};
use crate::light::{Context, Header, MAX_DATAGRAM_BYTES, Profile, contexts};
use proptest::prelude::*;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

const LEVEL_ID: u8 = 3;
const PACKET: Duration = Duration::from_millis(20);

/// Keeps what is sent.
struct Capture {
    buffer: [u8; MAX_DATAGRAM_BYTES],
    sent: Vec<(SocketAddr, Vec<u8>)>,
}

impl Wire for Capture {
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        &mut self.buffer
    }

    fn send(&mut self, len: usize, to: SocketAddr) {
        self.sent.push((to, self.buffer[..len].to_vec()));
    }
}

/// One person, as they see and hear it.
struct Person {
    rights: Arc<rights::Cell>,
    number: StageNumber,
    may_speak: bool,
    /// Frames said so far.
    said: u32,
    /// Frames said while muted: nobody may hear them, then or later.
    unsayable: HashSet<u32>,
    parked: Option<Listener>,
    clock: u32,
    opening: Context,
    /// Per SSRC: the last index and timestamp.
    slots: HashMap<u32, (u64, u32)>,
    seen: HashSet<(u32, u64)>,
}

struct World {
    room: Room,
    people: Vec<Person>,
    wire: Capture,
    now: Instant,
}

fn member(at: usize) -> Member {
    Member(at as u32)
}

fn address(at: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, at as u8], 1000))
}

fn number(at: usize) -> StageNumber {
    StageNumber(100 + at as u32)
}

/// Says who, and their how-manieth frame it is; 20 ms of hybrid Opus by its first byte.
fn payload(at: usize, frame: u32) -> Vec<u8> {
    let mut payload = vec![0x78, at as u8];
    payload.extend(frame.to_be_bytes());
    payload.extend([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    payload
}

fn frame_of(payload: &[u8]) -> u32 {
    u32::from_be_bytes(*payload[2..].first_chunk().unwrap())
}

impl World {
    fn new(slots: &[usize]) -> Self {
        let now = Instant::now();
        let mut world = Self {
            room: Room::new(),
            people: Vec::new(),
            wire: Capture {
                buffer: [0; MAX_DATAGRAM_BYTES],
                sent: Vec::new(),
            },
            now,
        };
        for (at, slots) in slots.iter().enumerate() {
            let material = [at as u8 + 1; 88];
            let (opening, srtp) = contexts(Profile::Gcm256, &material).unwrap();
            // Both halves of this material are the same, so the client's context opens what the server's sealed.
            let slot = |n: usize| Slot {
                ssrc: (at * 10 + n) as u32,
                mid: b'1' + n as u8,
                index: 1,
            };
            let listener = Listener {
                member: member(at),
                to: address(at),
                srtp,
                payload_type: 111,
                extensions: ExtensionIds {
                    level: LEVEL_ID,
                    mid: 4,
                },
                slots: (0..*slots).map(slot).collect(),
            };
            let rights = Arc::new(rights::Cell::new(Rights::Speak(number(at))));
            world.room.enter(member(at), rights.clone(), now);
            world.room.listen(listener, now);
            world.people.push(Person {
                rights,
                number: number(at),
                may_speak: true,
                said: 0,
                unsayable: HashSet::new(),
                parked: None,
                clock: at as u32 * 1_000_000,
                opening,
                slots: HashMap::new(),
                seen: HashSet::new(),
            });
        }
        world
    }

    /// Comes back by another session, with the same place on stage.
    fn rejoin(&mut self, at: usize) {
        let listener = self.room.deafen(member(at));
        self.room.exit(member(at), &mut self.wire);
        let rights = self.people[at].rights.clone();
        self.room.enter(member(at), rights, self.now);
        self.room.listen(listener.unwrap(), self.now);
    }

    fn say(&mut self, at: usize, level: i8) -> Verdict {
        let person = &mut self.people[at];
        person.said += 1;
        if !person.may_speak {
            person.unsayable.insert(person.said);
        }
        let (payload, timestamp) = (payload(at, person.said), person.clock);
        let packet = Packet {
            timestamp,
            level: Some(level),
            payload: &payload,
        };
        self.room.packet(member(at), packet, self.now, &mut self.wire)
    }

    /// 20 ms go by, in which these people speak.
    fn turn(&mut self, speakers: &[(usize, i8)]) {
        self.now += PACKET;
        for person in &mut self.people {
            person.clock = person.clock.wrapping_add(960);
        }
        for (at, level) in speakers {
            self.say(*at, *level);
        }
        self.room.tick(self.now, &mut self.wire);
    }

    /// Every listener opens what came, and checks it. Returns who was heard by whom.
    fn hear(&mut self) -> Result<HashSet<(usize, usize)>, TestCaseError> {
        let mut heard = HashSet::new();
        for (to, mut datagram) in std::mem::take(&mut self.wire.sent) {
            let listener = (0..self.people.len()).find(|at| address(*at) == to).unwrap();
            let (header, start) = Header::parse(&datagram, LEVEL_ID).unwrap();
            let person = &mut self.people[listener];
            let index = person.slots.get(&header.ssrc).map_or(1, |(index, _)| index + 1);
            prop_assert_eq!(
                header.sequence,
                index as u16,
                "the sequence has a gap or goes back"
            );
            prop_assert!(person.seen.insert((header.ssrc, index)), "a nonce was used twice");
            let end = person.opening.open(&mut datagram, start, index).unwrap();
            if let Some((_, last)) = person.slots.insert(header.ssrc, (index, header.timestamp)) {
                let ahead = header.timestamp.wrapping_sub(last) as i32;
                prop_assert!(ahead > 0, "timestamp {} after {last}", header.timestamp);
            }
            let csrc = header.csrc.unwrap();
            prop_assert!(csrc != person.number.0, "heard themself");
            if datagram[start..end] != opus::SILENCE {
                let speaker = usize::from(datagram[start + 1]);
                prop_assert_eq!(csrc, self.people[speaker].number.0);
                prop_assert!(self.people[speaker].may_speak, "a muted person was heard");
                let frame = frame_of(&datagram[start..end]);
                prop_assert!(
                    !self.people[speaker].unsayable.contains(&frame),
                    "frame {frame} was said without the right to"
                );
                heard.insert((speaker, listener));
            }
        }
        Ok(heard)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Turn(Vec<(usize, i8)>),
    Mute(usize),
    Unmute(usize),
    Park(usize),
    Unpark(usize),
    Jump(usize, u32),
    Wait(u64),
}

const PEOPLE: usize = 6;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 0..PEOPLE;
    let said = prop::collection::vec((person.clone(), -127..=0i8), 0..PEOPLE);
    let step = prop_oneof![
        30 => said.prop_map(Step::Turn),
        2 => person.clone().prop_map(Step::Mute),
        2 => person.clone().prop_map(Step::Unmute),
        1 => person.clone().prop_map(Step::Park),
        1 => person.clone().prop_map(Step::Unpark),
        1 => (person, any::<u32>()).prop_map(|(at, jump)| Step::Jump(at, jump)),
        1 => (0..2000u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Sequence and timestamps are continuous over any switch of speakers, mutes and pauses included; nobody hears
    /// themself; what a muted person says never leaves; no nonce repeats.
    #[test]
    fn every_packet_that_leaves_is_right(steps in steps(), slots in prop::collection::vec(1..=MAX_SLOTS, PEOPLE)) {
        let mut world = World::new(&slots);
        for step in steps {
            match step {
                Step::Turn(mut said) => {
                    said.dedup_by_key(|(at, _)| *at);
                    world.turn(&said);
                }
                Step::Mute(at) => {
                    world.people[at].rights.set(Rights::Muted(number(at)));
                    world.people[at].may_speak = false;
                }
                Step::Unmute(at) => {
                    world.people[at].rights.set(Rights::Speak(number(at)));
                    world.people[at].may_speak = true;
                }
                Step::Park(at) => {
                    let listener = world.room.deafen(member(at));
                    world.people[at].parked = listener.or(world.people[at].parked.take());
                }
                Step::Unpark(at) => {
                    if let Some(listener) = world.people[at].parked.take() {
                        world.room.listen(listener, world.now);
                    }
                }
                Step::Jump(at, by) => world.people[at].clock = world.people[at].clock.wrapping_add(by),
                Step::Wait(ms) => world.now += Duration::from_millis(ms),
            }
            world.hear()?;
        }
    }
}

/// Talks for a while and says who was heard by the last person at the end.
fn heard_at_the_end(world: &mut World, turns: usize, said: impl Fn(usize) -> Vec<(usize, i8)>) -> Vec<usize> {
    let listener = world.people.len() - 1;
    let mut heard = HashSet::new();
    for n in 0..turns {
        world.turn(&said(n));
        let now = world.hear().unwrap();
        if n + 15 >= turns {
            heard.extend(
                now.into_iter()
                    .filter(|(_, to)| *to == listener)
                    .map(|(from, _)| from),
            );
        }
    }
    let mut heard: Vec<_> = heard.into_iter().collect();
    heard.sort_unstable();
    heard
}

/// Something like speech: syllables, and a pause of 200 ms in every second.
fn speech(n: usize, level: i8) -> i8 {
    const SYLLABLE: [i8; 8] = [0, -1, -4, -12, -3, -2, -8, -16];
    if n % 50 < 40 { level + SYLLABLE[n % 8] } else { -60 }
}

#[test]
fn the_three_loudest_are_heard_and_a_louder_one_takes_the_quietest_slot() {
    let mut world = World::new(&[3; 5]);
    let three = |_| vec![(0, -15), (1, -20), (2, -30)];
    assert_eq!(heard_at_the_end(&mut world, 50, three), [0, 1, 2]);
    let four = |_| vec![(0, -15), (1, -20), (2, -30), (3, -10)];
    assert_eq!(heard_at_the_end(&mut world, 50, four), [0, 1, 3]);
}

#[test]
fn a_constant_shout_does_not_hold_a_slot_against_speech() {
    let mut world = World::new(&[1, 1, 1]);
    assert_eq!(
        heard_at_the_end(&mut world, 1000, |_| vec![(0, 0)]),
        [0],
        "alone it is heard"
    );
    let both = |n| vec![(0, 0), (1, speech(n, -35))];
    assert_eq!(heard_at_the_end(&mut world, 90, both), [1], "speech wins");
    assert_eq!(heard_at_the_end(&mut world, 990, both), [1], "and keeps the slot");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whoever begins first, however loud, and however often the one who shouts joins again: once both were heard for two
    /// seconds, speech has the slot and keeps it.
    #[test]
    fn a_constant_level_holds_no_slot_against_speech(
        (level, words) in (-40..=0i8, -45..=-15i8),
        begins in 0..250usize,
        speech_begins in 0..250usize,
        rejoins in prop::collection::vec(0..600usize, 0..20),
    ) {
        const SETTLED: usize = 100;
        let mut world = World::new(&[1, 1, 1]);
        let settled = begins.max(speech_begins) + SETTLED;
        let mut heard = 0;
        for n in 0..600 {
            if rejoins.contains(&n) {
                world.rejoin(0);
            }
            let shout = (n >= begins).then_some((0, level));
            let talk = (n >= speech_begins).then(|| (1, speech(n, words)));
            world.turn(&shout.into_iter().chain(talk).collect::<Vec<_>>());
            let now = world.hear()?;
            if n >= settled {
                prop_assert!(!now.contains(&(0, 2)), "turn {}: the shout has the slot", n);
                heard += usize::from(now.contains(&(1, 2)));
            }
        }
        prop_assert!(heard + 5 >= 600 - settled, "speech was heard in {} of {}", heard, 600 - settled);
    }
}

/// Nobody is better off for having been forgotten, and nobody can make the room remember without end.
#[test]
fn voices_are_bounded() {
    let mut world = World::new(&[3, 3]);
    for n in 0..2 * MAX_VOICES as u32 {
        world.people[0].rights.set(Rights::Speak(StageNumber(1000 + n)));
        world.turn(&[(0, -20)]);
        world.wire.sent.clear();
    }
    assert_eq!(world.room.voices.len(), MAX_VOICES);
    assert!(
        world
            .room
            .voices
            .contains_key(&StageNumber(1000 + 2 * MAX_VOICES as u32 - 1))
    );
}

/// When not everybody can be sent to, it is not always the same ones.
#[test]
fn each_packet_begins_with_another_listener() {
    const LISTENERS: usize = 40;
    let mut world = World::new(&[1; LISTENERS + 1]);
    let mut last = HashMap::new();
    for _ in 0..10 * LISTENERS {
        world.turn(&[(0, -20)]);
        // The system takes two thirds of each packet's copies.
        let lost = world.wire.sent.iter().skip(LISTENERS * 2 / 3);
        lost.for_each(|(to, _)| *last.entry(*to).or_insert(0) += 1);
        world.hear().unwrap();
    }
    let (least, most) = (last.values().min().unwrap(), last.values().max().unwrap());
    assert_eq!(last.len(), LISTENERS, "somebody is never last");
    assert!(
        most - least <= 10 * LISTENERS / 10,
        "between {least} and {most} losses each"
    );
}

#[test]
fn turns_between_two_speakers_move_no_slot_more_than_needed() {
    let mut world = World::new(&[3; 5]);
    let mut holders = HashMap::new();
    let mut moves = 0;
    for n in 0..45 * 11 {
        let (a, b) = if (n / 45) % 2 == 0 { (-6, -40) } else { (-40, -6) };
        // Two others speak on, between the loud and the quiet one.
        world.turn(&[(0, speech(n, -12)), (1, speech(n + 20, -15)), (2, a), (3, b)]);
        for (_, datagram) in world.wire.sent.iter().filter(|(to, _)| *to == address(4)) {
            let (header, _) = Header::parse(datagram, LEVEL_ID).unwrap();
            let before = holders.insert(header.ssrc, header.csrc);
            moves += usize::from(before.is_some_and(|before| before != header.csrc));
        }
        world.hear().unwrap();
    }
    println!("{moves} moves in ten turns");
    assert!(moves <= 24, "{moves} moves: the slots thrash");
}

#[test]
fn each_number_of_slots_gets_its_own_loudest() {
    let mut world = World::new(&[1, 2, 3, 4, 4]);
    let said = |_| vec![(0, -10), (1, -20), (2, -30), (3, -40)];
    for n in 0..50 {
        world.turn(&said(n));
        world.hear().unwrap();
    }
    world.turn(&said(50));
    let heard = world.hear().unwrap();
    let by = |listener| {
        (0..5)
            .filter(|from| heard.contains(&(*from, listener)))
            .collect::<Vec<_>>()
    };
    assert!(by(0).is_empty(), "the only slot is their own");
    assert_eq!(by(1), [0]);
    assert_eq!(by(2), [0, 1]);
    assert_eq!(by(3), [0, 1, 2], "a fourth slot is for people on stage");
    assert_eq!(by(4), [0, 1, 2, 3]);
}

#[test]
fn a_slot_that_falls_quiet_says_so_three_times_and_then_nothing() {
    let mut world = World::new(&[3, 3]);
    for _ in 0..10 {
        world.turn(&[(0, -20)]);
    }
    world.hear().unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        world.turn(&[]);
        silent.push(world.wire.sent.len());
        world.hear().unwrap();
    }
    assert_eq!(silent[..6], [0, 0, 0, 0, 3, 0], "after 80 ms and one look");
    assert_eq!(silent[6..].iter().sum::<usize>(), 0);
}

#[test]
fn who_floods_is_cut_to_what_a_codec_makes() {
    let mut world = World::new(&[3, 3]);
    let (mut forwarded, mut refused) = (0, 0);
    // Well-formed and in time, but 2.5 ms each: 400 packets a second to every listener.
    let payload = [0xe0; 16];
    for n in 0..400 {
        world.now += Duration::from_micros(2500);
        let packet = Packet {
            timestamp: n * 120,
            level: Some(0),
            payload: &payload,
        };
        match world.room.packet(member(0), packet, world.now, &mut world.wire) {
            Verdict::Forwarded(copies) => forwarded += copies,
            verdict => refused += u64::from(verdict == Verdict::TooMany),
        }
    }
    assert_eq!(forwarded + refused, 400);
    assert!(
        (120..=180).contains(&forwarded),
        "{forwarded} of 400 packets in a second"
    );
}

#[test]
fn what_is_no_opus_goes_nowhere() {
    let mut world = World::new(&[3, 3]);
    for payload in [&[][..], &[0xfb], &[0xfb, 63], &[0x78; MAX_PAYLOAD_BYTES + 1]] {
        let packet = Packet {
            timestamp: 0,
            level: Some(0),
            payload,
        };
        assert_eq!(
            world.room.packet(member(0), packet, world.now, &mut world.wire),
            Verdict::NoOpus
        );
    }
    let packet = Packet {
        timestamp: 0,
        level: Some(0),
        payload: &[0x78; MAX_PAYLOAD_BYTES],
    };
    assert_eq!(
        world.room.packet(member(0), packet, world.now, &mut world.wire),
        Verdict::Forwarded(1)
    );
}
